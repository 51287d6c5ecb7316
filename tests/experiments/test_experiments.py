"""Experiments: what the variants change, what is measured, records that survive, their tables."""

import dataclasses
import json
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.commands import failing

from hmr_edu.body import load_body
from hmr_edu.camera import perspective, weak_from_perspective
from hmr_edu.cli import main
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.discriminator import Discriminator
from hmr_edu.experiments import runner
from hmr_edu.experiments.cameras import apply_camera, box_of, fill_box
from hmr_edu.experiments.claims.catalogue import EXPERIMENTS
from hmr_edu.experiments.critics import build_critics
from hmr_edu.experiments.design import Forecast, changed, differences
from hmr_edu.experiments.image_lab import picture_config
from hmr_edu.experiments.keypoint_lab import LiftConfig, train_lifter
from hmr_edu.experiments.laboratories import base_config, run_variant
from hmr_edu.experiments.measures import beyond_limits, leaning_error
from hmr_edu.experiments.people import draw_people
from hmr_edu.experiments.results_table import TITLES, markdown, table, values
from hmr_edu.experiments.runner import read_record, run_experiment
from hmr_edu.experiments.verdicts import verdict
from hmr_edu.hmr import predict_bodies
from hmr_edu.io.errors import DataError
from hmr_edu.regressor import RegressionStep
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import mean_theta


def test_a_change_leaves_its_base_alone_and_must_exist():
    base = LiftConfig()
    other = changed(base, {"loss.steps": "last", "hidden": 8})
    assert (other.loss.steps, other.hidden) == ("last", 8)
    assert (base.loss.steps, base.hidden) == ("all", 256)
    for wrong in ("loss.stepz", "lozz.steps", "hidden.more"):
        with pytest.raises(ValueError, match=wrong):
            changed(base, {wrong: 1})


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda e: e.name)
def test_variants_differ_from_each_other_in_what_they_say(experiment):
    configs = [
        asdict(changed(base_config(experiment, None, 0), change))
        for change in experiment.variants.values()
    ]
    assert all(a != b for i, a in enumerate(configs) for b in configs[:i])
    assert set(experiment.measures) <= set(TITLES)


def test_differences_are_the_changes():
    base = picture_config()
    changes = {"loss.steps": "last", "data.appearance.clutter": 0.25, "poses": ("bent",)}
    assert differences(base, changed(base, changes)) == changes
    assert differences(base, base) == {}


def test_people_who_lean_count_each():
    groups = {"0 to 10": (8, 100.0), "20 to 35": (4, 90.0), "35 to 60": (1, 130.0)}
    groups["60 to 180"] = (3, 150.0)
    by_lean = {name: {"people": n, "pa_mpjpe": error} for name, (n, error) in groups.items()}
    assert leaning_error({"by_lean": by_lean}) == {"leaning_pa_mpjpe": (130 + 3 * 150) / 4}
    assert leaning_error({"by_lean": {"0 to 10": by_lean["0 to 10"]}}) == {}


