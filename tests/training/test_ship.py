"""Shipping a run: the weights in fewer bytes, their provenance, and the record beside them."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.small_run import small
from safetensors.torch import save_file

from hmr_edu.hmr import load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training import ship as ship_module
from hmr_edu.training.complete_run import run
from hmr_edu.training.loop import Trainer
from hmr_edu.training.ship import ship
from hmr_edu.training.soup import write_average
from hmr_edu.viz.report.records import read_run, read_samples


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    config = small(tmp_path_factory.mktemp("run"), images=8, test_images=20)
    run(config)
    return config


def test_a_finished_run_becomes_weights_provenance_and_record(finished, tmp_path):
    path = ship(finished.folder, "tiny", tmp_path)
    assert path == tmp_path / "tiny.safetensors"
    provenance = json.loads((tmp_path / "tiny.json").read_text())
    assert provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (provenance["images"], provenance["seed"]) == (8, 0)
    assert "test-prior" in provenance["metrics"]
    exact = load_pretrained(finished.folder / "model.safetensors").state_dict()
    for name, tensor in load_pretrained(path).state_dict().items():
        torch.testing.assert_close(tensor, exact[name], rtol=1e-3, atol=1e-6)
    cost = provenance["stored"]
    assert cost["precision"] == "float16"
    assert 0 < cost["joints_moved"] < 1
    assert abs(cost["pa_mpjpe"] - cost["pa_mpjpe_before"]) < 1
    record = read_run(tmp_path / "tiny")
    assert not record.notes
    assert record.steps[-1].images == 8
    assert read_samples(record.sample_files[-1]).images_seen == 8


def test_weights_that_would_be_too_large_are_stored_in_a_byte_each(finished, tmp_path, monkeypatch):
    whole = (finished.folder / "model.safetensors").stat().st_size
    monkeypatch.setattr(ship_module, "LARGEST", 0.45 * whole)
    path = ship(finished.folder, "tiny", tmp_path)
    assert path.stat().st_size < 0.45 * whole
    exact = load_pretrained(finished.folder / "model.safetensors").state_dict()
    for name, tensor in load_pretrained(path).state_dict().items():
        # A step is the row's largest weight over 127; rounding is off by half a step.
        step = exact[name].abs().max() / 127 if tensor.ndim >= 2 else 1e-3 * exact[name].abs().max()
        torch.testing.assert_close(tensor, exact[name], rtol=0, atol=float(step) / 2 + 1e-6)
    cost = json.loads((tmp_path / "tiny.json").read_text())["stored"]
    assert cost["precision"] == "int8"
    assert 0 < cost["joints_moved"] < 5


def test_weights_that_are_too_large_even_so_are_refused(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(ship_module, "LARGEST", 1000)
    with pytest.raises(DataError, match="bytes, even in int8"):
        ship(finished.folder, "tiny", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_goes_on_is_not_shipped_with_what_was_measured_before(finished, tmp_path):
    config = dataclasses.replace(finished, out=tmp_path, test_images=0)
    shutil.copytree(finished.folder, config.folder)
    run(dataclasses.replace(config, resume=True))  # nothing to do
    ship(config.folder, "same", tmp_path / "out")
    run(dataclasses.replace(config, resume=True, images=16))
    with pytest.raises(DataError, match=r"no evaluation\.json"):
        ship(config.folder, "more", tmp_path / "out")


def test_a_name_may_have_dots(finished, tmp_path, monkeypatch):
    ship(finished.folder, "tiny.v2", tmp_path)
    monkeypatch.setattr("hmr_edu.hmr.WEIGHTS", tmp_path)
    load_pretrained("tiny.v2")


def test_weights_to_go_on_from_are_taken_where_they_fit_and_written_down(finished, tmp_path):
    path = ship(finished.folder, "tiny", tmp_path)
    larger = dataclasses.replace(finished.data, image_size=2 * finished.data.image_size)
    config = dataclasses.replace(
        finished, out=tmp_path / "runs", data=larger, start=str(path), images=8, test_images=20
    )
    shipped, started = load_pretrained(path).state_dict(), Trainer(config).network().state_dict()
    backbone = [name for name in started if name.startswith("encoder.backbone.")]
    assert backbone
    for name in backbone:
        assert torch.equal(started[name], shipped[name].to(started[name].dtype))
    first = "regressor.perceptrons.0.0.weight"
    assert started[first].shape != shipped[first].shape
    run(config)
    record = json.loads(ship(config.folder, "next", tmp_path).with_suffix(".json").read_text())
    assert record["start"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["start"]["provenance"]["images"] == 8


def test_weights_that_fit_nowhere_are_named(finished, tmp_path):
    weights = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, weights, metadata={"hmr_edu": "{}"})
    config = dataclasses.replace(finished, out=tmp_path / "runs", start=str(weights))
    with pytest.raises(DataError, match=r"other\.safetensors: hardly anything"):
        Trainer(config)


def test_pictures_of_the_run_before_are_removed(finished, tmp_path):
    old = tmp_path / "tiny" / "samples" / "000000999.npz"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of another run")
    ship(finished.folder, "tiny", tmp_path)
    assert not old.exists()
    assert read_run(tmp_path / "tiny").sample_files


def test_a_mean_is_shipped_with_the_provenance_of_its_parts(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(ship_module, "IMAGES", 20)
    monkeypatch.setattr(ship_module, "SHIPPED_SETS", ("test-prior",))
    first = str(ship(finished.folder, "first", tmp_path))
    mean, out = tmp_path / "mean.safetensors", tmp_path / "out"
    parts = [str(finished.folder / "model.safetensors"), first]
    write_average(mean, parts, [3, 1], images=64)
    (out / "tiny").mkdir(parents=True)
    (out / "tiny" / "metrics.jsonl").write_text("of another run")
    (out / "tiny" / "mine.txt").write_text("of somebody's")
    path = ship(mean, "tiny", out)
    assert {file.name for file in (out / "tiny").iterdir()} == {"evaluation.json", "mine.txt"}
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [part["share"] for part in record["mean_of"]] == [3, 1]
    for part, file in zip(record["mean_of"], parts, strict=True):
        assert part["sha256"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
        # That of a run is in its folder, that of shipped weights beside their file.
        assert (part["provenance"]["images"], part["provenance"]["seed"]) == (8, 0)
    exact, stored = load_pretrained(mean).state_dict(), load_pretrained(path).state_dict()
    for name, tensor in stored.items():
        torch.testing.assert_close(tensor, exact[name], rtol=1e-3, atol=1e-6)
    measured = read_run(out / "tiny").evaluation["test-prior"]
    assert measured["about"]["images"] == 20
    assert record["metrics"]["test-prior"]["after"]["mpjpe"] == measured["after"]["mpjpe"]


def test_a_file_without_its_own_record_is_not_shipped(finished, tmp_path):
    weights = tmp_path / "alone.safetensors"
    shutil.copyfile(finished.folder / "model.safetensors", weights)
    with pytest.raises(DataError, match=r"no alone\.json beside it"):
        ship(weights, "tiny", tmp_path / "out")
    weights.with_suffix(".json").write_text('{"sha256": "of others"}')
    with pytest.raises(DataError, match=r"alone\.json is the record of other weights"):
        ship(weights, "tiny", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_named(finished, tmp_path):
    with pytest.raises(DataError, match=r"no model\.safetensors"):
        ship(tmp_path, "tiny", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no such run, and no such file"):
        ship(tmp_path / "average.safetensors", "tiny", tmp_path / "out")
