"""Lesson 10: its inline code against the package and against the laws that it claims."""

import math
from pathlib import Path

import pytest
import torch
from helpers.lesson_code import definitions
from scipy.spatial.transform import Rotation

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.crop import camera_out_of_box, into_box, visible_box
from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix

LESSON = Path(__file__).parents[2] / "notebooks" / "10_only_keypoints.ipynb"
NAMES = (
    "shortest_turn",
    "world_rotations",
    "reflected",
    "Block",
    "ReadsKeypoints",
    "LIMBS",
    "without",
    "into_the_box",
    "out_of_box",
    "pretend",
)


@pytest.fixture(scope="module")
def lesson():
    found = definitions(LESSON, *NAMES)
    found["body"] = load_body("lite")
    return found


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def people(seed=0):
    """Keypoints in pixels and confidences, some of them 0 with NaN in their place."""
    confidence = torch.rand(6, 19, generator=torch.Generator().manual_seed(seed))
    confidence = torch.where(confidence < 0.4, 0.0, confidence)
    places = 200 + 50 * randn(6, 19, 2, seed=seed)
    return torch.where(confidence[..., None] > 0, places, torch.nan), confidence


def test_the_box_is_the_package_s(lesson):
    places, confidence = people()
    mine, box = lesson["into_the_box"](places, confidence)
    torch.testing.assert_close(box, visible_box(places, confidence))
    known = (confidence > 0)[..., None]
    torch.testing.assert_close(mine, torch.where(known, into_box(places, box), 0.0))


def test_the_encoder_is_the_package_s(lesson):
    torch.manual_seed(0)
    theirs = KeypointEncoder(width=3)
    mine = lesson["ReadsKeypoints"](3)
    mine.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(mine(*people()), theirs(*people()).vector)


def test_the_camera_is_the_package_s(lesson):
    camera = torch.cat([0.5 + torch.rand(4, 1), randn(4, 2)], 1)
    box = torch.cat([100 * randn(4, 2, seed=1), 30 + torch.rand(4, 1)], 1)
    torch.testing.assert_close(lesson["out_of_box"](camera, box), camera_out_of_box(camera, box))


def test_the_shortest_turn_is_scipy_s(lesson):
    for seed in range(5):
        a, b = randn(2, 3, seed=seed).double()
        R = lesson["shortest_turn"](a, b)
        unit = b / b.norm() * a.norm()
        torch.testing.assert_close(R @ a, unit)
        angle = Rotation.from_matrix(R.numpy()).magnitude()
        assert math.isclose(angle, math.acos(float(a @ b / a.norm() / b.norm())), abs_tol=1e-6)
    torch.testing.assert_close(lesson["shortest_turn"](a, 2 * a), torch.eye(3).double())


@pytest.mark.parametrize("limb", [("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")])
def test_a_reflected_bone_has_the_same_picture_and_the_other_depth(lesson, limb):
    R = axis_angle_to_matrix(0.4 * randn(24, 3, seed=2))
    start, end, beyond = (SMPL_JOINTS.index(f"left_{joint}") for joint in limb)
    bodies = torch.stack([R, lesson["reflected"](R, start, end)])
    before, after = lesson["body"](torch.zeros(2, 10), bodies, vertices=False).joints
    camera = torch.tensor([[0.9, 0.1, 0.2]])
    pictures = [weak_perspective(joints[None], camera) for joints in (before, after)]
    torch.testing.assert_close(*pictures, atol=1e-5, rtol=0)
    bone, other = (joints[end] - joints[start] for joints in (before, after))
    torch.testing.assert_close(other, bone * torch.tensor([1.0, 1.0, -1.0]), atol=1e-5, rtol=0)
    # What is beyond it moves along, and does not turn.
    beyond_bone, beyond_other = (joints[beyond] - joints[end] for joints in (before, after))
    torch.testing.assert_close(beyond_other, beyond_bone, atol=1e-5, rtol=0)


def test_a_pretended_detector_is_off_by_what_it_says(lesson):
    places, noise = 100 * randn(1, 19, 2), randn(4000, 19, 2, seed=1)
    confidence = torch.linspace(0.1, 1, 19).expand(4000, -1)
    found = lesson["pretend"](places.expand(4000, -1, -1), confidence, noise, 0.04)
    side = (places.amax(1) - places.amin(1)).max()
    spread = (found - places).std(dim=(0, 2)) / side
    torch.testing.assert_close(spread, -0.04 * confidence[0].log(), atol=1e-3, rtol=0.05)


def test_a_limb_that_is_left_out_has_no_confidence(lesson):
    sure = torch.ones(2, 19)
    for name, joints in lesson["LIMBS"].items():
        left = lesson["without"](sure, name)
        gone = {COCOPLUS[k] for k in range(19) if not left[0, k]}
        assert gone == set(joints)
