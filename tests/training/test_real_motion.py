"""From files of motion to a training run: import, fit a prior, train on either."""

import json

import pytest
import torch
from helpers.motion_files import known_motion, write_deepmimic
from helpers.small_run import small

from hmr_edu.cli import main
from hmr_edu.data.poses.mocap import load_mocap
from hmr_edu.data.poses.prior import is_pose_prior, load_pose_prior
from hmr_edu.io.errors import DataError
from hmr_edu.training.complete_run import run
from hmr_edu.training.setup import pose_source


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A mocap file of made-up clips, and the prior that is fitted to it, by the two commands."""
    folder = tmp_path_factory.mktemp("fitted")
    for seed in range(3):
        write_deepmimic(folder / f"clip{seed}.txt", known_motion(120, seed=seed))
    poses, prior = folder / "poses.npz", folder / "mine.npz"
    options = ["--fps", "30", "--tolerance", "0.5"]
    assert main(["mocap", "import", str(folder), "-o", str(poses), *options]) == 0
    assert main(["mocap", "fit-prior", "--poses", str(poses), "--out", str(prior)]) == 0
    return poses, prior


def test_a_prior_is_told_from_mocap(fitted, tmp_path):
    poses, prior = fitted
    assert is_pose_prior(prior)
    assert not is_pose_prior(poses)
    (tmp_path / "text.npz").write_text("no archive")
    assert not is_pose_prior(tmp_path / "text.npz")
    assert not is_pose_prior(tmp_path / "nothing.npz")


def test_training_draws_from_the_prior_of_a_file(fitted):
    poses, prior = fitted

    def draw(source):
        return source.sample(20, torch.Generator().manual_seed(3))

    assert torch.equal(draw(pose_source(str(prior))), draw(load_pose_prior(prior)))
    assert not torch.equal(draw(pose_source(str(prior))), draw(load_pose_prior()))
    assert torch.equal(draw(pose_source(str(poses))), draw(load_mocap(poses).both_ways()))


def test_the_fitted_prior_knows_its_motion(fitted):
    poses, prior = fitted
    recorded = load_mocap(poses).poses
    assert (
        load_pose_prior(prior).log_prob(recorded).mean()
        > load_pose_prior().log_prob(recorded).mean()
    )


@pytest.mark.slow
def test_a_run_with_real_bodies_of_a_prior(fitted, tmp_path):
    source = str(fitted[1])
    config = small(tmp_path, poses=(source,), mode="unpaired", images=16)
    run(config)
    record = json.loads((tmp_path / "small" / "config.json").read_text())
    assert record["poses"] == [source]
    assert "adversary" in (tmp_path / "small" / "metrics.jsonl").read_text()


def test_a_damaged_prior_is_named(fitted, tmp_path):
    import numpy as np

    with np.load(fitted[1]) as archive:
        arrays = dict(archive)
    arrays["means"] = arrays["means"][:, :5]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=r"bad\.npz"):
        pose_source(str(tmp_path / "bad.npz"))
