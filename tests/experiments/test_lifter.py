"""The experiments on the preset `keypoints-quick`: what their variants change, what is measured."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from helpers.commands import failing

from hmr_edu.body import load_body
from hmr_edu.data.detections.noise import FACE
from hmr_edu.evaluation.held_out import evaluate
from hmr_edu.evaluation.keypoint_sets import sets_for
from hmr_edu.evaluation.test_sets import find_test_sets
from hmr_edu.experiments.claims.catalogue import EXPERIMENTS
from hmr_edu.experiments.design import changed
from hmr_edu.experiments.image_lab import train_pictures
from hmr_edu.experiments.keypoint_tests import held_out_people
from hmr_edu.experiments.laboratories import base_config, run_variant
from hmr_edu.experiments.runner import PRESET_RECORDS, read_record
from hmr_edu.training.presets import keypoints_quick_preset
from hmr_edu.training.setup import pose_source
from hmr_edu.training.sources import build_source

PARTS = EXPERIMENTS["lifter-parts"]
RECORDED = sorted(PRESET_RECORDS.glob("*.json"))
ERRORS = ("no noise", "no definitions", "no drop-outs", "no swaps, no outliers")


def config_of(*variants):
    config = base_config(PARTS, None, 0)
    for variant in variants:
        config = changed(config, PARTS.variants[variant])
    return config


def test_the_complete_recipe_is_the_preset_with_a_quarter_of_the_people_in_each_step():
    config, preset = config_of("complete"), keypoints_quick_preset()
    for part in ("model", "loss", "optimizer", "detections", "poses", "mode"):
        assert getattr(config, part) == getattr(preset, part), part
    # As many steps, so that the learning rate rises and falls in the same ones.
    assert config.images / config.data.batch_size == preset.images / preset.data.batch_size
    assert changed(config.data, {"batch_size": preset.data.batch_size}) == preset.data


@pytest.mark.parametrize("left", [None, *ERRORS])
def test_without_all_four_kinds_of_errors_keypoints_are_perfect(left):
    """And not without three of them: each variant leaves out what it says."""
    config = config_of(*(error for error in ERRORS if error != left))
    source = build_source(config, pose_source(*config.poses), 400)
    batch = source.finish(source.prepare(0))
    known = batch.confidence > 0
    # A face that looks away is always hidden, and a hand may always reach beyond the crop.
    below_face = torch.tensor([k for k in range(19) if k not in FACE])
    missing = float((~known[:, below_face]).float().mean())
    off = (batch.detected - batch.keypoints2d).norm(dim=-1)[known]
    assert (missing > 0.05) == (left == "no drop-outs")
    assert bool((off < 1e-3).all()) == (left in (None, "no drop-outs"))
    far = float((off > 0.3).float().mean())
    if left == "no swaps, no outliers":
        assert 0.01 < far < 0.2  # few are off, and these by far
        assert float((off < 1e-3).float().mean()) > 0.8
    elif left == "no definitions":
        assert 0 < float(off.max()) < 0.5
    elif left == "no noise":
        # The box has a side of 2; the middle of 0.3..6 %; the median of a Rayleigh distribution.
        expected = 2 * math.sqrt(0.003 * 0.06) * math.sqrt(2 * math.log(2))
        assert float(off.median()) == pytest.approx(expected, rel=0.15)


def test_each_set_is_of_the_same_people_who_are_given_differently():
    asked = held_out_people(("test-prior",), "lite", 100)
    assert list(asked) == ["", "noisy_", "missing_"]
    perfect, noisy, missing = asked.values()
    for other in (noisy, missing):
        assert torch.equal(other.truth.keypoints3d, perfect.truth.keypoints3d)
    for (places, known), (others, all_known) in zip(perfect.inputs, noisy.inputs, strict=True):
        assert bool(known.all() & all_known.all())
        assert not torch.equal(places, others)
    share = torch.cat([(confidence == 0).float() for _, confidence in missing.inputs]).mean()
    assert float(share) == pytest.approx(0.3, abs=4 * (0.21 / 1900) ** 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["complete", "shared weights"])
def test_a_training_is_measured_as_by_the_command_evaluate(variant):
    measured = run_variant(PARTS, variant, 0, 512, people=40)
    steps = {"complete": 3, "shared weights": 8}[variant]
    assert (measured["trained_steps"], len(measured["steps"])) == (3, steps)
    model = train_pictures(changed(config_of(variant), {"images": 512}))
    sets = sets_for("keypoints", find_test_sets(), load_body("lite"), config_of().data, 40)
    record = evaluate({"network": model}, sets)
    names = ["", "noisy_", "missing_"]
    names += [f"mocap_{name}" for name in names if "test-mocap" in find_test_sets()]
    for name, (scored, rows) in zip(names, record.items(), strict=True):
        for error in ("pa_mpjpe", "mpjpe"):
            said = measured["final"][f"{name}{error}"]
            assert said == pytest.approx(rows["network"][error], rel=1e-3), scored


def test_keypoints_are_measured_on_no_pictures(tmp_path, capsys):
    options = ["--photos", tmp_path / "keypoints.json"]
    message = failing(capsys, "experiment", "lifter-parts", *options)
    assert "lifter-parts trains on no pictures" in message
    other = ["recipe-parts", *options, "--", "--model.encoder", "keypoints"]
    assert "recipe-parts trains on no pictures" in failing(capsys, "experiment", *other)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_records_of_presets_are_whole_and_of_todays_experiments(path):
    record, experiment = read_record(path), EXPERIMENTS[path.stem]
    about = ("claim", "source", "variants", "lab")
    for key in about:
        assert record[key] == json.loads(json.dumps(getattr(experiment, key))), key
    # Options that stand after " -- " in the command join those of the experiment.
    command, _, options = record["command"].partition(" -- ")
    assert record["shared"].items() >= json.loads(json.dumps(experiment.shared)).items()
    for key in record["shared"].keys() - experiment.shared.keys():
        assert f"--{key.replace('_', '-')} {record['shared'][key]}" in options
    tried = [(run["variant"], run["seed"]) for run in record["runs"]]
    seeds = {seed for _, seed in tried}
    assert len(seeds) >= 2
    assert len(tried) == len(set(tried)) == len(seeds) * len(experiment.variants)
    assert f"{command} ".startswith(f"hmr-edu experiment {path.stem} --seeds {len(seeds)} ")
    for run in record["runs"]:
        assert re.fullmatch("[0-9a-f]{12}", run["commit"]), "made from a changed checkout"
        # Recorded poses were found: forecasts are about them, too.
        assert set(experiment.measures) <= set(run["final"])


def test_the_docs_show_every_record_of_a_preset():
    pages = [path.read_text() for path in (Path(__file__).parents[2] / "docs").glob("*.md")]
    shown = re.findall(r"^```\{experiment\} (\S+)$", "\n".join(pages), re.MULTILINE)
    assert {path.stem for path in RECORDED} <= set(shown) <= set(EXPERIMENTS)
