"""Upright and unusual poses, and limbs that are exchanged, looked at as angles and joints."""

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.poses.varied import LIMBS, STRAIGHT_KNEE, Unusual, Upright, exchange, vary
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.setup import pose_source

N = 1000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def joint_angle(pose: torch.Tensor, first: str, middle: str, last: str) -> torch.Tensor:
    """Degrees between two bones in space; 0 where they go on straight."""
    upright = pose.clone()
    upright[:, :3] = 0
    joints = load_body("lite")(torch.zeros(len(pose), 10), upright, vertices=False).joints
    a, b, c = (joints[:, SMPL_JOINTS.index(name)] for name in (first, middle, last))
    cosine = torch.nn.functional.cosine_similarity(b - a, c - b, dim=1)
    return cosine.clamp(-1, 1).acos().rad2deg()


def test_upright_people_have_straight_legs_that_point_down():
    pose = Upright(load_pose_prior()).sample(N, generator())
    drawn = load_pose_prior().sample(N, generator())
    for side in ("left", "right"):
        knee = joint_angle(pose, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        # The knee of the body at rest is bent by a few degrees itself.
        rest = joint_angle(
            torch.zeros(1, 72), f"{side}_hip", f"{side}_knee", f"{side}_ankle"
        ).item()
        assert knee.max() < STRAIGHT_KNEE + rest + 1
        before = joint_angle(drawn, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        assert before.median() > 1.5 * knee.median()
    legs = [j for limb in ("left_leg", "right_leg") for j in LIMBS[limb][:2]]
    others = [j for j in range(1, 24) if j not in legs]
    assert not torch.equal(pose.view(N, 24, 3)[:, legs], drawn.view(N, 24, 3)[:, legs])
    assert pose.view(N, 24, 3)[:, others].std() > 0.1  # the upper body is the prior's


def test_unusual_people_are_within_the_joints_limits_and_farther_out():
    prior = load_pose_prior()
    pose = Unusual(prior).sample(N, generator())
    body = pose[:, 3:]
    assert ((body >= prior.low - 1e-6) & (body <= prior.high + 1e-6)).all()
    ordinary = prior.sample(N, generator())
    assert prior.log_prob(pose).median() < prior.log_prob(ordinary).median() - 5
    turn = axis_angle_to_matrix(pose[:, :3])[:, 1, 1]  # the cosine of the lean
    assert (turn < 0.5).float().mean() > 0.05  # some lie


@pytest.mark.parametrize("limb", LIMBS)
def test_exchange_gives_whole_limbs_of_others_and_nothing_else(limb):
    pose = torch.arange(50.0)[:, None].expand(50, 72).contiguous()
    mixed = exchange(pose, LIMBS[limb], 0.5, generator()).view(50, 24, 3)
    assert torch.equal(pose, torch.arange(50.0)[:, None].expand(50, 72))  # the input is not changed
    given = mixed[:, LIMBS[limb]]
    assert (given == given[:, :1, :1]).all()  # all of it is one person's
    others = [j for j in range(24) if j not in LIMBS[limb]]
    assert torch.equal(mixed[:, others], pose.view(50, 24, 3)[:, others])
    assert 10 < (given[:, 0, 0] != torch.arange(50.0)).sum() < 40
    assert torch.equal(exchange(pose, LIMBS[limb], 0.0, generator()), pose)


def test_vary_leaves_the_roots_and_disturbs_half_of_the_people():
    pose = torch.zeros(4000, 72)
    varied = vary(pose, generator())
    assert (varied[:, :3] == 0).all()
    moved = (varied[:, 3:] != 0).all(1)
    assert 0.46 < moved.float().mean() < 0.54
    assert varied[moved, 3:].std().rad2deg().item() == pytest.approx(3.4, rel=0.03)


def test_sources_by_name():
    for name, kind in (("upright", Upright), ("unusual", Unusual)):
        assert isinstance(pose_source(name), kind)
        first, second = (pose_source(name).sample(8, generator(5)) for _ in range(2))
        assert torch.equal(first, second)
