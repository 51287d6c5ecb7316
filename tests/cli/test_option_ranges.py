"""Options outside their range: one line that names option, value and range, before any set-up."""

import dataclasses
import os
import sys
from typing import get_type_hints

import pytest
from helpers.commands import failing

from hmr_edu.io.ranges import Range
from hmr_edu.training import complete_run
from hmr_edu.training.presets import cpu_preset

# Numbers of these have no range: any is possible.
FREE = {"loss.steps"}


@pytest.fixture(autouse=True)
def nothing_is_set_up(monkeypatch):
    def fail(*args, **options):
        raise AssertionError("set up before the options were checked")

    monkeypatch.setattr(complete_run, "run", fail)
    for module in ("hmr_edu.hmr.load_pretrained", "hmr_edu.body.load_body"):
        monkeypatch.setattr(module, fail)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--data.fill", ("0.5", "inf")),
        ("--data.fill", ("0.5", "1e30")),
        ("--data.fill", ("1.0", "0.5")),
        ("--data.shift", ("inf",)),
        ("--data.shift", ("1e30",)),
        ("--data.betas", ("inf",)),
        ("--data.betas", ("1e9",)),
        ("--data.betas", ("nan",)),
        ("--data.pitch", ("1e9",)),
        ("--data.inverse-focal", ("0", "inf")),
        ("--data.inverse-focal", ("0", "1e30")),
        ("--data.batch-size", ("1000000000",)),
        ("--data.appearance.scenes", ("1000000000",)),
        ("--data.appearance.outfits", ("1000000000",)),
        ("--data.appearance.blur-size", ("inf",)),
        ("--data.appearance.seed", ("-1",)),
        ("--data.appearance.seed", (str(2**64),)),
        ("--model.width", ("1000000",)),
        ("--model.hidden", ("10000000",)),
        ("--model.iterations", ("1000000",)),
        ("--model.dropout", ("nan",)),
        ("--seed", (str(2**64),)),
        ("--seed", ("9" * 400,)),
        ("--threads", ("1000000000",)),
        ("--workers", ("1000000000",)),
        ("--processes", ("1000000000",)),
        ("--minutes", ("inf",)),
        ("--images", (str(2**70),)),
        ("--test-images", (str(2**70),)),
        ("--optimizer.learning-rate", ("inf",)),
        ("--optimizer.warmup", (str(2**70),)),
        ("--optimizer.ema", ("1",)),
        ("--loss.pose", ("inf",)),
        ("--loss.adversary", ("nan",)),
        ("--name", ("",)),
        ("--name", ("../elsewhere",)),
        ("--name", ("/elsewhere",)),
        ("--name", (".",)),
        ("--backbone", ("nowhere.pth",)),
        ("--start", ("nowhere.safetensors",)),
        ("--poses", ("nowhere.npz",)),
        ("--model.body", ("nowhere.npz",)),
    ],
)
def test_a_training_with_an_impossible_option(capsys, tmp_path, option, values):
    said = failing(capsys, "train", "cpu", "--out", tmp_path, f"{option}", *values)
    assert len(said.splitlines()) == 1
    assert option in said
    assert "must" in said or values[0] in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
@pytest.mark.parametrize("option", ["--backbone", "--start", "--poses", "--model.body"])
def test_a_training_from_a_named_pipe(capsys, tmp_path, option):
    os.mkfifo(tmp_path / "pipe.npz")
    said = failing(
        capsys, "train", "cpu", "--out", tmp_path / "runs", option, tmp_path / "pipe.npz"
    )
    assert f"{option}: " in said
    assert "a named pipe, where a file should be" in said


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "x.png", "--box", "0", "0", "1e308", "1e308"),
        ("demo", "x.png", "--box", "-inf", "0", "9", "9"),
        ("evaluate", "--threads", "1000000000"),
        ("evaluate", "--threads", "-1"),
        ("evaluate", "--images", "0"),
        ("evaluate", "--images", str(2**70)),
        ("evaluate-photos", "x.json", "--people", "0"),
        ("experiment", "camera", "--seeds", str(2**70)),
        ("experiment", "camera", "--threads", "1000000000"),
        ("experiment", "camera", "--", "--hidden", "10000000"),
        ("experiment", "camera", "--", "--noise", "inf"),
        ("experiment", "camera", "--", "--inverse-focal", "0.2", "0.1"),
        ("mocap", "fit-prior", "--poses", "x.npz", "--seed", "-1"),
        ("mocap", "report", "--seed", str(2**64)),
        ("body", "build", "--source", "x.whl", "--seed", "-1"),
        ("bench", "--threads", "0"),
        ("bench", "--seconds", "inf"),
        ("bench", "--batches", "0"),
    ],
)
def test_another_command_with_an_impossible_option(capsys, words):
    said = failing(capsys, *words)
    option = next(w for w in words if w.startswith("--") and w not in ("--", "--poses"))
    if option == "--source":
        option = "--seed"
    assert len(said.splitlines()) == 1
    assert f"{option} must be " in said
    assert "between" in said


def test_every_number_of_a_training_has_a_range():
    """A new option says its range beside its definition, or is named here."""

    def numbers(config, prefix=""):
        hints = get_type_hints(type(config), include_extras=True)
        for option in dataclasses.fields(config):
            value, name = getattr(config, option.name), prefix + option.name
            if dataclasses.is_dataclass(value):
                yield from numbers(value, f"{name}.")
            elif isinstance(value, int | float | tuple) and not isinstance(value, bool):
                ranges = getattr(hints[option.name], "__metadata__", ())
                yield name, any(isinstance(range_, Range) for range_ in ranges)

    found = dict(numbers(cpu_preset()))
    assert len(found) > 40
    words = {"poses", "sources"}
    assert {name for name, has_range in found.items() if not has_range} == FREE | words


def test_refused_before_pytorch_is_imported():
    import subprocess

    code = (
        "import sys; from hmr_edu.cli import main\n"
        "assert main(['demo', 'x.png', '--box', '0', '0', '1e308', '9']) == 2\n"
        "assert main(['evaluate', '--threads', '-1']) == 2\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