def test_experiments_are_listed(capsys):
    assert main(["experiment", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)


def test_unknown_experiment(capsys):
    message = failing(capsys, "experiment", "shared-wieghts")
    assert "'shared-wieghts'" in message
    assert "shared-weights" in message
    assert len(message.splitlines()) == 1


# ---------------------------------------------------------------- what is varied


def test_critics_without_relu_judge_each_joint_by_an_affine_function():
    torch.manual_seed(0)
    R = axis_angle_to_matrix(torch.randn(3, 8, 23, 3, dtype=torch.float64))
    betas = torch.zeros(8, 10, dtype=torch.float64)
    for relu, affine in ((True, False), (False, True)):
        critics, _ = build_critics("factorized", 16, relu)
        critics.double()
        joints = [critics(R[0] * a + R[1] * b, betas)[:, :23] for a, b in ((1, 0), (0, 1), (2, -1))]
        residual = (2 * joints[0] - joints[1] - joints[2]).abs().max()
        assert (residual < 1e-12) == affine


@pytest.mark.parametrize("kind", ["factorized", "joints", "full pose", "one big"])
def test_all_kinds_of_critics_weigh_the_same(kind):
    critics, heard = build_critics(kind, 16)
    scores = critics(torch.eye(3).expand(5, 23, 3, 3), torch.zeros(5, 10))
    assert scores.shape == (5, len(heard))
    assert float(heard.sum()) == pytest.approx(19)  # lesson 05: 25 critics, 6 of them muted
    if kind in ("joints", "full pose"):
        assert isinstance(critics, Discriminator)
        assert (heard[23] == 0) == (kind == "joints")


def test_a_body_fills_its_box():
    people = draw_people(20, 3, (0.05, 0.05), 0.0)
    box = box_of(people.labels.keypoints2d)
    camera = fill_box(people.labels.keypoints3d, box)
    # From afar the box says what the labels' own camera says.
    torch.testing.assert_close(camera, people.labels.camera, atol=0.03, rtol=0)


def test_a_pinhole_of_known_focal_length_has_no_unavoidable_error():
    g = torch.Generator().manual_seed(0)
    focal = torch.tensor([1.2, 2.0, 30.0])
    translation = torch.stack((torch.full((3,), 0.1), torch.zeros(3), 1.5 * focal), dim=1)
    theta = mean_theta().repeat(3, 1)
    theta[:, 3:] += 0.1 * torch.randn(3, 82, generator=g)
    theta[:, :3] = weak_from_perspective(translation, focal)
    step = predict_bodies([RegressionStep.from_theta(theta)], load_body("lite"), vertices=False)[0]
    true = perspective(step.keypoints3d, translation, focal)
    box = box_of(true)
    errors = [
        (apply_camera(kind, step, box, focal).keypoints2d - true).abs().amax((1, 2))
        for kind in ("direct", "perspective")
    ]
    assert errors[1].max() < 1e-5
    assert errors[0][0] > 0.05
    assert errors[0][2] < 0.02


def test_limits_count_joints():
    prior = load_pose_prior()
    pose = torch.zeros(3, 72)
    pose[:, 3:] = (prior.low + prior.high) / 2
    pose[1, 3 * 4] = 3.1  # a left knee, bent more than knees bend
    pose[2, 3 * 4 : 3 * 4 + 3] = 3.1  # in every direction: still one joint
    pose[2, 3 * 22] = 3.1  # a hand: nobody measured it
    assert beyond_limits(pose).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"share_weights": False, "relu": False},
        {"mode": "unpaired", "critics": "one big"},
        {"mode": "2d-only", "camera": "box"},
        {"camera": "perspective", "loss.mesh": 1.0},
    ],
    ids=str,
)
def test_every_kind_of_lifter_learns(change):
    config = changed(LiftConfig(people=64, images=64 * 8, batch_size=8, hidden=16), change)
    start = train_lifter(changed(config, {"images": 0}))
    people = draw_people(64, 0, config.inverse_focal, config.noise)

    def error(lifter) -> float:
        with torch.no_grad():
            step = lifter(people)[-1]
        return float((step.keypoints2d - people.labels.keypoints2d).abs().mean())

    assert error(train_lifter(config)) < 0.9 * error(start)
    assert error(train_lifter(config)) == error(train_lifter(config))  # the seed decides


# ---------------------------------------------------------------- records and tables

TINY = EXPERIMENTS["regressor-relu"]


@pytest.fixture
def quick(monkeypatch):
    """Trainings that take no time: the numbers follow from variant and seed."""
    ran = []

    def fake(experiment, variant, seed, images, real):
        ran.append((variant, seed))
        value = 10.0 * len(variant) + seed
        final = dict.fromkeys(TITLES, value)
        return {"variant": variant, "seed": seed, "final": final, "steps": [final]}

    monkeypatch.setattr(runner, "run_variant", fake)
    return ran


