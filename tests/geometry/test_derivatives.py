"""Derivatives where they are easy to get wrong: the nearest rotation, and special points.

The truth for the nearest rotation is the finite difference of scipy's polar factor, and of scipy's
solution of Wahba's problem where the determinant is negative.
"""

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck
from torch.func import hessian, jacfwd, jacrev, vmap

from hmr_edu import camera, losses, metrics
from hmr_edu.data.poses import mocap, prior
from hmr_edu.encoder.heads import soft_argmax
from hmr_edu.rotations import axis_angle_to_matrix, geodesic_angle, nearest_rotation

DOUBLE = torch.float64
# PyTorch's own, when it first differentiates forwards.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
IDENTITY = torch.eye(3, dtype=DOUBLE)
PRIOR = prior.load_pose_prior()


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


Q, S = axis_angle_to_matrix(randn(2, 3))


def matrix(*singular_values: float) -> torch.Tensor:
    """A matrix with these singular values; a negative one makes the determinant negative."""
    return Q @ torch.diag(torch.tensor(singular_values, dtype=DOUBLE)) @ S


# Every matrix that has one nearest rotation; SVD's own derivative is NaN or wrong at most of them.
MATRICES = {
    "I": IDENTITY,
    "Q": Q,
    "2 Q": 2 * Q,
    "diag(2, 1, 1) Q": torch.diag(torch.tensor([2.0, 1, 1], dtype=DOUBLE)) @ Q,
    "two equal": matrix(2, 2, 1),
    "all different": matrix(3, 2, 1),
    "nearly equal": matrix(1 + 1e-9, 1, 1 - 1e-9),
    "rank 2": matrix(2, 1, 0),
    "near-singular": matrix(2, 1e-3, 1e-3),
    "negative determinant": matrix(2, 1, -0.3),
    "negative, two equal": matrix(2, 2, -1),
    "negative, nearly none": matrix(2, 1, -0.999),
    "large": matrix(3e12, 1e12, 1e12),
    "small": matrix(3e-12, 1e-12, 1e-12),
}


def polar_factor(M: np.ndarray) -> np.ndarray:
    return scipy.linalg.polar(M)[0]


def wahba(M: np.ndarray) -> np.ndarray:
    """The rotation that takes the axes nearest to the columns of M."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a residual that is not small
        return Rotation.align_vectors(M.T, np.eye(3))[0].as_matrix()


def gap(M: torch.Tensor) -> float:
    """The smallest sum of two singular values, the last with its sign: 1 / the derivative."""
    values = torch.linalg.svdvals(M)
    return float(values[1] + values[2] * M.det().sign())


def differences(M: torch.Tensor) -> torch.Tensor:
    """The derivative [3, 3, 3, 3] of the nearest rotation, by central differences of scipy's."""
    h = 3e-5 * gap(M)
    # A step must not change the sign of the determinant: the polar factor would jump.
    truth = polar_factor if M.det() > 0 and torch.linalg.svdvals(M)[2] > 9 * h else wahba
    derivative = np.zeros((3, 3, 3, 3))
    for i, j in np.ndindex(3, 3):
        shift = np.zeros((3, 3))
        shift[i, j] = h
        derivative[:, :, i, j] = (truth(M.numpy() + shift) - truth(M.numpy() - shift)) / (2 * h)
    return torch.from_numpy(derivative)


@pytest.mark.parametrize("name", MATRICES)
def test_derivative_of_the_nearest_rotation(name):
    M = MATRICES[name]
    truth = differences(M)
    for derivative in (jacrev, jacfwd):
        error = (derivative(nearest_rotation)(M) - truth).abs().max()
        assert error * gap(M) < 1e-7
    if name not in ("large", "small"):  # there the steps of these checks are of the wrong size
        point = M.clone().requires_grad_()
        near = {"eps": 1e-6 * min(1, gap(M)), "atol": 1e-4 / gap(M) ** 2}
        assert gradcheck(nearest_rotation, point, **near)
        assert gradgradcheck(nearest_rotation, point, eps=1e-6 * gap(M), atol=1e-4 / gap(M) ** 3)


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_derivative_of_the_nearest_rotation_anywhere(entries):
    M = torch.tensor(entries, dtype=DOUBLE).view(3, 3)
    assume(gap(M) > 1e-2 and M.det().abs() > 1e-9)
    error = (jacrev(nearest_rotation)(M) - differences(M)).abs().max()
    assert error * gap(M) < 1e-7


def test_the_nearest_rotation_is_a_gradient():
    """Of the sum of singular values, the last with its sign; so its derivative is symmetric."""
    for name, M in MATRICES.items():

        def total(M: torch.Tensor) -> torch.Tensor:
            values = torch.linalg.svdvals(M)
            return values[0] + values[1] + M.detach().det().sign() * values[2]

        if name != "rank 2":  # where the sign of its determinant is that of rounding
            torch.testing.assert_close(jacrev(total)(M), nearest_rotation(M), rtol=0, atol=1e-9)
        H = jacrev(nearest_rotation)(M).reshape(9, 9)
        torch.testing.assert_close(H, H.T, rtol=1e-9, atol=1e-9)


def test_float32_derivative_of_the_nearest_rotation():
    for name in ("I", "Q", "2 Q", "diag(2, 1, 1) Q", "negative determinant"):
        single = MATRICES[name].float()
        found, truth = jacrev(nearest_rotation)(single), jacrev(nearest_rotation)(single.double())
        assert (found.double() - truth).abs().max() < 1e-5, name


