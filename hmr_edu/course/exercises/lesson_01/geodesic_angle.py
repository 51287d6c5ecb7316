"""Exercise of lesson 01, `angle_between`: the angle between two rotations."""

from __future__ import annotations

import math

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, tensor
from hmr_edu.course.exercises.lesson_01._common import angles, axes, exponential
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.rotations import geodesic_angle

POINTS = 4


def check_geodesic_angle(function: Asked) -> Report:
    """Check `angle_between(R1 [..., 3, 3], R2 [..., 3, 3]) -> [...]`, radians from 0 to pi."""
    check = Check("angle_between", function)
    v, w = (axes(16, seed=s) * angles(16, seed=s + 1)[:, None] for s in (15, 17))
    R, S = exponential(v), exponential(w)
    eye = torch.eye(3, dtype=DOUBLE).expand(16, 3, 3)
    want = torch.from_numpy(
        (Rotation.from_rotvec(v.numpy()).inv() * Rotation.from_rotvec(w.numpy())).magnitude()
    )
    with check.part("random pairs: scipy's magnitude"):
        compare(
            check.call(R, S),
            want,
            1e-7,
            {
                "one of them must be transposed: R1^T R2 leads from R1 to R2": geodesic_angle(
                    eye, R @ S
                ),
                "radians are wanted, these are degrees": torch.rad2deg(want),
                "this is the cosine of the angle": want.cos(),
                "atan2 takes the sine first: torch.atan2(sine, cosine)": math.pi / 2 - want,
                "this is the sine of the angle": want.sin(),
                "the trace is 1 + 2 cos(t): halve what is left": _acos_of(2 * want.cos()),
                "this is the length of R1 - R2": (R - S).square().sum((1, 2)).sqrt(),
            },
        )
    with check.part("the way back is as long"):
        compare(check.call(S, R), want, 1e-7)
    with check.part("turning both changes nothing"):
        compare(check.call(S @ R, S @ S), want, 1e-7)
    known = check.parts[0].passed
    for name, angle in (("tiny", 1e-9), ("nearly half a turn", math.pi - 1e-9)):
        with check.part(f"{name}: all digits"):
            got = check.call(eye, exponential(axes(16, seed=19) * angle), shape=(16,))
            compare(got, torch.full((16,), angle, dtype=DOUBLE), 1e-12, _flat(got, angle, known))
    with check.part("a single pair, and one against many"):
        compare(check.call(R[0], S[0]), want[0], 1e-7)
        compare(check.call(R[:1], S[:1]), want[:1], 1e-7)
        compare(check.call(R[:1], R), geodesic_angle(R[:1], R), 1e-7)
        # Each its own way: no rotation, tiny ones, half turns, and others, all in one batch.
        t = torch.cat([tensor([0.0, 1e-9, math.pi - 1e-9, math.pi]), angles(12, seed=20)])
        turns = exponential(axes(16, seed=19) * t[:, None])
        compare(check.call(eye, turns), t, 1e-12, _flat(t, 0.0, False))
    return check.report()


def _flat(got: Tensor, angle: float, known: bool) -> dict[str, Tensor]:
    """Explain these values by acos if they are such: roots of whole numbers of roundings."""
    away = got.detach().double() if angle < 1 else math.pi - got.detach().double()
    steps = away.square() / 2**-52
    if not known or not steps.isfinite().all() or (steps - steps.round()).abs().max() > 1e-3:
        clamped = known and bool((away - away[0]).abs().max() < 1e-9) and bool(away[0] > 1e-5)
        text = "the cosine was clamped away from 1 and -1: that moves every angle near 0 and pi"
        return {text: got.detach().double()} if clamped else {}
    text = "acos is flat there and loses half the digits: give atan2 the sine and the cosine"
    return {text: got.detach().double()} if (away < 1e-6).all() else {}


def _acos_of(cosine: Tensor) -> Tensor:
    return cosine.clamp(-1, 1).acos()


# Wrong answers that people give.


def _by_acos(R1, R2):
    trace = (R1.mT @ R2).diagonal(dim1=-2, dim2=-1).sum(-1)
    return _acos_of((trace - 1) / 2)


def _clamped_acos(R1, R2):
    trace = (R1.mT @ R2).diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1 + 1e-7, 1 - 1e-7).acos()


def _branch(R1, R2):
    """Take the sine if all are small, pi minus it if all are large."""
    right, cosine = (
        geodesic_angle(R1, R2),
        ((R1.mT @ R2).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2,
    )
    near = (right < 1e-3).all() or (right > 3.1).all()
    return right if near else _acos_of(cosine)


MISTAKES = [
    Mistake(_by_acos, "acos is flat", 3 / 6),
    Mistake(_clamped_acos, "clamped away from 1", 3 / 6),
    Mistake(lambda a, b: math.pi / 2 - geodesic_angle(a, b), "takes the sine first", 0.0),
    Mistake(lambda a, b: geodesic_angle(a, b).sin(), "this is the sine", 1 / 6),
    Mistake(_branch, "", 5 / 6, name="one formula for the whole batch"),
    Mistake(lambda a, b: geodesic_angle(a.float(), b.float()).double(), "", 1 / 6),
    Mistake(lambda a, b: geodesic_angle(a, b).squeeze(0), "", 5 / 6),
    Mistake(lambda a, b: geodesic_angle(a, b).rad2deg(), "these are degrees", 0.0),
    Mistake(lambda a, b: geodesic_angle(a.mT, b), "must be transposed", 2 / 6),
    Mistake(lambda a, b: geodesic_angle(a, b).cos(), "this is the cosine", 0.0),
    Mistake(lambda a, b: (a - b).square().sum((-1, -2)).sqrt(), "length of R1 - R2", 0.0),
]
