"""The command line as its user meets it: help, exit codes, one clear line for bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import failing
from helpers.small_run import small
from helpers.toy_body import toy_body
from PIL import Image
from tqdm import tqdm

from hmr_edu.body import save_body
from hmr_edu.cli import COMMANDS, main
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.training.complete_run import run


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16).save(path)
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "someone.png"
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(path)
    return path


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as exit:
        main([command, "--help"])
    assert exit.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_every_option_of_a_training_has_help_of_its_own(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["train", "cpu", "--help"])
    # Off with the frames around groups, which are characters of the terminal's own choice.
    text = "\n".join(line[2:-2] for line in capsys.readouterr().out.splitlines())
    helps = {}
    for block in re.split(r"\n(?=--[a-z])", text)[1:]:
        option, *rest = re.split(r"\s", block.split("(default:")[0], maxsplit=1)
        # On the left are the option and its values, two spaces from the help.
        helps[option] = re.split(r"\s{2,}", " " + rest[0], maxsplit=1)[-1].strip()
    assert {"--seed", "--model.stem", "--data.roll", "--data.appearance.blur-size"} <= set(helps)
    for option, said in helps.items():
        assert len(said) > 8, (option, said)
        assert [other for other in helps if helps[other] == said] == [option]


def test_help_is_immediate():
    code = (
        "import sys; from hmr_edu.cli import main; main(['--help']); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "False"


def test_unknown_names(capsys):
    assert "no command 'trian'" in failing(capsys, "trian")
    assert "tpu" in failing(capsys, "train", "tpu")
    assert "--imges" in failing(capsys, "train", "cpu", "--imges", 3)
    assert "no weights" in failing(capsys, "evaluate", "resnet9000")


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_demo_on_an_unreadable_picture(capsys, tmp_path, weights, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    message = failing(capsys, "demo", path, "--weights", weights, "--out", tmp_path / "out")
    assert "broken.png" in message
    assert len(message.splitlines()) == 1


def test_demo_on_missing_files(capsys, tmp_path, picture, weights):
    missing = failing(capsys, "demo", tmp_path / "nobody.jpg", "--weights", weights)
    assert "nobody.jpg" in missing
    options = ("--detect", "none", "--weights", tmp_path / "absent.safetensors")
    assert "absent.safetensors" in failing(capsys, "demo", picture, *options)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (900, 900, 950, 950), ("nan", 0, 9, 9)])
def test_demo_on_a_bad_box(capsys, tmp_path, picture, weights, box):
    options = ("--weights", weights, "--out", tmp_path / "out", "--box", *box)
    assert "box" in failing(capsys, "demo", picture, *options)


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_truncated_weights(capsys, tmp_path, picture, weights, keep):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(weights.read_bytes()[:keep])
    message = failing(capsys, "demo", picture, "--detect", "none", "--weights", path)
    assert "cut.safetensors" in message
    assert len(message.splitlines()) == 1


def test_foreign_weights(capsys, tmp_path, picture):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    assert "not written by hmr_edu" in failing(
        capsys, "demo", picture, "--detect", "none", "--weights", path
    )


def test_truncated_mocap(capsys, tmp_path):
    path = tmp_path / "poses.npz"
    np.savez(path, poses=np.zeros((5, 72), np.int16), scale=1e-3)
    path.write_bytes(path.read_bytes()[:200])
    assert "poses.npz" in failing(capsys, "mocap", "fit-prior", "--poses", path)
    options = ("--poses", path, "--out", tmp_path / "runs")
    assert "poses.npz" in failing(capsys, "train", "cpu", *options)


def test_training_on_a_damaged_body(capsys, tmp_path):
    path = tmp_path / "body.npz"
    save_body(path, toy_body())
    path.write_bytes(path.read_bytes()[:500])
    options = ("--model.body", path, "--out", tmp_path / "runs")
    assert "body.npz" in failing(capsys, "train", "cpu", *options)


def test_evaluate_a_missing_test_set(capsys, weights, monkeypatch, tmp_path):
    assert "no test set" in failing(capsys, "evaluate", weights, "--sets", "test-moon")


@pytest.mark.slow
def test_a_whole_run_and_its_report(tmp_path, capsys):
    from hmr_edu.viz.report.page import write_report

    config = small(tmp_path, test_images=20)
    record = run(config)
    printed = capsys.readouterr().out
    assert "mean theta" in printed
    assert set(record["test-prior"]) >= {"baselines", "before", "after"}
    assert json.loads((config.folder / "evaluation.json").read_text()) == record
    names = {p.name for p in config.folder.iterdir()}
    assert names >= {"config.json", "environment.json", "metrics.jsonl", "model.safetensors"}
    samples = sorted(p.stem for p in (config.folder / "samples").iterdir())
    assert samples == ["000000000", "000000016", "000000032"]
    report = write_report(config.folder)
    assert report.stat().st_size < 3e6
    assert "test-prior" in report.read_text()


def test_importing_the_package_costs_nothing():
    code = "import sys, torch; before = set(sys.modules); import hmr_edu; " + (
        "print(sorted(m for m in set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['hmr_edu', 'lazy_loader']"


def test_the_core_imports_without_the_extras():
    """What a bare GPU machine has: no plotly, no tyro, no smplx, no trimesh; no page is written."""
    code = (
        "import sys\n"
        "for name in ('plotly', 'tyro', 'smplx', 'trimesh', 'ipywidgets', 'roma', 'jinja2'):\n"
        "    sys.modules[name] = None\n"
        "import hmr_edu.training.complete_run, hmr_edu.hmr, hmr_edu.evaluation.test_sets\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.slow
def test_evaluate_refined(capsys, weights, tmp_path):
    out = tmp_path / "record.json"
    options = ("--images", "6", "--sets", "test-prior", "--refine", "--out", str(out))
    assert main(["evaluate", str(weights), *options]) == 0
    assert "refined" in capsys.readouterr().out
    rows = json.loads(out.read_text())["test-prior"]
    # The fit is the step after the regressor's three.
    assert [len(rows[name]["steps"]) for name in ("after", "refined")] == [3, 4]
    assert rows["refined"]["steps"][:3] == rows["after"]["steps"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--out", "{file}/x.json"),
        ("evaluate", "--sheet", "{file}/x.png"),
        ("evaluate-photos", "marks.json", "--out", "{file}/x.json"),
        ("evaluate-views", "marks.json", "cameras.json", "--out", "{file}/x.json"),
        ("demo", "astronaut.png", "--out", "{file}"),
        ("experiment", "camera", "--out", "{file}"),
        ("mocap", "fit-prior", "--poses", "poses.npz", "--out", "{file}/prior.npz"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_any_work(tmp_path, capsys, arguments):
    """None of the files that these commands read exists: they are not even looked for."""
    (tmp_path / "taken").write_text("a file")
    words = [word.format(file=tmp_path / "taken") for word in arguments]
    assert main(words) == 2
    assert "taken is a file, where a folder should be" in capsys.readouterr().err


@pytest.mark.parametrize("cause", [DataError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("again", [False, True])
def test_why_a_command_ended_is_the_last_line_below_the_bar(monkeypatch, capsys, cause, again):
    def work():
        bar = tqdm(total=3, file=sys.stderr, desc="working", disable=False)
        bar.update(1)
        raise cause("nothing fits")

    def command(arguments):
        try:
            work()
        except Exception as error:
            if again:  # as `naming` does
                raise DataError(str(error)) from None
            raise

    monkeypatch.setattr("hmr_edu.cli.ship.command", command)
    assert main(["ship"]) == (130 if cause is KeyboardInterrupt else 2)
    *before, last = capsys.readouterr().err.rstrip("\n").split("\n")
    interrupted = "interrupted; " if cause is KeyboardInterrupt else ""
    assert last == f"hmr-edu ship: {interrupted}nothing fits"
    assert "working" in before[0]


def test_numbers_that_no_experiment_can_have(capsys):
    for option in ("--seeds", "--images", "--threads"):
        assert main(["experiment", "camera", option, "0"]) == 2
        assert f"{option} must be between 1 and " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["experiment"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_is_no_error(words, unbuffered):
    """`hmr-edu --help | true`."""
    command = [sys.executable, "-m", "hmr_edu.cli", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        (
            "nbformat",
            ("course", "execute", "{file}"),
            "jupyterlab: pip install 'hmr_edu[notebooks]'",
        ),
        ("fast_simplification", ("body", "build", "--source", "{file}"), "'hmr_edu[build]'"),
        ("nbgrader", ("course", "release"), "nbgrader: pip install 'hmr_edu[course]'"),
    ],
)
def test_what_a_bare_wheel_lacks_is_one_line(capsys, tmp_path, monkeypatch, module, words, said):
    for name in [name for name in sys.modules if name.startswith(("hmr_edu.course", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "file").write_text("{}")
    message = failing(capsys, *(word.format(file=tmp_path / "file") for word in words))
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_module_of_ours_that_is_missing_is_a_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "hmr_edu.viz.demo_people", None)
    with pytest.raises(ModuleNotFoundError):
        main(["demo", "x.png"])


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes")
@pytest.mark.parametrize("coding", [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
@pytest.mark.parametrize("name", ["gr\u00fcn.png".encode(), b"gr\xfcn.png"])
def test_a_picture_whose_name_is_no_text_leaves_all_six_files(
    tmp_path, picture, weights, name, coding
):
    odd = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118
    os.rename(picture, odd)  # noqa: PTH104
    command = [sys.executable, "-m", "hmr_edu.cli", "demo", odd, "--weights", weights]
    command += ["--out", tmp_path / "out", "--box", "2", "2", "28", "38"]
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C", **coding}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 6
    assert len(done.stdout.splitlines()) == 6