def test_where_there_is_no_nearest_rotation_the_gradient_is_zero():
    none = torch.zeros(3, 3, dtype=DOUBLE)
    for M in (none, -IDENTITY, matrix(1, 0, 0), matrix(2, 1, -1), matrix(3, 3, -3)):
        for dtype in (torch.float32, DOUBLE):
            point = M.to(dtype).requires_grad_()
            R = nearest_rotation(point)
            assert torch.linalg.det(R).item() == pytest.approx(1)
            (gradient,) = torch.autograd.grad((R * Q.to(R)).sum(), point, create_graph=True)
            assert not gradient.any()
            assert not torch.autograd.grad(gradient.sum(), point)[0].any()


def test_derivatives_of_the_nearest_rotation_in_vmap():
    many = torch.stack(list(MATRICES.values()))
    together = vmap(jacrev(nearest_rotation))(many)
    for M, derivative in zip(many, together, strict=True):
        alone = jacrev(nearest_rotation)(M)
        assert (derivative - alone).abs().max() * gap(M) < 1e-9

    def entry(M: torch.Tensor) -> torch.Tensor:
        return nearest_rotation(M)[0, 1]

    for M, second in zip(many, vmap(hessian(entry))(many), strict=True):
        alone = jacrev(jacrev(entry))(M)
        assert (second - alone).abs().max() * gap(M) ** 2 < 1e-9


def octahedron() -> torch.Tensor:
    """Points whose covariance with themselves is a multiple of the identity."""
    return torch.cat((IDENTITY, -IDENTITY))


def test_procrustes_where_singular_values_are_equal():
    target = octahedron() @ Q.mT
    for pred in (octahedron(), 2 * octahedron() + 0.3, octahedron() + 1e-9 * randn(6, 3)):
        point = pred.clone().requires_grad_()
        assert gradcheck(metrics.procrustes_align, (point, target))
        assert gradgradcheck(metrics.procrustes_align, (point, target))
    noisy = (octahedron() + 0.2 * randn(6, 3)).requires_grad_()
    assert gradcheck(metrics.pa_mpjpe, (noisy, target))


SAME_POINTS = randn(2, 19, 3, seed=3)
ALL = torch.tensor([True, True])


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda p: metrics.mpjpe(p, SAME_POINTS), SAME_POINTS),
        (lambda p: metrics.pa_mpjpe(p, SAME_POINTS), SAME_POINTS),
        (lambda p: metrics.pa_mpjpe(p, SAME_POINTS), torch.zeros_like(SAME_POINTS)),
        (lambda p: metrics.pve(p, SAME_POINTS), SAME_POINTS),
        (lambda R: metrics.facing_error(R, Q), Q),
        (lambda R: geodesic_angle(R, Q), Q),
        (lambda R: geodesic_angle(R, IDENTITY), torch.diag(torch.tensor([1.0, -1, -1]).double())),
        (metrics.head_size, torch.zeros_like(SAME_POINTS)),
        (lambda p: losses.keypoints3d_loss(p, SAME_POINTS, ALL), SAME_POINTS),
        (lambda p: losses.mesh_loss(p, SAME_POINTS, ALL), SAME_POINTS),
        (lambda root: mocap.split_root(root)[1], torch.tensor([[torch.pi, 0, 0]], dtype=DOUBLE)),
    ],
)
def test_gradients_are_numbers_where_a_distance_has_a_kink(function, point):
    point = point.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(point).sum(), point)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda pose: PRIOR.log_prob(pose), torch.zeros(1, 72, dtype=DOUBLE)),
        (lambda pose: PRIOR.log_prob(pose, root=True), torch.zeros(1, 72, dtype=DOUBLE)),
        (lambda root: mocap.split_root(root)[0], torch.zeros(1, 3, dtype=DOUBLE)),
        (lambda root: mocap.split_root(root)[1], torch.zeros(1, 3, dtype=DOUBLE)),
        (lambda root: mocap.split_root(root)[1], torch.tensor([[0, 2.0, 0]], dtype=DOUBLE)),
        (soft_argmax, torch.full((1, 4, 4), 1 / 16, dtype=DOUBLE)),
        (
            lambda x: camera.fit_weak_perspective(SAME_POINTS, x),
            0.5 * SAME_POINTS[..., :2],
        ),
        (
            lambda c: camera.weak_perspective(SAME_POINTS, c),
            torch.zeros(2, 3, dtype=DOUBLE),  # a camera of scale zero
        ),
    ],
)
def test_smooth_functions_at_special_points(function, point):
    point = point.clone().requires_grad_()
    assert gradcheck(function, point)
    assert gradgradcheck(function, point)


def test_derivatives_of_a_batch_are_those_of_each():
    many = torch.stack([MATRICES[name] for name in ("Q", "all different", "negative determinant")])
    weights = randn(3, 3, 3, seed=4)

    def total(M: torch.Tensor) -> torch.Tensor:
        return (nearest_rotation(M) * weights).sum()

    gradient = jacrev(total)(many)
    for k, M in enumerate(many):
        alone = torch.einsum("ij,ijkl->kl", weights[k], jacrev(nearest_rotation)(M))
        torch.testing.assert_close(gradient[k], alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_costs_no_digits(scale):
    """The nearest rotation of s M is that of M, and its derivative that of M over s."""
    M = MATRICES["all different"].float()
    found = jacrev(nearest_rotation)(scale * M) * scale
    torch.testing.assert_close(found, jacrev(nearest_rotation)(M), rtol=1e-4, atol=1e-5)