def test_only_what_is_missing_is_trained(tmp_path, quick):
    run_experiment(TINY, 1, None, False, tmp_path)
    assert quick == [("ReLU", 0), ("no ReLU", 0)]
    record = run_experiment(TINY, 3, None, True, tmp_path)
    assert quick[2:] == [("ReLU", 1), ("no ReLU", 1), ("ReLU", 2), ("no ReLU", 2)]
    assert json.loads((tmp_path / "regressor-relu.json").read_text()) == record
    assert {run["commit"] for run in record["runs"]} != {None}


def test_a_training_that_fails_leaves_the_others(tmp_path, quick, monkeypatch):
    working = runner.run_variant

    def failing_once(experiment, variant, seed, images, real):
        if (variant, seed) == ("no ReLU", 1):
            raise KeyboardInterrupt
        return working(experiment, variant, seed, images, real)

    monkeypatch.setattr(runner, "run_variant", failing_once)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(TINY, 2, None, False, tmp_path)
    assert len(json.loads((tmp_path / "regressor-relu.json").read_text())["runs"]) == 3
    monkeypatch.setattr(runner, "run_variant", working)
    assert len(run_experiment(TINY, 2, None, True, tmp_path)["runs"]) == 4


def test_records_are_not_overwritten_or_mixed(tmp_path, quick, capsys):
    run = ["experiment", "regressor-relu", "--seeds", "1", "--out", str(tmp_path)]
    assert main(run) == 0
    capsys.readouterr()
    assert "--resume" in failing(capsys, *run)
    assert "other options" in failing(capsys, *run, "--resume", "--images", 99)
    (tmp_path / "regressor-relu.json").write_text("[]")
    assert "not a record" in failing(capsys, *run, "--resume")


def test_a_variant_may_join_and_none_may_change(tmp_path, quick):
    run_experiment(TINY, 1, None, False, tmp_path)
    more = dataclasses.replace(TINY, variants=TINY.variants | {"both": {"hidden": 8}})
    assert len(run_experiment(more, 1, None, True, tmp_path)["runs"]) == 3
    other = dataclasses.replace(TINY, variants=TINY.variants | {"no ReLU": {"hidden": 8}})
    with pytest.raises(DataError, match="other options"):
        run_experiment(other, 1, None, True, tmp_path)


def test_the_table_says_mean_and_spread(tmp_path, quick):
    record = run_experiment(TINY, 3, None, False, tmp_path)
    text = table(record, ("pa_mpjpe", "log_prior"))
    lines = text.splitlines()
    assert len(lines) == 4
    for line, variant in zip(lines[2:], ("ReLU", "no ReLU"), strict=True):
        numbers = [10.0 * len(variant) + seed for seed in range(3)]
        assert statistics.stdev(numbers) == np.std(numbers, ddof=1) == 1.0
        assert line.split("  ")[0] == variant
        assert f"{np.mean(numbers):.1f} ± 1.0" in line
        assert line.endswith(f"{np.mean(numbers):.0f} ± 1")
    assert markdown(record, ("pa_mpjpe", "log_prior")).splitlines() == [
        "|  | PA-MPJPE mm | log prior nats |",
        "|---|---|---|",
        "| ReLU | 41.0 ± 1.0 | 41 ± 1 |",
        "| no ReLU | 71.0 ± 1.0 | 71 ± 1 |",
    ]
    del record["runs"][0]["final"]["log_prior"]
    assert "log prior" not in table(record, ("pa_mpjpe", "log_prior"))  # not of every run
    one = run_experiment(EXPERIMENTS["camera"], 1, None, False, tmp_path)
    assert "± 0.0" in table(one, ("pa_mpjpe",))


def test_a_run_is_measured_at_its_answer_and_at_every_step(monkeypatch):
    result = run_variant(EXPERIMENTS["number-of-steps"], "2", 0, 64, people=20)
    assert (result["trained_steps"], len(result["steps"])) == (2, 8)
    for name in ("pa_mpjpe", "mpjpe", "beyond_limits", "log_prior"):
        assert result["steps"][1][name] == result["final"][name]
    assert result["steps"][2]["pa_mpjpe"] != result["final"]["pa_mpjpe"]
    others = ("mocap_", "photos_", "views_", "noisy_", "missing_")
    elsewhere = {name for name in TITLES if name.startswith(others)}
    # Nobody of so few may lean.
    assert set(TITLES) - elsewhere - {"leaning_pa_mpjpe"} <= set(result["final"])
    assert result["truth"]["beyond_limits"] < 0.1


