"""Stances, measured on the joints of the body in space: bends, leans, heights, and limits."""

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.training.setup import pose_source

N = 1500
STANCES = ("standing",)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def drawn() -> dict[str, torch.Tensor]:
    """Return draws of every stance, [N, 72]."""
    return {name: pose_source(name).sample(N, generator()) for name in STANCES}


@pytest.fixture(scope="module")
def places(drawn) -> dict[str, dict[str, torch.Tensor]]:
    """Return the joints of the draws in the world, by name: [N, 3]."""
    body = load_body("lite")
    found = {}
    for name, pose in drawn.items():
        joints = body(torch.zeros(N, 10), pose, vertices=False).joints
        found[name] = dict(zip(SMPL_JOINTS, joints.unbind(1), strict=True))
    return found


def bend(joints: dict[str, torch.Tensor], side: str, *names: str) -> torch.Tensor:
    """Degrees between two bones in space; 0 where they go on straight."""
    a, b, c = (joints[f"{side}_{name}"] for name in names)
    cosine = torch.nn.functional.cosine_similarity(b - a, c - b, dim=1)
    return cosine.clamp(-1, 1).acos().rad2deg()


def lean(joints: dict[str, torch.Tensor]) -> torch.Tensor:
    """Degrees between the trunk, from pelvis to neck, and the vertical."""
    trunk = torch.nn.functional.normalize(joints["neck"] - joints["pelvis"], dim=1)
    return trunk[:, 1].clamp(-1, 1).acos().rad2deg()


@pytest.mark.parametrize("name", STANCES)
def test_joints_keep_their_limits_and_draws_follow_from_the_generator(name, drawn):
    prior = load_pose_prior()
    body = drawn[name][:, 3:]
    assert ((body >= prior.low - 1e-4) & (body <= prior.high + 1e-4)).all()
    assert drawn[name].isfinite().all()
    few = [pose_source(name).sample(9, generator(seed)) for seed in (5, 5, 6)]
    assert torch.equal(few[0], few[1])
    assert not torch.equal(few[0], few[2])
    assert pose_source(name).sample(0, generator()).shape == (0, 72)


def test_standing_people_have_straight_knees_and_upright_trunks(places):
    joints = places["standing"]
    knees = torch.cat([bend(joints, side, "hip", "knee", "ankle") for side in ("left", "right")])
    assert 0.75 < (knees < 25).float().mean() < 0.95
    assert knees.median() < 15
    assert lean(joints).median() < 12
    for side in ("left", "right"):
        assert (joints["head"][:, 1] > joints[f"{side}_ankle"][:, 1] + 1).all()
        # One foot bears every person: the lower ankle is where a sole could be.
    ankles = torch.stack([joints[f"{side}_ankle"][:, 1] for side in ("left", "right")])
    assert ((ankles[0] - ankles[1]).abs() < 0.03).float().mean() > 0.7
    # The feet are level: the toes are 5 cm below the ankle in the body at rest, too.
    drop = torch.stack(
        [(joints[f"{s}_ankle"] - joints[f"{s}_foot"])[:, 1] for s in ("left", "right")]
    )
    assert ((drop - 0.05).abs() < 0.015).float().mean() > 0.7
