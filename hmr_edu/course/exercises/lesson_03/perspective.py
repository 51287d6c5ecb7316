"""Exercise of lesson 03, `perspective`: a pinhole camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, shaped
from hmr_edu.course.exercises._common import DOUBLE, slopes_of, tensor
from hmr_edu.course.exercises.lesson_03._common import TIGHT, people, two_left
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import Raised

POINTS = 4


def check_perspective(function: Asked) -> Report:
    """Check `perspective(points [B, N, 3], translation [B, 3], focal [B]) -> [B, N, 2]`."""
    check = Check("perspective", function)

    with check.part("by hand: f = 3, t = (1, 0, 2) sends (1, 2, 4) to (1, 1)"):
        points, t, f = tensor([[[1.0, 2.0, 4.0]]]), tensor([[1.0, 0.0, 2.0]]), tensor([3.0])
        mistakes = {
            "the depth to divide by is Z + t_z, not Z": tensor([[[1.5, 1.5]]]),
            "the depth to divide by is Z + t_z, not t_z (that is weak perspective)": tensor(
                [[[3.0, 3.0]]]
            ),
            "t_x and t_y must be added too, before dividing": tensor([[[0.5, 1.0]]]),
            "t_x and t_y are metres: add them before multiplying by f / depth": tensor(
                [[[1.5, 1.0]]]
            ),
            "the focal length multiplies: x = f X / Z": tensor([[[1 / 9, 1 / 9]]]),
            "f is missing: x = f (X + t_x) / (Z + t_z)": tensor([[[1 / 3, 1 / 3]]]),
            "t moves the point first, in metres; only then divide by the depth": tensor(
                [[[1.75, 1.5]]]
            ),
            "t moves the point first, depth included; only then divide, and multiply by f": tensor(
                [[[3.75, 1.5]]]
            ),
            "t_x and t_y are metres: add them before dividing by the depth": tensor([[[3.5, 1.0]]]),
        }
        got = two_left(_with_axes(lambda: check.call(points, t, f)))
        compare(got, tensor([[[1.0, 1.0]]]), TIGHT, mistakes)

    points = people(3, 5)
    t = tensor([[0.0, 0.0, 3.0], [0.4, -0.2, 5.0], [-1.0, 0.1, 2.5]])
    f = tensor([2.0, 6.0, 3.0])
    want = torch.tensor(
        [
            [[_pinhole(X + tx, Z + tz, ff), _pinhole(Y + ty, Z + tz, ff)] for X, Y, Z in person]
            for person, (tx, ty, tz), ff in zip(
                points.tolist(), t.tolist(), f.tolist(), strict=True
            )
        ],
        dtype=DOUBLE,
    )
    with check.part("a pinhole written out point by point"):
        moved = points + t[:, None]
        mistakes = {
            "every person has a focal length of his own": f[0] * moved[..., :2] / moved[..., 2:],
            "the depth to divide by is Z + t_z, each point its own": f[:, None, None]
            * moved[..., :2]
            / t[:, None, 2:],
            "the image is upright, as if mirrored behind the pinhole: no minus sign": -want,
            "f is missing: x = f (X + t_x) / (Z + t_z)": want / f[:, None, None],
        }
        got = two_left(_with_axes(lambda: check.call(points, t, f)))
        compare(got, want, TIGHT, mistakes)

    with check.part("as many persons as points: still one focal length a person"):
        square = points[:, :3]
        hint = "focal has shape [B]; give it axes for points and coordinates: focal[:, None, None]"
        moved = square + t[:, None]
        wrong = f[:, None] * moved[..., :2] / moved[..., 2:]
        got = two_left(_with_axes(lambda: check.call(square, t, f)))
        compare(got, want[:, :3], TIGHT, {hint: wrong})

    with check.part("everything twice as large and twice as far looks the same"):
        near = shaped(two_left(_with_axes(lambda: check.call(points, t, f))), (3, 5, 2)).detach()
        compare(check.call(2 * points, 2 * t, f), near, TIGHT)
        compare(check.call(points[:1], t[:1], f[:1]), near[:1], TIGHT)
        slopes_of(check, [points, t, f], [0, 1], near, TIGHT)

    with check.part("at the body's own depth it is weak perspective with s = f / t_z"):
        flat = points * tensor([1.0, 1.0, 0.0])
        weak = (f / t[:, 2])[:, None, None] * (flat + t[:, None])[..., :2]
        compare(two_left(_with_axes(lambda: check.call(flat, t, f))), weak, TIGHT)
    return check.report()


def _pinhole(across: float, depth: float, focal: float) -> float:
    return focal * across / depth


def _with_axes(call: Callable[[], Any]) -> Any:
    """Call, and say of shapes that do not fit which axes are easily lost."""
    try:
        return call()
    except Raised as error:
        if "must match the size" not in error.message:
            raise
        raise Mismatch(
            f"your function raised {error.kind}: {error.message}",
            "an axis was lost: moved[..., 2:] keeps it, moved[..., 2] does not; and "
            "translation[:, None], focal[:, None, None]",
        ) from error


# Wrong answers that people give.


def _answer(order):
    """Make a perspective from a formula of (points, t [B, 1, 3], f [B, 1, 1])."""
    return lambda points, t, f: order(points, t[:, None], f[:, None, None])


_right = _answer(lambda X, t, f: f * (X + t)[..., :2] / (X + t)[..., 2:])

MISTAKES = [
    Mistake(
        _answer(lambda X, t, f: f * (X + t)[..., :2] / X[..., 2:]),
        "Z + t_z, not Z",
        1 / 5,
        name="Z without t_z",
    ),
    Mistake(
        _answer(lambda X, t, f: f * (X + t)[..., :2] / t[..., 2:]),
        "that is weak perspective",
        2 / 5,
        name="t_z without Z",
    ),
    Mistake(
        _answer(lambda X, t, f: f * X[..., :2] / (X + t)[..., 2:]),
        "must be added too",
        1 / 5,
        name="t_x and t_y forgotten",
    ),
    Mistake(
        _answer(lambda X, t, f: f * X[..., :2] / (X + t)[..., 2:] + t[..., :2]),
        "before multiplying",
        0.0,
        name="t added at the end",
    ),
    Mistake(
        _answer(lambda X, t, f: (X + t)[..., :2] / (X + t)[..., 2:] / f),
        "focal length multiplies",
        1 / 5,
        name="divided by f",
    ),
    Mistake(
        _answer(lambda X, t, f: -f * (X + t)[..., :2] / (X + t)[..., 2:]),
        "no minus sign",
        1 / 5,
        name="image upside down",
    ),
    Mistake(
        _answer(lambda X, t, f: f[:1] * (X + t)[..., :2] / (X + t)[..., 2:]),
        "focal length of his own",
        2 / 5,
        name="one focal length",
    ),
    Mistake(
        _answer(lambda X, t, f: f * X[..., :2] / X[..., 2:] + t[..., :2]),
        "t moves the point first, in metres",
        0.0,
        name="t added after dividing",
    ),
    Mistake(
        _answer(lambda X, t, f: f * (X[..., :2] / X[..., 2:] + t[..., :2])),
        "depth included",
        0.0,
        name="t added before f",
    ),
    Mistake(
        _answer(lambda X, t, f: f * (X[..., :2] / (X + t)[..., 2:] + t[..., :2])),
        "before dividing",
        0.0,
        name="t_x and t_y after dividing",
    ),
    Mistake(
        _answer(lambda X, t, f: (X + t)[..., :2] / (X + t)[..., 2:]),
        "f is missing",
        1 / 5,
        name="f forgotten",
    ),
    Mistake(
        _answer(lambda X, t, f: f * (X + t)[..., :2] / (X + t)[..., 2]),
        "moved[..., 2:] keeps it",
        1 / 5,
        name="the depth's axis lost",
    ),
    Mistake(
        lambda X, t, f: f[:, None, None] * (X + t)[..., :2] / (X + t)[..., 2:],
        "translation[:, None]",
        1 / 5,
        name="t without an axis",
    ),
    Mistake(
        _answer(lambda X, t, f: f * (X + t) / (X + t)[..., 2:]),
        "two are wanted",
        0.0,
        name="depth kept",
    ),
    Mistake(lambda X, t, f: _right(X, t, f).squeeze(0), "keep every leading", 3 / 5),
    Mistake(lambda X, t, f: _right(X, t.detach(), f), "is cut", 4 / 5),
    Mistake(lambda X, t, f: _right(X.float(), t.float(), f.float()).double(), "", 2 / 5),
]
