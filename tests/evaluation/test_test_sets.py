"""Test sets: always the same pictures, of poses in their order, from seeds of their own."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.batch import Batch
from hmr_edu.data.poses import real_poses
from hmr_edu.data.poses.mocap import Mocap
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.poses.standing import Standing
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.options import AppearanceConfig
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.evaluation import test_sets as testsets
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix

CONFIG = SyntheticConfig(
    image_size=32, batch_size=8, appearance=AppearanceConfig(scenes=4, outfits=4, heads=4)
)


@pytest.fixture(scope="module")
def body() -> SMPL:
    return load_body("lite")


def same(a: Batch, b: Batch) -> bool:
    mine, other = a.named_tensors(), b.named_tensors()
    return mine.keys() == other.keys() and all(torch.equal(mine[k], other[k]) for k in mine)


def random_mocap(lengths: list[int], seed: int = 0) -> Mocap:
    poses = 0.3 * torch.randn(sum(lengths), 72, generator=torch.Generator().manual_seed(seed))
    clips = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return Mocap(poses, clips, tuple(f"clip {k}" for k in range(len(lengths))), 12.0)


@pytest.fixture
def mocap_file(tmp_path):
    mocap = random_mocap([30, 3, 40])
    path = tmp_path / "mine.npz"
    np.savez(
        path,
        poses=mocap.poses.numpy(),
        clip=mocap.clips.numpy(),
        clip_names=np.array(mocap.clip_names),
        fps=np.array(12),
    )
    return path


@pytest.fixture
def no_mocap(monkeypatch):
    for module in (testsets, real_poses):
        monkeypatch.setattr(module, "find_mocap", lambda name: None)


def test_always_the_same_pictures(body):
    first = testsets.test_set("test-prior", body, CONFIG, 70)
    batches = list(first)
    assert [len(batch) for batch in batches] == [50, 20]
    assert len(first) == 2
    assert batches[0].images.shape[2:] == (32, 32)
    # Again, out of order, and from scratch in a run with other batches.
    assert same(first[1], batches[1])
    assert same(first[0], batches[0])
    other = testsets.test_set("test-prior", body, replace(CONFIG, batch_size=3), 60)
    assert same(other[0], batches[0])
    with pytest.raises(IndexError, match="no number 2"):
        first[2]


def test_other_pictures_than_in_training(body):
    """Not even with the same numbers of run, batch and size does training see a test picture."""
    test = testsets.test_set("test-prior", body, CONFIG, 50)
    config = replace(CONFIG, batch_size=50)
    seen = SyntheticPeople(body, test.batches.poses, config, seed=0)[0]
    assert not torch.isclose(seen.betas, test[0].betas).any(1).all()
    banks = test.batches.config.appearance.seed
    assert banks != CONFIG.appearance.seed


def test_seeds_are_never_those_of_a_run():
    """Runs count seeds and batches from 0; the mean theta takes batches from 2^31."""
    numbers = [*range(100), *range(2**31, 2**31 + 20)]
    runs = {batch_seed(seed, batch) for seed in [*range(50), 2**32 - 1] for batch in numbers}
    held_out = [batch_seed(seed, k) for seed in testsets.SEEDS.values() for k in range(500)]
    assert len(set(held_out)) == len(held_out)
    assert not runs & set(held_out)
    # SeedSequence cuts numbers into 32-bit words and fills up with zeros: the words of a test
    # set's batch 0 are those of batch `upper` of a run, which no run reaches.
    for seed in testsets.SEEDS.values():
        assert seed >> 32 > 2**31 + 2**16


def test_mocap_poses_come_in_order_and_once(body, mocap_file):
    test = testsets.test_set(str(mocap_file), body, CONFIG, 60)
    assert test.name == "mine"
    assert test.source == "mine.npz, 60 of 73 poses"
    list(test)  # the source's position must not matter
    shown = torch.cat([batch.rotations for batch in test])
    expected = axis_angle_to_matrix(test.batches.poses.poses.view(-1, 24, 3))
    torch.testing.assert_close(shown[:, 1:], expected[:, 1:])
    assert len(torch.unique(test.batches.poses.poses, dim=0)) == 60


def test_clips_are_shown_evenly():
    mocap = random_mocap([50, 2, 7, 100, 1])
    chosen = testsets.spread(mocap, 25, seed=3)
    assert len(set(chosen.tolist())) == 25
    counts = Counter(mocap.clips[chosen].tolist())
    assert (counts[1], counts[4]) == (2, 1)
    assert {counts[0], counts[2], counts[3]} <= {7, 8}
    assert torch.equal(chosen, testsets.spread(mocap, 25, seed=3))
    assert not torch.equal(chosen, testsets.spread(mocap, 25, seed=4))
    assert sorted(testsets.spread(mocap, 160, 0).tolist()) == list(range(160))
    # Fewer pictures than clips: no clip twice.
    assert len(set(mocap.clips[testsets.spread(mocap, 4, 0)].tolist())) == 4


def test_what_cannot_be_made_is_said(body, mocap_file, no_mocap):
    with pytest.raises(DataError, match=r"in the folder \$HMR_EDU_MOCAP"):
        testsets.test_set("test-mocap", body, CONFIG)
    with pytest.raises(DataError, match="no test set 'nothing': take test-prior, test-mocap"):
        testsets.test_set("nothing", body, CONFIG)
    with pytest.raises(DataError, match="has 73 poses, ask for at most as many, not 74"):
        testsets.test_set(str(mocap_file), body, CONFIG, 74)
    with pytest.raises(DataError, match="at least 1 image, not 0"):
        testsets.test_set("test-prior", body, CONFIG, 0)
    assert testsets.find_test_sets() == ("test-prior",)


def test_real_poses_without_mocap(no_mocap):
    bank = real_poses.load_real_poses()
    assert len(bank) == real_poses.DRAWS
    assert "prior" in bank.source


@pytest.mark.skipif(testsets.find_mocap("hdm05_poses.npz") is None, reason="HDM05 is not here")
def test_hdm05_shows_every_clip(body):
    test = testsets.test_set("test-mocap", body, CONFIG, 1000)
    mocap = testsets.load_mocap(testsets.find_mocap("hdm05_poses.npz"))
    chosen = testsets.spread(mocap, 1000, testsets.SEEDS["test-mocap"])
    assert torch.equal(test.batches.poses.poses, mocap.poses[chosen])
    counts = np.bincount(mocap.clips[chosen], minlength=len(mocap.clip_names))
    assert counts.min() >= 2
    assert counts.max() <= 4


def test_everyday_people_stand_and_are_not_those_of_training(body):
    test = testsets.test_set("test-everyday", body, CONFIG, 60)
    assert test.name == "test-everyday"
    shown = torch.cat([batch.rotations for batch in test])
    assert len(shown) == 60
    # The lean of the root, whatever the heading and the camera's tilt.
    assert (shown[:, 0, 1, 1].abs() > 0.75).float().mean() > 0.9
    pool, trained_on = test.batches.poses.pool, Standing(load_pose_prior()).pool
    assert not (pool[:50, None] == trained_on[None, :, :]).all(2).any()
    assert testsets.find_test_sets()[-1] in testsets.TEST_SETS  # asked for, never by default


@pytest.mark.skipif(
    testsets.find_mocap("hdm05_poses_knees.npz") is None, reason="HDM05 is not here"
)
def test_the_mended_set_shows_the_same_frames(body):
    first, second = (
        testsets.test_set(n, body, CONFIG, 100) for n in ("test-mocap", "test-mocap-2")
    )
    assert second.name == "test-mocap-2"
    poses = [s.batches.poses.poses.view(100, 24, 3) for s in (first, second)]
    same = [
        j for j, n in enumerate(SMPL_JOINTS) if not n.endswith(("hip", "knee", "ankle", "foot"))
    ]
    assert torch.equal(poses[0][:, same], poses[1][:, same])
    assert not torch.equal(*poses)
