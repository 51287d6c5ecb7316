"""Lesson 1: its own functions against the package and the peers."""

import math
from pathlib import Path

import pytest
import roma
import torch
from helpers.lesson_code import definitions
from scipy.spatial.transform import Rotation
from torch.nn.functional import normalize

from hmr_edu.course.exercises import (
    check_geodesic_angle,
    check_rodrigues,
    check_rotation_6d,
)
from hmr_edu.rotations import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)

PATH = Path(__file__).parents[2] / "notebooks" / "01_rodrigues.ipynb"
NAMES = "rotate_point skew G hat naive patched shifted shifted_half shifted_quaternion rodrigues"
NAMES += (
    " eye rooted naive_log angle_between half_turn_axis quaternion log_by_quaternion six_to_matrix"
)
EYE = torch.eye(3, dtype=torch.float64)


@pytest.fixture(scope="module")
def lesson():
    return definitions(PATH, *NAMES.split())


@pytest.fixture(scope="module")
def vectors():
    generator = torch.Generator().manual_seed(5)
    return 1.2 * torch.randn(200, 3, dtype=torch.float64, generator=generator)


# ---- what the lesson builds


@pytest.mark.parametrize("name", ["naive", "patched", "rodrigues"])
def test_exponentials_agree_with_package_and_peers(lesson, vectors, name):
    R = lesson[name](vectors)
    scipy = torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())
    for peer in (axis_angle_to_matrix(vectors), scipy, roma.rotvec_to_rotmat(vectors)):
        torch.testing.assert_close(R, peer, rtol=0, atol=1e-12)


def test_shifted_forms_are_those_of_the_public_code(lesson, vectors):
    smplx = pytest.importorskip("smplx.lbs")
    torch.testing.assert_close(
        lesson["shifted"](vectors), smplx.batch_rodrigues(vectors), rtol=0, atol=5e-8
    )
    awkward = torch.full((1, 3), -1e-8, dtype=torch.float64)
    for function in (smplx.batch_rodrigues, lesson["shifted"], lesson["shifted_quaternion"]):
        assert function(awkward).isnan().any()
        assert 1e-9 < (function(vectors) - axis_angle_to_matrix(vectors)).abs().max() < 3e-8


def test_rodrigues_has_right_derivatives(lesson):
    v = torch.tensor(
        [[0, 0, 0], [-1e-8, -1e-8, -1e-8], [6e-3, 0, -8e-3], [0, math.pi, 0]],
        dtype=torch.float64,
        requires_grad=True,
    )
    assert torch.autograd.gradcheck(lesson["rodrigues"], v)
    assert torch.autograd.gradgradcheck(lesson["rodrigues"], v)


def test_logarithms_agree_with_package_and_peers(lesson, vectors):
    R = axis_angle_to_matrix(vectors[vectors.norm(dim=-1) < 3])
    scipy = torch.from_numpy(Rotation.from_matrix(R.numpy()).as_rotvec())
    for log in (lesson["naive_log"], lesson["log_by_quaternion"]):
        for peer in (matrix_to_axis_angle(R), scipy, roma.rotmat_to_rotvec(R)):
            torch.testing.assert_close(log(R), peer, rtol=0, atol=1e-9)


def test_the_quaternion_is_a_multiple_of_scipys(lesson, vectors):
    R = axis_angle_to_matrix(vectors)
    ours = normalize(lesson["quaternion"](R), dim=-1)
    x, y, z, w = torch.from_numpy(Rotation.from_matrix(R.numpy()).as_quat(canonical=True)).T
    torch.testing.assert_close(ours, torch.stack((w, x, y, z), dim=-1), rtol=0, atol=1e-12)


def test_the_rest_agrees_with_package_and_peers(lesson, vectors):
    v, w = vectors.split(100)
    R, S = axis_angle_to_matrix(v), axis_angle_to_matrix(w)
    angle = lesson["angle_between"](R, S)
    torch.testing.assert_close(angle, geodesic_angle(R, S), rtol=0, atol=1e-12)
    torch.testing.assert_close(angle, roma.rotmat_geodesic_distance(R, S), rtol=0, atol=1e-7)
    six = torch.cat((v, w), dim=-1)
    got = lesson["six_to_matrix"](six)
    torch.testing.assert_close(got, rotation_6d_to_matrix(six), rtol=0, atol=1e-12)
    peer = roma.special_gramschmidt(torch.stack((v, w), dim=-1))
    torch.testing.assert_close(got, peer, rtol=0, atol=1e-12)
    torch.testing.assert_close(lesson["skew"](v), lesson["hat"](v), rtol=0, atol=0)
    n = normalize(v, dim=-1)
    half = axis_angle_to_matrix(math.pi * n)
    got = lesson["half_turn_axis"](half)
    torch.testing.assert_close(got * (got * n).sum(-1, keepdim=True).sign(), n, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("check", "function"),
    [
        (check_rodrigues, axis_angle_to_matrix),
        (check_geodesic_angle, geodesic_angle),
        (check_rotation_6d, rotation_6d_to_matrix),
    ],
)
def test_the_package_passes_the_checks(check, function):
    report = check(function)
    assert report.passed, report


def test_the_shift_of_public_code_fails_in_three_ways(lesson):
    text = repr(check_rodrigues(lesson["shifted"]))
    for words in ("ask whether t^2 is small", "still a 1e-8 in the norm", "2 sin(t / 2)^2"):
        assert words in text, text
    text = repr(check_rodrigues(lesson["naive"]))
    assert "NaN" in text
    assert "FAIL no rotation" in text


