"""Lesson 1: its own functions against the package and the peers; its checks against mistakes."""

import math
from pathlib import Path

import pytest
import roma
import torch
from helpers.lesson_code import definitions
from scipy.spatial.transform import Rotation
from torch.nn.functional import normalize

from hmr_edu.course import checks
from hmr_edu.rotations import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)

PATH = Path(__file__).parents[2] / "notebooks" / "01_rodrigues.ipynb"
NAMES = "rotate_point skew G hat naive patched shifted shifted_quaternion rodrigues naive_log"
NAMES += " angle_between half_turn_axis quaternion log_by_quaternion six_to_matrix"
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
        (checks.check_rodrigues, axis_angle_to_matrix),
        (checks.check_geodesic_angle, geodesic_angle),
        (checks.check_rotation_6d, rotation_6d_to_matrix),
    ],
)
def test_the_package_passes_the_checks(check, function):
    report = check(function)
    assert report.passed, report


# Wrong answers that people give, and words of what they are told; test_mutants tries them.


def point(along=1.0, across=1.0, sine=1.0, degrees=False, exchanged=False):
    def wrong(axis, angle, point):
        angle = torch.deg2rad(angle) if degrees else angle
        c, s = (angle.sin(), angle.cos()) if exchanged else (angle.cos(), angle.sin())
        on = (axis @ point) * axis
        ahead = torch.linalg.cross(axis, point)
        return along * on + across * c * (point - on) + sine * s * ahead

    return wrong


def no_split(axis, angle, point):
    return angle.cos() * point + angle.sin() * torch.linalg.cross(axis, point)


def hat(v):
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=-1).unflatten(-1, (3, 3))


def formula(sine=True, square=True, power=2, unit=True, degrees=False, transposed=False, dry=True):
    """Rodrigues' formula with a mistake, safe at zero."""

    def wrong(v):
        v = torch.deg2rad(v) if degrees else v
        squared = v.square().sum(-1)[..., None, None]
        zero = squared < 1e-12
        t = torch.where(zero, 1.0, squared).sqrt()
        A = torch.where(zero, 1.0, t.sin() / (t if unit else 1))
        B = torch.where(zero, 0.5, (1 - t.cos()) / (t**power if unit else 1))
        K = hat(v)
        R = torch.eye(3).to(v) + sine * A * K + square * B * (K @ K)
        return R.mT if transposed else R

    return wrong


def patched_by_where(v):
    t = v.norm(dim=-1)[..., None, None]
    K = hat(v)
    R = torch.eye(3).to(v) + t.sin() / t * K + (1 - t.cos()) / t**2 * (K @ K)
    return torch.where(t == 0, torch.eye(3).to(v), R)


def one_vector_only(v):
    return formula()(v) if v.ndim == 1 else formula()(v.reshape(-1, 3))


def half_turn(column=None, unit=True, signs=True):
    def wrong(R):
        outer = (R + torch.eye(3).to(R)) / 2
        if not signs:
            return outer.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
        if column is not None:
            picked = outer[..., column]
            return picked / picked.norm(dim=-1, keepdim=True)
        best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
        picked = outer.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)
        return normalize(picked, dim=-1) if unit else picked

    return wrong


def by_acos(R1, R2):
    trace = (R1.mT @ R2).diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1, 1).acos()


def gram_schmidt(split=None, dim=-1, swap=False, subtract=True, last=True):
    def wrong(six):
        a1, a2 = split(six) if split else (six[..., :3], six[..., 3:])
        b1 = normalize(a1, dim=-1)
        b2 = a2 - subtract * (b1 * a2).sum(-1, keepdim=True) * b1
        b2 = normalize(b2, dim=-1) if last else b2
        b3 = torch.linalg.cross(b2, b1) if swap else torch.linalg.cross(b1, b2)
        if not last:
            b3 = normalize(b3, dim=-1)
        return torch.stack((b1, b2, b3), dim=dim)

    return wrong


MISTAKES = [
    ("rotate_point", point(sine=-1.0), "turns the other way round"),
    ("rotate_point", point(degrees=True), "radians"),
    ("rotate_point", point(exchanged=True), "sine and cosine are exchanged"),
    ("rotate_point", no_split, "only the part across"),
    ("rotate_point", point(sine=0.0), "is missing"),
    ("skew", lambda v: -hat(v), "it is w x v"),
    ("skew", lambda v: hat(v).abs(), "three entries and their negatives"),
    ("skew", lambda v: hat(v.reshape(-1, 3)).squeeze(0), "keep every leading"),
    ("skew", lambda v: hat(v.detach()), ""),
    ("rodrigues", formula(sine=False), "the sine is missing"),
    ("rodrigues", formula(square=False), "the term with K K is missing"),
    ("rodrigues", formula(unit=False), "divide K by t"),
    ("rodrigues", formula(power=1), "not / t"),
    ("rodrigues", formula(transposed=True), "a sign in K"),
    ("rodrigues", formula(degrees=True), "radians"),
    ("rodrigues", formula(), "it is 2 sin(t / 2)^2"),
    ("rodrigues", patched_by_where, "0 * inf = NaN"),
    ("rodrigues", one_vector_only, "keep every leading"),
    ("angle_between", by_acos, "acos is flat"),
    ("angle_between", lambda a, b: geodesic_angle(a, b).rad2deg(), "these are degrees"),
    ("angle_between", lambda a, b: geodesic_angle(a.mT, b), "must be transposed"),
    ("angle_between", lambda a, b: geodesic_angle(a, b).cos(), "this is the cosine"),
    ("angle_between", lambda a, b: (a - b).square().sum((-1, -2)).sqrt(), "length of R1 - R2"),
    ("half_turn_axis", half_turn(column=0), "take the one with the largest diagonal"),
    ("half_turn_axis", half_turn(unit=False), "must have length 1"),
    ("half_turn_axis", half_turn(signs=False), "lose the signs"),
    ("six_to_matrix", gram_schmidt(dim=-2), "not its rows"),
    (
        "six_to_matrix",
        gram_schmidt(split=lambda six: six.unflatten(-1, (3, 2)).unbind(-1)),
        "you read them row by row",
    ),
    ("six_to_matrix", gram_schmidt(swap=True), "not b2 x b1"),
    ("six_to_matrix", gram_schmidt(subtract=False), "take b1's share out"),
    ("six_to_matrix", gram_schmidt(last=False), "b2 must have length 1"),
]


def test_the_shift_of_public_code_fails_in_three_ways(lesson):
    text = repr(checks.check_rodrigues(lesson["shifted"]))
    for words in ("ask whether t^2 is small", "still a 1e-8 in the norm", "2 sin(t / 2)^2"):
        assert words in text, text
    text = repr(checks.check_rodrigues(lesson["naive"]))
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
    report = checks.check_rodrigues(lambda v: right(v).mT)
    assert report.score == pytest.approx(7 / 9)
    assert "transposed" in repr(report)
