"""The recipes' experiments: complete trainings of presets, and the options that go with them."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch
from helpers.commands import failing
from PIL import Image

from hmr_edu.cli import main
from hmr_edu.data.photos.calibration import read_cameras
from hmr_edu.data.synthetic.lens import LensConfig
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.soft_light import LightConfig
from hmr_edu.experiments import runner
from hmr_edu.experiments.claims import catalogue
from hmr_edu.experiments.claims.catalogue import EXPERIMENTS
from hmr_edu.experiments.design import changed
from hmr_edu.experiments.laboratories import base_config, run_variant
from hmr_edu.experiments.preset_lab import preset_test_data
from hmr_edu.experiments.real_pictures import measure_on_real_pictures, read_real_pictures
from hmr_edu.hmr import load_pretrained
from hmr_edu.keypoints import LSP
from hmr_edu.training import averaging
from hmr_edu.training.presets import cpu_long_preset, cpu_preset, people_preset


def config_of(name, variant):
    experiment = EXPERIMENTS[name]
    return changed(base_config(experiment, None, 0), experiment.variants[variant])


def test_the_complete_recipes_are_the_presets_with_fewer_pictures():
    parts, pictures = (config_of(f"recipe-{name}", "complete") for name in ("parts", "pictures"))
    preset = cpu_preset()
    assert (parts.model, parts.data, parts.loss) == (preset.model, preset.data, preset.loss)
    assert parts.optimizer == preset.optimizer
    assert (parts.images, parts.minutes, parts.poses) == (30_000, None, ("prior",))
    preset = cpu_long_preset()
    assert (pictures.model, pictures.loss) == (preset.model, preset.loss)
    assert pictures.poses == ("prior", "prior", "bent")
    assert (pictures.data.cut, pictures.data.image_size) == (0.15, 96)
    people, preset = config_of("people-pictures", "complete"), people_preset()
    assert (people.model, people.data, people.loss) == (preset.model, preset.data, preset.loss)
    assert (people.poses, people.images, people.optimizer.ema) == (preset.poses, 24_000, 0.0)


def test_each_variant_of_people_lacks_one_ingredient():
    options = {
        "painted people": lambda c: c.data.appearance.dressed,
        "no neighbours": lambda c: c.data.neighbours,
        "boxes around whole people": lambda c: c.data.boxes + c.data.cut_by_border,
        "hard light, perfect lens": lambda c: (
            c.data.appearance.light != LightConfig() or c.data.appearance.lens != LensConfig()
        ),
        "earlier poses": lambda c: any(name.startswith("standing") for name in c.poses),
    }
    variants = EXPERIMENTS["people-pictures"].variants
    assert set(variants) == {"complete", *options}
    for variant in variants:
        config = config_of("people-pictures", variant)
        there = {name for name, option in options.items() if option(config)}
        assert there == set(options) - {variant}


def test_recipes_are_tested_on_the_pictures_of_the_command_evaluate():
    assert preset_test_data("cpu", 64).appearance == APPEARANCES["plain"]
    data = preset_test_data("cpu-long", 96)
    assert (data.appearance, data.image_size) == (APPEARANCES["full"], 96)
    # Not those of the training, whose cameras tilt more.
    assert (data.pitch, data.roll, data.cut) == (10.0, 5.0, 0.0)


@pytest.fixture
def tiny(monkeypatch):
    """Two variants of each recipe, tested on 40 people; few pictures for the batch norm."""
    for name, variants in {
        "recipe-parts": ("complete", "shared weights"),
        "recipe-pictures": ("complete", "no clutter"),
    }.items():
        chosen = {variant: EXPERIMENTS[name].variants[variant] for variant in variants}
        smaller = dataclasses.replace(EXPERIMENTS[name], variants=chosen)
        monkeypatch.setitem(catalogue.EXPERIMENTS, name, smaller)
    monkeypatch.setattr(averaging, "NORM_PICTURES", 64)
    monkeypatch.setattr(runner, "run_variant", functools.partial(run_variant, people=40))


def test_real_pictures_need_a_laboratory_with_pictures(tmp_path, capsys):
    options = ["--photos", tmp_path / "keypoints.json"]
    assert "camera trains on no pictures" in failing(capsys, "experiment", "camera", *options)
    # A missing file is named before any training.
    assert "keypoints.json" in failing(capsys, "experiment", "recipe-parts", *options)


def test_real_views_are_measured_as_by_their_commands(tmp_path):
    g = torch.Generator().manual_seed(0)
    joints = 0.5 * torch.randn(len(LSP), 3, generator=g)
    K = [[300.0, 0.0, 120.0], [0.0, 300.0, 120.0], [0.0, 0.0, 1.0]]
    turns = {"front": np.eye(3).tolist(), "side": [[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]}
    cameras = {name: {"K": K, "R": R, "t": [0.0, 0.0, 5.0]} for name, R in turns.items()}
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    marked = {}
    for name, view in read_cameras(tmp_path / "cameras.json").items():
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((240, 240, 3), 90, np.uint8)).save(tmp_path / name / "1.png")
        keypoints = dict(zip(LSP, view.pixels(joints).tolist(), strict=True))
        marked[f"{name}/1.png"] = [{"keypoints": keypoints}]
    paths = [str(tmp_path / name) for name in ("keypoints.json", "cameras.json", "out.json")]
    (tmp_path / "keypoints.json").write_text(json.dumps(marked))

    def written(*command):
        assert main([*command, "--weights", "resnet18", "--out", paths[2]]) == 0
        return json.loads((tmp_path / "out.json").read_text())["network"]

    views = written("evaluate-views", *paths[:2])
    assert measure_on_real_pictures(
        load_pretrained("resnet18"), read_real_pictures(None, tmp_path)
    ) == {
        "views_pck": written("evaluate-photos", paths[0])["pck"],
        "views_pa_mpjpe": views["pa_mpjpe"],
        "views_facing_flipped": views["facing_flipped"],
    }


@pytest.mark.slow
def test_a_recipe_from_the_command_line_to_its_table(tiny, tmp_path, capsys):
    Image.fromarray(np.full((120, 90, 3), 90, np.uint8)).save(tmp_path / "a.png")
    person = {"box": [20, 10, 70, 110], "keypoints": {"nose": [45, 20], "neck": [45, 30]}}
    photos = tmp_path / "keypoints.json"
    photos.write_text(json.dumps({"a.png": [person]}))
    run = ["experiment", "recipe-parts", "--seeds", "1", "--images", "64", "--out", str(tmp_path)]
    measured, training = ["--photos", str(photos)], ["--", "--loss.betas", "0.5"]
    assert main([*run, *measured, *training]) == 0
    text = capsys.readouterr().out
    path = tmp_path / "recipe-parts.json"
    record = json.loads(path.read_text())
    assert record["lab"] == "cpu"
    assert record["shared"] == {"images": 30_000, "minutes": None, "loss.betas": 0.5}
    assert record["command"] == (
        f"hmr-edu experiment recipe-parts --seeds 1 --images 64 --photos {photos} -- "
        "--loss.betas 0.5"
    )
    assert [result["variant"] for result in record["runs"]] == ["complete", "shared weights"]
    for result, steps in zip(record["runs"], (3, 8), strict=True):
        assert (result["images"], result["trained_steps"], len(result["steps"])) == (64, 3, steps)
        assert 0 <= result["final"]["photos_pck"] <= 1
        assert 50 < result["final"]["pa_mpjpe"] < 400
        row = next(line for line in text.splitlines() if line.startswith(result["variant"]))
        assert f"{result['final']['pa_mpjpe']:.1f} ± 0.0" in row
    assert "photos PCK" in text
    # The same command goes on where it was; other options or pictures make another record.
    assert main([*run, *measured, "--resume", *training]) == 0
    assert json.loads(path.read_text()) == record
    assert "other options" in failing(capsys, *run, *measured, "--resume")
    assert "other options" in failing(capsys, *run, "--resume", *training)


@pytest.mark.slow
def test_a_recipe_goes_on_from_weights(tiny, tmp_path):
    run = ["experiment", "recipe-pictures", "--seeds", "1", "--images", "64"]
    fits = ["--start", "resnet18", "--model.width", "64", "--model.hidden", "512"]
    assert main([*run, "--out", str(tmp_path), "--", *fits]) == 0
    record = json.loads((tmp_path / "recipe-pictures.json").read_text())
    assert record["shared"]["start"] == "resnet18"
    assert [result["variant"] for result in record["runs"]] == ["complete", "no clutter"]