@pytest.mark.slow
def test_pictures_are_learnt_from_and_measured():
    small = run_variant(EXPERIMENTS["steps-pictures"], "one step", 0, 64, people=20)
    assert (small["images"], small["trained_steps"], len(small["steps"])) == (64, 1, 1)
    assert 50 < small["final"]["pa_mpjpe"] < 400


@pytest.mark.slow
def test_a_killed_experiment_goes_on(tmp_path):
    run = [sys.executable, "-m", "hmr_edu.cli", "experiment", "regressor-relu", "--seeds", "2"]
    run += ["--images", "640", "--resume", "--out", str(tmp_path)]
    path = tmp_path / "regressor-relu.json"
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not path.exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = json.loads(path.read_text())["runs"]  # whole, whatever was going on
    assert 1 <= len(before) <= 4
    out = subprocess.run(run, capture_output=True, text=True, check=True)
    after = json.loads(path.read_text())["runs"]
    assert after[: len(before)] == before
    assert [(r["variant"], r["seed"]) for r in after] == [
        ("ReLU", 0),
        ("no ReLU", 0),
        ("ReLU", 1),
        ("no ReLU", 1),
    ]
    assert "PA-MPJPE" in out.stdout


# ---------------------------------------------------------------- verdicts


def a_record(better: list[float], worse: list[float]) -> dict:
    runs = [
        {"variant": name, "seed": seed, "final": {"pa_mpjpe": value}, "steps": [{"pa_mpjpe": -1.0}]}
        for name, column in (("a", better), ("b", worse))
        for seed, value in enumerate(map(float, column))
    ]
    return {"variants": {"a": {}, "b": {}}, "runs": runs}


@pytest.mark.parametrize(
    ("better", "worse", "strictly", "no_more"),
    [
        ([80, 81, 82], [90, 91.5, 92], "yes", "yes"),
        ([90, 91, 92], [80, 81.5, 82], "no", "no"),
        ([80, 90, 85], [85, 86, 87], "open", "open"),
        ([80, 81, 82], [80.1, 80.9, 82.0], "open", "yes"),  # within 2 %
        ([82, 82, 81], [80, 77, 80], "open", "open"),  # worse, if seeds can be trusted
        ([80, 80, 80], [81, 84, 90], "open", "open"),  # better, if so
        ([80], [90], "open", "open"),
    ],
)
def test_a_verdict_is_a_paired_t_test(better, worse, strictly, no_more):
    record = a_record(better, worse)
    assert verdict(record, Forecast("", "a", "b")) == strictly
    assert verdict(record, Forecast("", "a", "b", relation="<=")) == no_more
    if len(better) > 1:
        p = scipy.stats.ttest_rel(better, worse).pvalue
        assert (p < 0.05) == (strictly != "open")


def test_a_verdict_may_speak_of_a_step():
    record = a_record([80, 81, 82], [90, 91.5, 92])
    assert values(record, "a @ 1", "pa_mpjpe") == [-1, -1, -1]
    assert verdict(record, Forecast("", "a @ 1", "b")) == "yes"


def test_forecasts_are_about_what_is_measured():
    for experiment in EXPERIMENTS.values():
        for forecast in experiment.predicts:
            for side in (forecast.better, forecast.worse):
                assert side.partition(" @ ")[0] in experiment.variants, experiment.name
            assert forecast.measure in TITLES
            # More of these is better: a forecast of less would be upside down.
            assert forecast.measure not in ("log_prior", "pck2d")


@pytest.mark.parametrize("content", ['{"runs": [{}]}', '{"runs": [3]}', '{"runs": [{"seed": 0}]}'])
def test_a_record_of_something_else_is_named(tmp_path, content):
    path = tmp_path / "camera.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"camera\.json: not a record"):
        read_record(path)
