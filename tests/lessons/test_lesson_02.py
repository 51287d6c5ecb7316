"""Lesson 2: its own functions against the package and smplx."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_code import definitions
from helpers.toy_body import toy_body

from hmr_edu.body import SMPL, load_body, read_body
from hmr_edu.body.peer import smplx_layer
from hmr_edu.body.smpl import forward_kinematics
from hmr_edu.keypoints import SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.shading import shade

LESSON = Path(__file__).parents[2] / "notebooks" / "02_smpl.ipynb"
NAMES = (
    *("shape_blend", "regress", "pose_feature", "global_transforms", "skinning", "smpl"),
    *("turn_the_world", "from_official"),
)


@pytest.fixture(scope="module")
def lesson():
    return definitions(LESSON, *NAMES)


def draw(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    numbers = torch.randn(n, 82, generator=g, dtype=torch.float64)
    return 2 * numbers[:, :10], 0.7 * numbers[:, 10:]


@pytest.mark.parametrize("make", [toy_body, lambda: read_body("lite")], ids=["toy", "lite"])
def test_the_lesson_is_the_package_and_smplx(lesson, make):
    body = make()
    layer = SMPL(body).double()
    betas, pose = draw(3)
    R = axis_angle_to_matrix(pose.view(3, 24, 3))
    vertices, joints = lesson["smpl"](layer, betas, R)
    output = layer(betas, R)
    torch.testing.assert_close(vertices, output.vertices, rtol=0, atol=1e-6)
    torch.testing.assert_close(joints, output.joints, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        lesson["regress"](layer.keypoint_regressor, vertices), output.keypoints, rtol=0, atol=1e-6
    )
    peer = smplx_layer(body, 3, torch.float64)
    if peer is None:
        pytest.skip("smplx is not installed")
    theirs = peer(betas=betas, global_orient=R[:, :1], body_pose=R[:, 1:], pose2rot=False)
    torch.testing.assert_close(vertices, theirs.vertices, rtol=0, atol=1e-12)
    torch.testing.assert_close(joints, theirs.joints[:, :24], rtol=0, atol=1e-12)


def test_the_tree_is_the_package_s(lesson):
    R = axis_angle_to_matrix(draw(4, 1)[1].view(4, 24, 3))
    J = torch.randn(4, 24, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    G = lesson["global_transforms"](R, J, SMPL_PARENTS)
    R_global, t = forward_kinematics(R, J)
    torch.testing.assert_close(G[..., :3], R_global)
    torch.testing.assert_close(G[..., 3], t)


def test_turning_the_world_turns_the_body(lesson):
    layer = load_body("lite").double()
    betas, pose = draw(2, 3)
    R = axis_angle_to_matrix(pose.view(2, 24, 3))
    turn = axis_angle_to_matrix(torch.tensor([0.3, 2.0, -1.0], dtype=torch.float64))
    t = torch.tensor([[0.5, -1.0, 3.0], [0.0, 0.2, 0.0]], dtype=torch.float64)
    before = layer(betas, R)
    turned = R.clone()
    turned[:, 0] = turn @ R[:, 0]
    new = lesson["turn_the_world"](turn, t, before.joints[:, 0])
    after = layer(betas, turned).vertices + new[:, None]
    torch.testing.assert_close(after, (before.vertices + t[:, None]) @ turn.T, rtol=0, atol=1e-6)


def test_official_arrays_become_a_body(lesson):
    from scipy import sparse

    body = read_body("lite")
    official = {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": np.concatenate([body.shapedirs, np.ones((2102, 3, 290))], axis=2),
        "posedirs": body.posedirs.astype(np.float64),
        "J_regressor": sparse.csc_matrix(body.J_regressor),
        "weights": body.weights.astype(np.float64),
        "kintree_table": np.stack([body.parents, np.arange(24)]).astype(np.uint32),
        "f": body.faces.astype(np.uint32),
    }
    for regressor in (official["J_regressor"], body.J_regressor):
        made = lesson["from_official"](official | {"J_regressor": regressor}, np.eye(19, 2102))
        for name in ("v_template", "faces", "shapedirs", "posedirs", "weights", "parents"):
            np.testing.assert_array_equal(getattr(made, name), getattr(body, name))
        np.testing.assert_array_equal(made.J_regressor, body.J_regressor)


def test_a_body_can_be_shaded_in_a_colour_per_vertex():
    layer = load_body("lite")
    seen = layer.v_template * torch.tensor([1.0, -1.0, -1.0])
    one = np.tile(np.array([0.2, 0.4, 0.6]), (len(seen), 1))
    even = shade(seen, layer.faces, (0.9, 0.0, -0.38), 64, "#336699")
    painted = shade(seen, layer.faces, (0.9, 0.0, -0.38), 64, one)
    assert np.abs(even.astype(int) - painted.astype(int)).max() <= 1
    half = one * (layer.v_template[:, :1].numpy() > 0)
    dark = shade(seen, layer.faces, (0.9, 0.0, -0.38), 64, half)
    # The body's left, at the right of the picture, keeps its colour.
    assert dark[:, 36:, 2].max() > dark[:, :28, 2].max() + 50
