"""The SMPL layer against smplx on the same arrays, and against what must hold for any body."""

import dataclasses
import math

import jaxtyping
import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from hypothesis import given, settings
from hypothesis import strategies as st

from hmr_edu.body import SMPL, load_body, read_body
from hmr_edu.body.peer import smplx_layer
from hmr_edu.body.smpl import KINEMATIC_LEVELS
from hmr_edu.keypoints import SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix

BODIES = {"toy": toy_body, "lite": lambda: read_body("lite"), "full": lambda: read_body("full")}


def smplx_peer(body, batch):
    pytest.importorskip("smplx")
    return smplx_layer(body, batch, torch.float64)


def draw(batch, seed, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    betas = torch.randn(batch, 10, generator=g, dtype=torch.float64) * 2
    pose = torch.randn(batch, 72, generator=g, dtype=torch.float64) * 0.6
    pose[:, :3] *= 4  # roots all around the sphere
    return betas.to(dtype), pose.to(dtype)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-7)])
def test_agrees_with_smplx(name, dtype, tolerance):
    body = BODIES[name]()
    betas, pose = draw(6, seed=3, dtype=torch.float64)
    peer = smplx_peer(body, 6)
    theirs = peer(betas=betas, body_pose=pose[:, 3:], global_orient=pose[:, :3])
    ours = SMPL(body).to(dtype)(betas.to(dtype), pose.to(dtype))
    # smplx's Rodrigues adds 1e-8 to the axis: equal to 1e-7, never exactly.
    assert (ours.vertices - theirs.vertices).abs().max() < tolerance
    assert (ours.joints - theirs.joints[:, :24]).abs().max() < tolerance


@pytest.mark.parametrize("name", BODIES)
def test_keypoints_only_is_the_same(name):
    layer = SMPL(BODIES[name]())
    betas, pose = draw(4, seed=1)
    whole, part = layer(betas, pose), layer(betas, pose, vertices=False)
    assert part.vertices is None
    torch.testing.assert_close(part.keypoints, whole.keypoints, rtol=0, atol=2e-6)
    torch.testing.assert_close(part.joints, whole.joints, rtol=0, atol=0)
    by_hand = torch.einsum("kv,nvc->nkc", layer.keypoint_regressor, whole.vertices)
    torch.testing.assert_close(whole.keypoints, by_hand, rtol=0, atol=2e-6)


def test_rest_pose_is_the_shaped_template():
    layer = load_body("lite")
    betas, _ = draw(3, seed=0)
    output = layer(betas, torch.zeros(3, 72))
    shaped = layer.v_template + torch.einsum("vck,nk->nvc", layer.shapedirs, betas)
    torch.testing.assert_close(output.vertices, shaped, rtol=0, atol=1e-6)
    joints = torch.einsum("jv,nvc->njc", layer.J_regressor, shaped)
    torch.testing.assert_close(output.joints, joints, rtol=0, atol=1e-6)


def test_axis_angle_and_matrices_are_the_same_pose():
    layer = load_body("lite")
    betas, pose = draw(3, seed=5)
    matrices = axis_angle_to_matrix(pose.view(3, 24, 3))
    torch.testing.assert_close(layer(betas, pose).vertices, layer(betas, matrices).vertices)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_root_turns_the_body_about_its_pelvis(seed):
    layer = load_body("lite").double()
    betas, pose = draw(1, seed, torch.float64)
    still = pose.clone()
    still[:, :3] = 0
    R = axis_angle_to_matrix(pose[:, :3])
    moved, unmoved = layer(betas, pose), layer(betas, still)
    pelvis = unmoved.joints[:, :1]
    expected = (unmoved.vertices - pelvis) @ R.transpose(1, 2) + pelvis
    # The stored float32 weights sum to 1 within 1e-7 only, and the pelvis moves with the rest.
    torch.testing.assert_close(moved.vertices, expected, rtol=0, atol=1e-7)


def test_bending_one_elbow_moves_only_the_arm():
    layer = load_body("lite")
    pose = torch.zeros(1, 72)
    pose[0, 3 * 18 + 1] = -1.5  # left elbow
    still = layer(torch.zeros(1, 10), torch.zeros(1, 72))
    bent = layer(torch.zeros(1, 10), pose)
    moved = (bent.joints - still.joints).norm(dim=-1)[0] > 1e-5
    assert moved.nonzero().flatten().tolist() == [20, 22]  # wrist and hand
    shift = (bent.vertices - still.vertices).norm(dim=-1)[0]
    assert shift[layer.weights[:, [18, 20, 22, 16]].sum(1) == 0].max() < 1e-6