def test_claims_in_the_text(lesson):
    # Exercise examples, as printed.
    half = torch.tensor(math.pi / 2, dtype=torch.float64)
    turned = lesson["rotate_point"](EYE[2], half, torch.tensor([1.0, 0, 5]).double())
    torch.testing.assert_close(turned, torch.tensor([0.0, 1, 5]).double())
    assert lesson["skew"](torch.tensor([1.0, 2, 3])).tolist() == [
        [0, -3, 2],
        [3, 0, -1],
        [-2, 1, 0],
    ]
    x, y, _ = axis_angle_to_matrix(EYE * half)
    assert round(float(lesson["angle_between"](EYE, x)), 4) == 1.5708
    assert round(float(lesson["angle_between"](x, y)), 4) == 2.0944
    six = torch.tensor([2.0, 0, 0, 5, 1, 0])
    torch.testing.assert_close(lesson["six_to_matrix"](six), torch.eye(3))
    # The layout of 6D in SPIN: [3, 2], row by row.
    R = axis_angle_to_matrix(torch.tensor([0.3, -0.4, 0.5]))
    assert matrix_to_rotation_6d(R).tolist() != R[:, :2].flatten().tolist()


def test_a_transposed_formula_keeps_most_of_its_points(lesson):
    right = lesson["rodrigues"]
    report = check_rodrigues(lambda v: right(v).mT)
    assert report.score == pytest.approx(7 / 9)
    assert "transposed" in repr(report)


# What section 6 says in words.


def curvature(function, v):
    weights = torch.linspace(-1, 1, 9, dtype=v.dtype).view(3, 3)
    slope = torch.func.jacrev(lambda v: (function(v) * weights).sum())
    return torch.func.jacrev(slope)(v).double()


def truth(v):
    """The matrix exponential's series, to the last digit of float64 for these angles."""
    K = torch.zeros(3, 3, dtype=v.dtype)
    for row, column, sign, axis in ((2, 1, 1, 0), (0, 2, 1, 1), (1, 0, 1, 2)):
        entry = torch.zeros(3, 3, dtype=v.dtype)
        entry[row, column], entry[column, row] = sign, -sign
        K = K + v[axis] * entry
    total = term = torch.eye(3, dtype=v.dtype)
    for n in range(1, 24):
        term = term @ K / n
        total = total + term
    return total


def test_the_missing_quarter_is_one_minus_cosine_and_not_the_shift(lesson):
    zero = torch.zeros(3, dtype=torch.float64)
    wanted = curvature(truth, zero)
    naive, half = (curvature(lesson[name], zero) for name in ("shifted", "shifted_half"))
    assert 0.25 < (naive - wanted).abs().max() < 0.27
    off = (half - wanted).diagonal().abs()
    assert 5e-9 < off[0] < 6.5e-9
    assert 1e-8 < off[2] < 1.2e-8
    t = math.sqrt(3) * 1e-8
    assert 1 - math.cos(t) == 2**-53  # the smallest that 1 minus a number can be
    assert math.isclose(2 * math.sin(t / 2) ** 2, 1.5e-16, rel_tol=1e-8)


def test_no_comparison_with_the_shift_is_stricter_than_two_in_a_hundred_million(lesson, vectors):
    by_scipy = torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())
    for name in ("shifted", "shifted_half", "shifted_quaternion"):
        assert 1e-8 < (lesson[name](vectors) - by_scipy).abs().max() < 2.5e-8


def test_what_a_small_number_under_the_root_costs(lesson):
    axis = normalize(torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64), dim=0)
    rooted = lesson["rooted"]
    near = [float(f"1e-{n}") for n in (8, 7, 6, 5, 4, 3, 2)]
    found = {}
    for eps in (1e-16, 1e-8):
        value = rooted(2 * axis, eps) - truth(2 * axis)
        off = []
        for t in near:
            v = (t * axis).float()
            wanted = curvature(truth, v.double())
            off.append((curvature(lambda v, eps=eps: rooted(v, eps), v) - wanted).abs().max())
        found[eps] = value.abs().max(), max(off)
    assert found[1e-16][0] < 1e-14
    assert found[1e-16][1] > 0.1
    assert found[1e-8][0] > 1e-10
    assert found[1e-8][1] < 1e-2
    assert torch.tensor(1e-16).half() == 0


def test_quaternions_in_half_a_page():
    """Its table, its matrix and its product, against scipy."""
    turns = {(1, 0, 0, 0): 0.0, (math.sqrt(0.5), math.sqrt(0.5), 0, 0): 0.5, (0, 1, 0, 0): 1.0}
    for (w, *xyz), share in turns.items():
        rotation = Rotation.from_quat([*xyz, w]).as_rotvec()
        assert rotation == pytest.approx([share * math.pi, 0, 0])
    K = torch.linalg.cross(EYE, torch.tensor([0.1, 0.7, -0.2], dtype=torch.float64)[None], dim=1)
    w = math.sqrt(1 - 0.1**2 - 0.7**2 - 0.2**2)
    R = torch.from_numpy(Rotation.from_quat([0.1, 0.7, -0.2, w]).as_matrix())
    torch.testing.assert_close(EYE + 2 * (w * K + K @ K), R)
    i, j, k = (Rotation.from_quat([*row, 0.0]) for row in EYE.tolist())
    for first, second, product in ((i, j, k), (j, k, i), (k, i, j)):
        assert (first * second).as_matrix() == pytest.approx(product.as_matrix())
