"""Exercise of lesson 03, `translation_from_points`: where a body stands."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, normal, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6


def check_translation_from_points(function: Asked) -> Report:
    """Check `translation_from_points(points [N, 3], keypoints2d [N, 2], visibility [N], focal)`."""
    check = Check("translation_from_points", function)
    points = 0.4 * normal(109, 12, 3)
    true = tensor([0.2, -0.3, 6.0]) + 0.1 * normal(110, 3)
    seen = torch.ones(12, dtype=DOUBLE)
    moved = points + true
    exact = 4.0 * moved[:, :2] / moved[:, 2:]
    half = (torch.arange(12) % 2).to(DOUBLE)
    slips = {
        "the depth has the wrong sign": true * tensor([1.0, 1, -1]),
        "the order is (t_x, t_y, t_z): the depth comes last": true[[2, 0, 1]],
        "this is where the body is minus where it should be": -true,
    }
    with check.part("exact keypoints: the translation they were made with"):
        compare(check.call(points, exact, seen, 4.0), true, 1e-7, slips)
    with check.part("another focal length"):
        four = {"use the argument `focal`": _solve(points, exact * 2.5, seen, 4.0)}
        compare(check.call(points, exact * 2.5, seen, 10.0), true, 1e-7, slips | four)
    noisy = exact + 0.05 * normal(111, 12, 2)
    with check.part("keypoints that nobody saw do not count"):
        junk = torch.where(half[:, None] > 0, exact, 50.0)
        everything = _solve(points, junk, seen, 4.0)
        slips |= {"leave out what is not visible: multiply both sides by it": everything}
        compare(check.call(points, junk, half, 4.0), true, 1e-7, slips)
        some = _solve(points, noisy, half, 4.0)
        compare(check.call(points, noisy, half, 4.0), some, 1e-6)
    with check.part("noisy keypoints: NumPy's least squares"):
        want = _solve(points, noisy, seen, 4.0)
        compare(check.call(points, noisy, seen, 4.0), want, 1e-6)
    return check.report()


def _solve(points: Tensor, keypoints: Tensor, seen: Tensor, focal: float) -> Tensor:
    """Solve F (X + tx) = x (Z + tz), and the same for y, by NumPy's least squares."""
    A = np.zeros((24, 3))
    A[0::2, 0] = A[1::2, 1] = focal
    A[:, 2] = -keypoints.numpy().reshape(-1)
    b = (keypoints * points[:, 2:] - focal * points[:, :2]).numpy().reshape(-1)
    rows = seen.numpy().repeat(2)
    return torch.from_numpy(np.linalg.lstsq(A * rows[:, None], b * rows, rcond=None)[0])


# Wrong answers that people give.


def _translation(points, x, seen, focal, sign=1.0, weigh=True):
    zero, f = torch.zeros_like(seen), torch.full_like(seen, focal)
    A = torch.cat([torch.stack([f, zero, -x[:, 0]], 1), torch.stack([zero, f, -x[:, 1]], 1)])
    b = ((x * points[:, 2:]) - focal * points[:, :2]).T.flatten()
    w = seen.repeat(2) if weigh else torch.ones(len(b)).to(b)
    t = torch.linalg.lstsq(A * w[:, None], (b * w)[:, None]).solution[:, 0]
    return sign * t


def _single(value):
    return value.float() if isinstance(value, torch.Tensor) else value


def _first_six(points, x, seen, focal):
    few = torch.zeros_like(seen)
    few[:6] = seen[:6]
    return _translation(points, x, few, focal)


MISTAKES = [
    Mistake(lambda *a: _translation(*a, weigh=False), "not visible", 3 / 4),
    Mistake(lambda *a: _translation(*a, sign=-1.0), "minus where", 0.0),
    Mistake(lambda *a: _translation(*a) * tensor([1.0, 1.0, -1.0]), "wrong sign", 0.0),
    Mistake(lambda p, x, v, f: _translation(p, x, v, 4.0), "use the argument `focal`", 3 / 4),
    Mistake(lambda p, x, v, f: _translation(p, x, v.repeat(1), f)[[2, 0, 1]], "comes last", 0.0),
    Mistake(lambda *a: _translation(*[_single(x) for x in a]).double(), "", None),
    Mistake(lambda p, x, v, f: _first_six(p, x, v, f), "", None, name="only six keypoints"),
]