@pytest.mark.parametrize("vertices", [True, False])
def test_gradcheck(vertices):
    layer = SMPL(toy_body(V=12)).double()
    betas, pose = draw(2, seed=2, dtype=torch.float64)

    def everything(betas, pose):
        output = layer(betas, pose, vertices)
        return output.keypoints, output.joints, *([output.vertices] if vertices else [])

    inputs = (betas.requires_grad_(), pose.requires_grad_())
    assert torch.autograd.gradcheck(everything, inputs, atol=1e-6)


def test_gradient_at_the_rest_pose_is_finite_and_right():
    layer = load_body("lite").double()
    pose = torch.zeros(1, 72, dtype=torch.float64, requires_grad=True)
    wrist = layer(torch.zeros(1, 10, dtype=torch.float64), pose).joints[0, 20]
    (gradient,) = torch.autograd.grad(wrist[1], pose)
    # d(height of the left wrist) / d(turn of the elbow about z) is the forearm's reach in x.
    joints = layer(torch.zeros(1, 10, dtype=torch.float64), torch.zeros_like(pose)).joints[0]
    assert math.isclose(gradient[0, 3 * 18 + 2], joints[20, 0] - joints[18, 0], rel_tol=1e-9)
    assert gradient.isfinite().all()


def test_batch_is_its_samples():
    layer = load_body("lite")
    betas, pose = draw(5, seed=8)
    together = layer(betas, pose).vertices
    alone = torch.cat([layer(betas[i : i + 1], pose[i : i + 1]).vertices for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("betas", "pose"),
    [((2, 10), (3, 72)), ((2, 10), (2, 71)), ((2, 9), (2, 72)), ((2, 10), (2, 23, 3, 3))],
)
def test_wrong_shapes_are_named(betas, pose, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    layer = SMPL(toy_body())
    with pytest.raises(ValueError, match=r"must be \["):
        layer(torch.zeros(betas), torch.zeros(pose))


def test_numpy_arrays_are_told_how_to_become_tensors(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    layer, betas, pose = SMPL(toy_body()), torch.zeros(1, 10), torch.zeros(1, 72)
    told = r"must be a tensor, not numpy.ndarray: torch.from_numpy\("
    with pytest.raises(TypeError, match=f"betas {told}"):
        layer(betas.numpy(), pose.numpy())
    with pytest.raises(TypeError, match=f"pose {told}"):
        layer(betas, pose.numpy())
    with pytest.raises(TypeError, match="betas must be a tensor, not list"):
        layer(betas.tolist(), pose)


def test_the_body_is_not_a_weight():
    layer = SMPL(toy_body())
    assert not layer.state_dict()
    assert not list(layer.parameters())


def test_any_number_of_vertices():
    for V in (5, 33, 200):
        body = toy_body(V)
        output = SMPL(body)(torch.zeros(1, 10), torch.zeros(1, 72))
        assert output.vertices.shape == (1, V, 3)
        assert dataclasses.asdict(body)["v_template"].shape == (V, 3)


def test_levels_of_the_tree_are_slices_but_for_one():
    """Every joint once, after its parent; a gather costs time, and one level only needs it."""
    joints = torch.arange(24)
    rows = torch.cat([joints[level] for level, _ in KINEMATIC_LEVELS])
    assert rows.tolist() == list(range(1, 24))
    above = joints[:1]
    for level, parents in KINEMATIC_LEVELS:
        expected = [SMPL_PARENTS[joint] for joint in joints[level]]
        assert above[parents].expand(len(expected)).tolist() == expected
        above = joints[level]
    assert sum(isinstance(parents, torch.Tensor) for _, parents in KINEMATIC_LEVELS) == 1


def test_the_layer_shows_the_arrays_of_its_file():
    body = toy_body()
    layer = SMPL(body)
    for name in ("v_template", "shapedirs", "posedirs", "weights", "J_regressor", "faces"):
        np.testing.assert_array_equal(getattr(layer, name), getattr(body, name), err_msg=name)
