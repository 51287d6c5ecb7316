"""Exercise of lesson 01, `rotate_point`: a point turned about an axis."""

from __future__ import annotations

import math

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, tensor
from hmr_edu.course.exercises.lesson_01._common import IN_DEGREES, angles, axes, exponential
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2
OTHER_WAY = "it turns the other way round: is it n x p, and not p x n?"
NO_SIGN = "a negative angle turns backwards: the sine has lost its sign (a root of 1 - cos^2?)"


def check_rotate_point(function: Asked) -> Report:
    """Check `rotate_point(axis [3], angle [], point [3]) -> [3]`, axis of length 1, radians."""
    check = Check("rotate_point", function)
    x, y, z = torch.eye(3, dtype=DOUBLE)
    quarter = tensor(math.pi / 2)
    with check.part("a quarter turn about z takes x to y"):
        compare(
            check.call(z, quarter, x),
            y,
            1e-12,
            {
                OTHER_WAY: -y,
                IN_DEGREES: _turn(z, torch.deg2rad(quarter), x),
                "the part across the axis is missing: + sin(t) (n x p)": torch.zeros(3),
            },
        )
    with check.part("a point on the axis stays where it is"):
        across = x - x * quarter.cos()
        compare(
            check.call(x, quarter, 2 * x),
            2 * x,
            1e-12,
            {"the part along the axis does not turn: keep all of it": 2 * x - 2 * across},
        )
    with check.part("any axis, angle and point: scipy's rotation"):
        # Turns backwards, too.
        signed = angles(6, seed=2) * tensor([1.0, -1.0]).repeat(3)
        for n, t, p in zip(axes(6, seed=1), signed, 3 * axes(6, seed=3), strict=True):
            turned = torch.from_numpy(Rotation.from_rotvec((t * n).numpy()).apply(p.numpy()))
            along, cross = (n @ p) * n, torch.linalg.cross(n, p)
            compare(
                check.call(n, t, p),
                turned,
                1e-12,
                {
                    OTHER_WAY if t > 0 else NO_SIGN: _turn(n, -t, p),
                    "split p first: only the part across the axis is turned": t.cos() * p
                    + t.sin() * cross,
                    "cos(t) belongs to the part across the axis, p - (n . p) n": t.cos() * p
                    + t.sin() * cross
                    + along,
                    "sine and cosine are exchanged": along
                    + t.sin() * (p - along)
                    + t.cos() * cross,
                    IN_DEGREES: _turn(n, torch.deg2rad(t), p),
                },
            )
    with check.part("lengths stay"):
        n, t, p = axes(1, seed=4)[0], angles(1, seed=5)[0], 5 * axes(1, seed=6)[0]
        got = check.call(n, t, p, shape=(3,))
        compare(got.double().norm(), p.norm(), 1e-12)
    return check.report()


def _turn(axis: Tensor, angle: Tensor, point: Tensor) -> Tensor:
    return exponential(angle * axis) @ point


# Wrong answers that people give.


def _rotate(along=1.0, across=1.0, sine=1.0, degrees=False, exchanged=False):
    def wrong(axis, angle, point):
        angle = torch.deg2rad(angle) if degrees else angle
        c, s = (angle.sin(), angle.cos()) if exchanged else (angle.cos(), angle.sin())
        on = (axis @ point) * axis
        ahead = torch.linalg.cross(axis, point)
        return along * on + across * c * (point - on) + sine * s * ahead

    return wrong


def _positive_sine(axis, angle, point):
    on = (axis @ point) * axis
    sine = (1 - angle.cos() ** 2).sqrt()
    return on + angle.cos() * (point - on) + sine * torch.linalg.cross(axis, point)


def _no_split(axis, angle, point):
    return angle.cos() * point + angle.sin() * torch.linalg.cross(axis, point)


MISTAKES = [
    Mistake(_rotate(sine=-1.0), "turns the other way round", 2 / 4),
    Mistake(_rotate(degrees=True), "radians", 2 / 4),
    Mistake(_rotate(exchanged=True), "sine and cosine are exchanged", 2 / 4),
    Mistake(_no_split, "only the part across", 1 / 4),
    Mistake(_rotate(sine=0.0), "is missing", 1 / 4),
    Mistake(lambda n, t, p: _rotate()(n, t.abs(), p), "lost its sign", 3 / 4),
    Mistake(_positive_sine, "lost its sign", 3 / 4),
    Mistake(lambda n, t, p: _rotate()(n.float(), t.float(), p.float()).double(), "", 1 / 4),
    Mistake(lambda n, t, p: _rotate(along=0.0)(n, t, p), "", 1 / 4),
]
