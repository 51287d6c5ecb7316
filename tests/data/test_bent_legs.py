"""Drawn-up legs, looked at as joints in space: where thighs and shins really point."""

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.bent_legs import BentLegs
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.training.setup import pose_source

N = 4000


@pytest.fixture(scope="module")
def poses():
    """Return draws, [N, 72]."""
    return BentLegs(load_pose_prior()).sample(N, torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def legs(poses):
    """Return unit vectors along thigh and shin, {side: ([N, 3], [N, 3])}; the pelvis upright."""
    upright = poses.clone()
    upright[:, :3] = 0
    joints = load_body("lite")(torch.zeros(N, 10), upright, vertices=False).joints

    def bone(side, start, end):
        start, end = (joints[:, SMPL_JOINTS.index(f"{side}_{name}")] for name in (start, end))
        return torch.nn.functional.normalize(end - start, dim=1)

    return {
        side: (bone(side, "hip", "knee"), bone(side, "knee", "ankle")) for side in ("left", "right")
    }


def test_everybody_draws_up_a_leg(legs):
    """Forward is +z; 20 degrees of flexion are 0.34, less where the thigh also goes outwards."""
    forward = [thigh[:, 2] for thigh, _ in legs.values()]
    assert (torch.maximum(*forward) > 0.1).float().mean() > 0.99
    # Both thighs go forwards for most people, half or more of the way for many.
    assert (torch.minimum(*forward) > 0.2).float().mean() > 0.6
    assert (torch.maximum(*forward) > 0.8).float().mean() > 0.4
    # High kicks: the knee above the hip.
    assert 0.1 < (torch.maximum(*(t[:, 1] for t, _ in legs.values())) > 0.2).float().mean() < 0.5


def test_knees_bend_backwards_and_thighs_go_outwards(legs, poses):
    for side, outwards in (("left", 1), ("right", -1)):
        thigh, shin = legs[side]
        knee = poses[:, 3 * SMPL_JOINTS.index(f"{side}_knee") :][:, :3]
        # A hinge about x at a rested leg: the angle between the bones is the angle of the joint.
        bent = knee[:, 1:].abs().amax(1) == 0
        assert bent.float().mean() > 0.7
        assert (knee[bent, 0] >= 0).all()
        assert knee[bent, 0].max().rad2deg() <= 145
        # The shin lies behind the thigh: their cross product points to the left, +x, of a
        # leg that is not abducted, whichever way it is lifted.
        straight_ahead = bent & (thigh[:, 0].abs() < 0.2) & (knee[:, 0] > 0.5)
        hinge = torch.linalg.cross(thigh, shin)[straight_ahead]
        assert (hinge[:, 0] > 0).float().mean() > 0.98
        assert (outwards * thigh[:, 0]).mean() > 0.15


def test_both_sides_are_treated_alike(legs):
    left, right = legs["left"][0], legs["right"][0]
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(left.mean(0), right.mean(0) * mirror, atol=0.03)
    assert torch.allclose(left.std(0), right.std(0), atol=0.03)


def test_what_is_above_the_hips_is_the_priors(poses):
    drawn = load_pose_prior().sample(N, torch.Generator().manual_seed(0), recline=0.2)
    arms = [3 * SMPL_JOINTS.index(f"{side}_elbow") for side in ("left", "right")]
    for arm in arms:
        assert torch.equal(poses[:, arm : arm + 3], drawn[:, arm : arm + 3])
    spine = 3 * SMPL_JOINTS.index("spine2")
    stoop = (poses - drawn)[:, spine].rad2deg()
    assert (stoop >= -1e-3).all()
    assert stoop.max() <= 20 + 1e-3
    assert 0.25 < (stoop > 1e-3).float().mean() < 0.35


def test_it_is_named_bent_and_follows_from_the_generator(poses):
    again = pose_source("bent").sample(N, torch.Generator().manual_seed(0))
    assert torch.equal(again, poses)
    assert len(pose_source("bent").sample(0, torch.Generator())) == 0
