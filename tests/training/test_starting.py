"""`--start`, sources of one's own, and scripts with workers: what users meet first."""

import dataclasses
import json
import subprocess
import sys

import pytest
from helpers.few_looks import few
from helpers.small_run import small

from hmr_edu.body import load_body
from hmr_edu.data import SyntheticPeople, load_pose_prior
from hmr_edu.hmr import HMR, weights_path
from hmr_edu.io.errors import DataError
from hmr_edu.training import Trainer
from hmr_edu.training.complete_run import run
from hmr_edu.training.presets import cpu_preset, people_preset
from hmr_edu.training.setup import build_networks
from hmr_edu.training.start import copied_share, transfer


def test_weights_that_hardly_fit_are_no_start():
    """Biases have the same shape in many networks: without a limit they alone are a start."""
    options = dataclasses.asdict(cpu_preset().model)
    wanted = r"hardly anything .* --model.width 64 --model.hidden 512"
    with pytest.raises(DataError, match=wanted):
        transfer(HMR(image_size=128, **options), "resnet18")
    options |= {"width": 64, "hidden": 512}
    assert transfer(HMR(image_size=128, **options), "resnet18") == []


def test_the_share_that_fits_by_hand():
    model = HMR("keypoints", width=2, hidden=4)
    sizes = {n: t.numel() for n, t in model.state_dict().items() if t.is_floating_point()}
    name = max(sizes, key=sizes.__getitem__)
    total = sum(sizes.values())
    assert copied_share(model, [name]) == pytest.approx(1 - sizes[name] / total)
    assert copied_share(model, []) == 1


def test_a_start_that_fits_in_part_is_said(tmp_path, capsys):
    config = small(tmp_path)
    source = Trainer(config).source
    model, _ = build_networks(config, source)
    model.save(tmp_path / "small.safetensors")
    config.start = str(tmp_path / "small.safetensors")
    build_networks(config, source, say=True)
    assert capsys.readouterr().err == ""
    config.model = dataclasses.replace(config.model, pooling="average")
    build_networks(config, source, say=True)
    assert "of the network's numbers come from" in capsys.readouterr().err
    build_networks(config, source)
    assert capsys.readouterr().err == ""


def test_the_preset_of_the_shipped_weights_fits_them():
    options = dataclasses.asdict(people_preset().model)
    assert transfer(HMR(image_size=128, **options), "resnet18") == []


def people(size: int, batch: int) -> SyntheticPeople:
    preset = cpu_preset().data
    appearance = few(preset.appearance)
    data = dataclasses.replace(preset, image_size=size, batch_size=batch, appearance=appearance)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), data)


def test_a_run_records_the_sizes_of_its_own_source(tmp_path):
    config = small(tmp_path, images=4, test_images=2)
    source = people(48, 2)
    record = run(config, source)
    assert record["test-prior"]["about"]
    written = json.loads((config.folder / "config.json").read_text())
    assert written["data"]["image_size"] == 48
    assert written["data"]["batch_size"] == 2
    assert written["sources"] == ["SyntheticPeople"]
    again = dataclasses.replace(config, resume=True, images=8)
    with pytest.raises(DataError, match=r"begun with data\.batch_size = 2, not 4"):
        run(again, people(48, 4))
    run(again, people(48, 2))
    lines = (config.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["images"] for line in lines] == [2, 4, 6, 8]


def test_another_optimiser_is_named_when_a_run_goes_on(tmp_path):
    config = small(tmp_path, images=4)
    run(config)
    optimizer = dataclasses.replace(config.optimizer, method="adamw")
    with pytest.raises(DataError, match=r"begun with optimizer\.method = muon, not adamw"):
        run(dataclasses.replace(config, resume=True, images=8, optimizer=optimizer))


def test_the_folder_of_a_run_stands_for_its_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "resnet18"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    assert weights_path("run").resolve() == tmp_path / "run" / "model.safetensors"
    assert weights_path("resnet18").parent.name == "weights"  # shipped names come first


SCRIPT = """
from hmr_edu.data.source import load_batches
class Source:
    def prepare(self, index):
        return index
{guard}list(load_batches(Source(), range(2), workers=1))
"""


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__': "])
def test_a_script_that_its_workers_would_run_again_is_refused(tmp_path, guard):
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT.format(guard=guard))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600)
    assert (done.returncode == 0) == bool(guard), done.stderr
    assert ("put its calls below" in done.stderr) != bool(guard)
