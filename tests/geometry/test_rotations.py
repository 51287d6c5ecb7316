"""rotations.py against scipy, roma, smplx, the matrix exponential and autograd."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch.func import jacrev, vmap

from hmr_edu.rotations import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    nearest_rotation,
    quaternion_to_axis_angle,
    rotation_6d_to_matrix,
)

AXES = torch.nn.functional.normalize(
    torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=-1
)
# 0.01 is where the series hands over to the closed form.
ANGLES = (0.0, 1e-30, 1e-12, 1e-8, 1e-4, 0.0099999, 0.0100001, 0.1, 1.0, 3.0)
ANGLES += tuple(math.pi + d for d in (-1e-3, -1e-8, 0.0, 1e-8, 1e-3))
ANGLES += (5.0, 2 * math.pi - 1e-8, 2 * math.pi, 2 * math.pi + 1e-8, 20.0)
EVERY_ANGLE = torch.cat([AXES * angle for angle in ANGLES])
AWKWARD = torch.full((1, 3), -1e-8, dtype=torch.float64)  # where |v + 1e-8| is zero
VECTORS = torch.cat([EVERY_ANGLE, AWKWARD])
# [e_x]x, [e_y]x, [e_z]x
GENERATORS = torch.tensor(
    [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ],
    dtype=torch.float64,
)
# What the derivatives may be off by: rounding, amplified by 1 / t in the second derivative.
TOLERANCE = {torch.float32: (4e-7, 2e-6, 4e-5), torch.float64: (4e-15, 4e-15, 4e-12)}


def exponential(v):
    """Rotation by its definition, an independent and everywhere smooth route: exp([v]x)."""
    return torch.linalg.matrix_exp(torch.einsum("...i,ijk->...jk", v, GENERATORS))


def geodesic_to_identity(v):
    return geodesic_angle(torch.eye(3, dtype=v.dtype), axis_angle_to_matrix(v))


def test_quarter_turns_by_hand():
    turns = torch.eye(3) * (math.pi / 2)
    x, y, z = axis_angle_to_matrix(turns)
    torch.testing.assert_close(x @ torch.tensor([0.0, 1, 0]), torch.tensor([0.0, 0, 1]))
    torch.testing.assert_close(y @ torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(z @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]))


def test_matrix_agrees_with_scipy_and_roma():
    R = axis_angle_to_matrix(VECTORS)
    scipy = torch.from_numpy(Rotation.from_rotvec(VECTORS.numpy()).as_matrix())
    torch.testing.assert_close(R, scipy, rtol=0, atol=1e-12)
    torch.testing.assert_close(R, roma.rotvec_to_rotmat(VECTORS), rtol=0, atol=1e-12)


def test_matrix_agrees_with_smplx():
    lbs = pytest.importorskip("smplx.lbs")
    peer = lbs.batch_rodrigues(EVERY_ANGLE)
    torch.testing.assert_close(axis_angle_to_matrix(EVERY_ANGLE), peer, rtol=0, atol=1e-7)
    assert lbs.batch_rodrigues(AWKWARD).isnan().all(), "the peer's fault that ours avoids"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("angle", ANGLES)
def test_value_gradient_and_hessian(dtype, angle):
    ours = torch.cat([AXES[:3] * angle, AWKWARD]).to(dtype)
    truth = ours.double()  # the numbers that the small dtype can hold, not those it rounds
    weights = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(3, 3)
    growth = max(1.0, angle)  # the sine of a large angle inherits the rounding of the angle

    def derivatives(function, vectors):
        return (
            function(vectors),
            vmap(jacrev(function))(vectors),
            vmap(jacrev(jacrev(lambda v: (function(v) * weights.to(v)).sum())))(vectors),
        )

    got, expected = derivatives(axis_angle_to_matrix, ours), derivatives(exponential, truth)
    for name, g, e, tolerance in zip(
        ("value", "gradient", "hessian"), got, expected, TOLERANCE[dtype], strict=True
    ):
        assert g.dtype == dtype
        error = (g.double() - e).abs().max()
        assert error <= tolerance * growth, f"{name}: {error:.1e}"


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.5, 3.0, math.pi, 4.0, 2 * math.pi])
def test_gradcheck(angle):
    v = (AXES[:2] * angle).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, v)
    assert torch.autograd.gradgradcheck(axis_angle_to_matrix, v)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.5, 2.0, 3.1])
def test_gradcheck_of_the_inverse(angle):
    v = (AXES[:2] * angle).requires_grad_()

    # Composed with the exponential, so that the perturbed matrices are rotations too.
    def round_trip(x):
        return matrix_to_axis_angle(axis_angle_to_matrix(x))

    assert torch.autograd.gradcheck(round_trip, v)
    assert torch.autograd.gradgradcheck(round_trip, v)
    R = axis_angle_to_matrix(v.detach()).requires_grad_()
    assert torch.autograd.gradcheck(matrix_to_axis_angle, R)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_gives_back_the_vector(dtype):
    # Relative to the angle: small rotations keep all their digits.
    for angle in (1e-20, 1e-12, 1e-6, 1e-3, 0.0099, 0.0101, 0.5, 2.0, 3.0, math.pi - 1e-3):
        v = (AXES * angle).to(dtype)
        back = matrix_to_axis_angle(axis_angle_to_matrix(v))
        torch.testing.assert_close(
            back / angle, v / angle, rtol=0, atol=20 * torch.finfo(dtype).eps
        )


def test_inverse_agrees_with_scipy_and_roma():
    R = axis_angle_to_matrix(VECTORS)
    ours = matrix_to_axis_angle(R)
    for peer in (
        torch.from_numpy(Rotation.from_matrix(R.numpy()).as_rotvec()),
        roma.rotmat_to_rotvec(R),
    ):
        # Within 1e-7 of pi the peers and we may pick either sign.
        same = (ours - peer).abs().amax(-1)
        opposite = torch.where(ours.norm(dim=-1) > math.pi - 1e-7, (ours + peer).abs().amax(-1), 9)
        assert torch.minimum(same, opposite).max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_at_half_turns(dtype):
    axes = torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64), AXES])
    # Exactly symmetric matrices: half turns built without any trigonometry.
    R = (2 * axes[:, :, None] * axes[:, None, :] - torch.eye(3, dtype=torch.float64)).to(dtype)
    R.requires_grad_()
    v = matrix_to_axis_angle(R)
    sign = (v.detach().double() * axes).sum(-1, keepdim=True).sign()
    eps = 20 * torch.finfo(dtype).eps
    torch.testing.assert_close(v.detach().double(), sign * axes * math.pi, rtol=0, atol=eps)
    (gradient,) = torch.autograd.grad(v.square().sum(), R)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("s", [1e-4, 4.9e-3, 5.1e-3, 0.3])
def test_second_derivative_of_quaternions_on_both_sides_of_the_series(s):
    """Of (1, s, 0, 0) it is that of 2 atan(s): -4 s / (1 + s^2)^2."""

    def angle(x: torch.Tensor) -> torch.Tensor:
        zero = torch.zeros_like(x)
        return quaternion_to_axis_angle(torch.stack((torch.ones_like(x), x, zero, zero)))[0]

    found = jacrev(jacrev(angle))(torch.tensor(s, dtype=torch.float64))
    assert float(found) == pytest.approx(-4 * s / (1 + s * s) ** 2, rel=3e-11)


def test_gradient_of_the_inverse_near_a_half_turn():
    v = (AXES * (math.pi - 1e-6)).requires_grad_()
    J = vmap(jacrev(lambda x: matrix_to_axis_angle(axis_angle_to_matrix(x))))
    identity = torch.eye(3, dtype=torch.float64).expand(8, 3, 3)
    torch.testing.assert_close(J(v), identity, rtol=0, atol=1e-8)


def test_inverse_survives_matrices_that_are_not_quite_rotations():
    generator = torch.Generator().manual_seed(1)
    v = torch.randn(2000, 3, generator=generator)
    product = axis_angle_to_matrix(v)
    for _ in range(50):  # float32 drift, far more than a kinematic chain gathers
        product = product @ axis_angle_to_matrix(torch.randn(2000, 3, generator=generator))
    identities = torch.eye(3).expand(2000, 3, 3) * (1 + 1e-5 * torch.randn(2000, 1, 1))
    half_turns = torch.diag(torch.tensor([1.0, -1, -1])) + 1e-5 * torch.randn(2000, 3, 3)
    for R in (product, identities, half_turns):
        R = R.clone().requires_grad_()
        back = matrix_to_axis_angle(R)
        back.square().sum().backward()
        assert back.isfinite().all()
        assert R.grad.isfinite().all()
        torch.testing.assert_close(axis_angle_to_matrix(back), R, rtol=0, atol=1e-4)


def test_inverse_of_the_worst_matrices_is_a_number():
    matrices = torch.stack([torch.zeros(3, 3), -torch.eye(3), torch.ones(3, 3), 1e3 * torch.eye(3)])
    assert matrix_to_axis_angle(matrices).isfinite().all()


def test_6d_is_the_first_two_columns():
    R = torch.arange(9.0).reshape(3, 3)
    assert matrix_to_rotation_6d(R).tolist() == [0, 3, 6, 1, 4, 7]


def test_6d_agrees_with_roma():
    six = torch.randn(100, 6, dtype=torch.float64)
    peer = roma.special_gramschmidt(six.unflatten(-1, (2, 3)).mT)
    torch.testing.assert_close(rotation_6d_to_matrix(six), peer, rtol=0, atol=1e-12)


def test_6d_gradcheck():
    six = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation_6d_to_matrix, six)
    assert torch.autograd.gradgradcheck(rotation_6d_to_matrix, six)


def test_6d_of_no_plane_is_finite():
    six = torch.tensor([[0.0] * 6, [1, 0, 0, 2, 0, 0], [0, 0, 0, 1, 0, 0]], requires_grad=True)
    R = rotation_6d_to_matrix(six)
    R.sum().backward()
    assert R.isfinite().all()
    assert six.grad.isfinite().all()


def test_geodesic_angle_keeps_its_digits():
    for angle in (1e-15, 1e-9, 1e-3, 1.0, 3.0, math.pi - 1e-9, math.pi):
        got = geodesic_to_identity(AXES * angle)
        torch.testing.assert_close(
            got, torch.full((8,), angle, dtype=got.dtype), rtol=1e-12, atol=0
        )


def test_geodesic_angle_by_hand():
    """Where the antisymmetric part is exactly zero: the same rotation, and half a turn."""
    identity, half_turn = torch.eye(3), torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    assert geodesic_angle(identity, identity) == 0
    assert geodesic_angle(half_turn, half_turn) == 0
    assert geodesic_angle(identity, half_turn) == pytest.approx(math.pi)


def test_geodesic_angle_agrees_with_scipy():
    a, b = Rotation.random(500, rng=0), Rotation.random(500, rng=1)
    expected = torch.from_numpy((a.inv() * b).magnitude())
    R1, R2 = (torch.from_numpy(np.ascontiguousarray(r.as_matrix())) for r in (a, b))
    torch.testing.assert_close(geodesic_angle(R1, R2), expected, rtol=0, atol=1e-12)


def test_geodesic_angle_gradient():
    for angle in (0.0, 1e-8, 1e-3, 1.0, math.pi - 1e-3, math.pi):
        v = (AXES * angle).requires_grad_()
        (gradient,) = torch.autograd.grad(geodesic_to_identity(v).sum(), v)
        assert gradient.isfinite().all()
        if 0 < angle < math.pi:
            torch.testing.assert_close(gradient, AXES, rtol=0, atol=1e-7)
    v = AXES[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(geodesic_to_identity, v)
    assert torch.autograd.gradgradcheck(geodesic_to_identity, v)
    same = torch.eye(3, dtype=torch.float64).requires_grad_()
    (first,) = torch.autograd.grad(geodesic_angle(same, same), same, create_graph=True)
    assert torch.autograd.grad(first.sum(), same)[0].isfinite().all()


def test_geodesic_angle_broadcasts():
    R = axis_angle_to_matrix(torch.randn(5, 24, 3))
    assert geodesic_angle(R, R[:1]).shape == (5, 24)
    assert geodesic_angle(R[0, 0], R).shape == (5, 24)


def test_batch_shapes():
    for shape in ((), (0,), (4,), (2, 24)):
        v = torch.randn(*shape, 3)
        R = axis_angle_to_matrix(v)
        assert R.shape == (*shape, 3, 3)
        assert matrix_to_axis_angle(R).shape == (*shape, 3)
        assert matrix_to_rotation_6d(R).shape == (*shape, 6)
        assert rotation_6d_to_matrix(matrix_to_rotation_6d(R)).shape == (*shape, 3, 3)


coordinate = st.floats(-10, 10, allow_subnormal=True)
vectors = st.tuples(coordinate, coordinate, coordinate).map(
    lambda v: torch.tensor(v, dtype=torch.float64)
)


@given(vectors)
def test_round_trips(v):
    R = axis_angle_to_matrix(v)
    torch.testing.assert_close(R @ R.mT, torch.eye(3, dtype=R.dtype), rtol=0, atol=1e-14)
    assert torch.linalg.det(R) > 0
    back = matrix_to_axis_angle(R)
    assert back.norm() <= math.pi + 1e-12
    torch.testing.assert_close(axis_angle_to_matrix(back), R, rtol=0, atol=1e-14)
    six = matrix_to_rotation_6d(R)
    torch.testing.assert_close(rotation_6d_to_matrix(six), R, rtol=0, atol=1e-14)


@given(vectors, vectors, st.floats(0.01, 100), st.floats(0.01, 100), st.floats(-10, 10))
def test_6d_ignores_what_gram_schmidt_removes(v, w, stretch1, stretch2, shear):
    a1, a2 = matrix_to_rotation_6d(axis_angle_to_matrix(v)).split(3)
    stretched = torch.cat([stretch1 * a1, stretch2 * a2 + shear * a1])
    R = rotation_6d_to_matrix(stretched)
    torch.testing.assert_close(R, axis_angle_to_matrix(v), rtol=0, atol=1e-10)
    # A distance: symmetric, unchanged by a rotation applied to both.
    S = axis_angle_to_matrix(w)
    torch.testing.assert_close(geodesic_angle(R, S), geodesic_angle(S, R))
    torch.testing.assert_close(
        geodesic_angle(S @ R, S @ S), geodesic_angle(R, S), rtol=0, atol=1e-9
    )


def test_nearest_rotation_agrees_with_roma():
    matrices = torch.randn(500, 3, 3, generator=torch.Generator().manual_seed(1)).double()
    assert (matrices.det() < 0).any()  # the nearest orthogonal matrix is a reflection
    found = nearest_rotation(matrices)
    torch.testing.assert_close(found, roma.special_procrustes(matrices), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.det(), torch.ones(500).double())


def test_the_mean_of_two_turns_about_an_axis_is_the_turn_half_way():
    turns = axis_angle_to_matrix(AXES * 0.2) + axis_angle_to_matrix(AXES * 1.4)
    half_way = axis_angle_to_matrix(AXES * 0.8)
    torch.testing.assert_close(nearest_rotation(turns / 2), half_way, rtol=0, atol=1e-9)
