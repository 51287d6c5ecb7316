"""Exercise of lesson 03, `fit_camera`: the least-squares camera."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, require
from hmr_edu.course.exercises._common import DOUBLE, normal, slopes_of, tensor
from hmr_edu.course.exercises.lesson_03._common import people
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_fit_camera(function: Asked) -> Report:
    """Check `fit_camera(points [B, N, 3], keypoints2d [B, N, 2], visibility [B, N]) -> [B, 3]`."""
    check = Check("fit_camera", function)
    points, away = people(4, 19), 1 + people(1, 4, seed=5)[0].abs()
    camera = away * tensor([0.9, 0.1, -0.2])
    exact = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    seen = torch.ones(4, 19, dtype=DOUBLE)

    with check.part("finds the camera that made the keypoints"):
        compare(check.call(points, exact, seen), camera, 1e-8, _fit_mistakes(points, exact, seen))

    noisy = exact + 0.1 * normal(6, *exact.shape)
    with check.part("noisy keypoints: as numpy.linalg.lstsq"):
        want = _lstsq(points, noisy, seen)
        compare(check.call(points, noisy, seen), want, 1e-8, _fit_mistakes(points, noisy, seen))

    with check.part("hidden keypoints do not count"):
        some = seen.clone()
        some[:, ::3] = 0
        want = _lstsq(points, noisy, some)
        ignored = {
            "you did not use `visibility`: hidden keypoints moved the camera": _lstsq(
                points, noisy, seen
            )
        }
        mistakes = (
            ignored | _fit_mistakes(points, noisy, some) | _half_weighted(points, noisy, some)
        )
        compare(check.call(points, noisy, some), want, 1e-8, mistakes)

    with check.part("a body that is upside down gets a negative scale"):
        turned = -exact
        want = _lstsq(points, turned, seen)
        got = check.call(points, turned, seen, shape=(4, 3))
        means = turned.mean(1), points[..., :2].mean(1)
        scale = want[:, :1].abs()
        no_sign = "the sign of the scale is part of the answer: no abs, no clamp"
        slips = {
            no_sign: torch.cat([scale, means[0] / scale - means[1]], 1),
            f"{no_sign} at the end": torch.cat([scale, want[:, 1:]], 1),
        }
        if (got[:, 0] >= 0).all() and got[:, 0].max() < 0.2:  # a clamp to something small
            slips = {no_sign: got.detach()}
        compare(got, want, 1e-8, slips)

    with check.part("gradients flow through it"):
        here = check.call(points, noisy, seen, shape=(4, 3)).detach()
        slopes = slopes_of(check, [points, noisy, seen], [0, 1], here, 1e-8)
        finite = all(slope.isfinite().all() for slope in slopes)
        require(finite, "a gradient is NaN or infinite")
        compare(check.call(points[:1], noisy[:1], seen[:1]), here[:1], 1e-8)
    return check.report()


def _lstsq(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> Tensor:
    """Solve the same question as a linear system in (s, s tx, s ty), with NumPy."""
    cameras = []
    for X, x, v in zip(points.numpy(), keypoints2d.numpy(), visibility.numpy(), strict=True):
        w, one, zero = np.sqrt(v), np.ones(len(X)), np.zeros(len(X))
        rows = np.concatenate(
            [
                np.stack([X[:, 0], one, zero], 1) * w[:, None],
                np.stack([X[:, 1], zero, one], 1) * w[:, None],
            ]
        )
        s, sx, sy = np.linalg.lstsq(rows, np.concatenate([x[:, 0] * w, x[:, 1] * w]), rcond=None)[0]
        cameras.append((s, sx / s, sy / s))
    return tensor(cameras)


def _fit_mistakes(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> dict[str, Tensor]:
    """Return what the usual slips in the closed form give."""
    right = _lstsq(points, keypoints2d, visibility)
    v = visibility[..., None]
    X, x = points[..., :2], keypoints2d
    X_mean, x_mean = ((v * a).sum(1) / v.sum(1) for a in (X, x))
    s = right[:, :1]
    raw = ((v * X * x).sum((1, 2)) / (v * X * X).sum((1, 2)))[:, None]
    dX, dx = X - X_mean[:, None], x - x_mean[:, None]
    other_way = ((v * dx * dx).sum((1, 2)) / (v * dX * dx).sum((1, 2)))[:, None]
    ratio = ((v * dx * dx).sum((1, 2)) / (v * dX * dX).sum((1, 2))).sqrt()[:, None]

    def join(scale: Tensor) -> Tensor:
        return torch.cat([scale, x_mean / scale - X_mean], -1)

    return {
        "centre both sets first: subtract their means before you compute s": join(raw),
        "t is in metres: x = s (X + t), so t = mean(x) / s - mean(X)": torch.cat(
            [s, x_mean - s * X_mean], -1
        ),
        "t = mean(x) / s - mean(X): divide the image's mean by s": torch.cat(
            [s, x_mean - X_mean], -1
        ),
        "s divides by the spread of the body, sum v |dX|^2, not by that of the image": join(
            other_way
        ),
        "the ratio of the two spreads is no least squares: s = sum dX dx / sum dX dX": join(ratio),
    }


def _half_weighted(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> dict[str, Tensor]:
    """Return what a fit gives that weights only the means, only the sums, or only one sum."""
    v, X, x = visibility[..., None], points[..., :2], keypoints2d
    one = torch.ones_like(v)

    def fit(counts: Tensor, mean_by: Tensor, above: Tensor, below: Tensor) -> Tensor:
        X_mean, x_mean = ((counts * a).sum(1, keepdim=True) / mean_by for a in (X, x))
        dX, dx = X - X_mean, x - x_mean
        s = (above * dX * dx).sum((1, 2)) / (below * dX * dX).sum((1, 2))
        return torch.cat([s[:, None], (x_mean / s[:, None, None] - X_mean)[:, 0]], -1)

    seen, all_points = v.sum(1, keepdim=True), one.sum(1, keepdim=True)
    means = "the means count hidden keypoints: mean X = sum v X / sum v, and so for x"
    return {
        means: fit(one, all_points, v, v),
        "divide the sums of the means by the sum of v, not by N: mean X = sum v X / sum v": fit(
            v, all_points, v, v
        ),
        "weight the means AND both sums of s by v: here the sums count hidden keypoints": fit(
            v, seen, one, one
        ),
        "weight the means AND both sums of s by v: the upper sum counts hidden keypoints": fit(
            v, seen, one, v
        ),
        "weight the means AND both sums of s by v: the lower sum counts hidden keypoints": fit(
            v, seen, v, one
        ),
    }


# Wrong answers that people give.


def _fit(answer):
    """Make a camera fit from a formula of the visible means, the centred points and s."""

    def function(points, keypoints2d, visibility):
        v, X, x = visibility[..., None], points[..., :2], keypoints2d
        X_mean = (v * X).sum(1, keepdim=True) / v.sum(1, keepdim=True)
        x_mean = (v * x).sum(1, keepdim=True) / v.sum(1, keepdim=True)
        dX, dx = X - X_mean, x - x_mean
        s = ((v * dX * dx).sum((1, 2)) / (v * dX * dX).sum((1, 2)))[:, None]
        return torch.cat(answer(v, X, x, dX, dx, X_mean[:, 0], x_mean[:, 0], s), 1)

    return function


def _weighted(means, divisor, above, below):
    """Make a camera fit that uses visibility ("v") only in some of its sums ("1" elsewhere)."""

    def function(points, x, visibility):
        weights = {"v": visibility[..., None], "1": torch.ones_like(visibility)[..., None]}
        X, n = points[..., :2], weights[divisor].sum(1, keepdim=True)
        X_mean, x_mean = ((weights[means] * a).sum(1, keepdim=True) / n for a in (X, x))
        dX, dx = X - X_mean, x - x_mean
        s = _total(weights[above], dX * dx)[0] / _total(weights[below], dX * dX)[0]
        return torch.cat([s, x_mean[:, 0] / s - X_mean[:, 0]], 1)

    return function


def _total(v, *values):
    """Sum over two axes, as the formulas of the slips need it, [B, 1]."""
    return [(v * value).sum((1, 2))[:, None] for value in values]


def _centre_forgotten(v, X, x, dX, dx, X_mean, x_mean, s):
    Xx, XX = _total(v, X * x, X * X)
    return Xx / XX, x_mean * XX / Xx - X_mean


_fitted = _fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s, x_mean / s - X_mean))

MISTAKES = [
    Mistake(_fit(_centre_forgotten), "centre both sets", 1 / 5, name="not centred"),
    Mistake(
        _fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s, x_mean - s * X_mean)),
        "t is in metres",
        1 / 5,
        name="t in the image",
    ),
    Mistake(
        _fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s, x_mean - X_mean)),
        "divide the image's mean",
        1 / 5,
        name="mean not divided",
    ),
    Mistake(
        _fit(
            lambda v, X, x, dX, dx, X_mean, x_mean, s: (
                r := (_total(v, dx * dx)[0] / _total(v, dX * dX)[0]).sqrt(),
                x_mean / r - X_mean,
            )
        ),
        "ratio of the two spreads",
        2 / 5,
        name="ratio of spreads",
    ),
    Mistake(
        _fit(
            lambda v, X, x, dX, dx, X_mean, x_mean, s: (
                r := _total(v, dx * dx)[0] / _total(v, dX * dx)[0],
                x_mean / r - X_mean,
            )
        ),
        "spread of the body",
        3 / 5,
        name="the other regression",
    ),
    Mistake(
        _fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s.abs(), x_mean / s.abs() - X_mean)),
        "no abs, no clamp",
        4 / 5,
        name="scale made positive",
    ),
    Mistake(
        lambda X, x, v: _fit(lambda v, X, x, dX, dx, Xm, xm, s: (s, xm / s - Xm))(
            X, x, torch.ones_like(v)
        ),
        "did not use `visibility`",
        4 / 5,
        name="visibility ignored",
    ),
    Mistake(_weighted("1", "1", "v", "v"), "means count hidden", 4 / 5, name="means of all"),
    Mistake(_weighted("v", "1", "v", "v"), "not by N", 4 / 5, name="means over N"),
    Mistake(_weighted("v", "v", "1", "1"), "AND both sums", 4 / 5, name="sums of all"),
    Mistake(_weighted("v", "v", "1", "v"), "the upper sum", 4 / 5, name="upper sum of all"),
    Mistake(_weighted("v", "v", "v", "1"), "the lower sum", 4 / 5, name="lower sum of all"),
    Mistake(
        lambda X, x, v: _fit(lambda v, X, x, dX, dx, Xm, xm, s: (s, xm / s - Xm))(X.detach(), x, v),
        "is cut",
        4 / 5,
        name="detached",
    ),
    Mistake(lambda X, x, v: _fitted(X, x, v).squeeze(0), "keep every leading", 4 / 5),
    Mistake(lambda X, x, v: _fitted(X.float(), x.float(), v.float()).double(), "", 1 / 5),
    Mistake(
        _fit(lambda v, X, x, dX, dx, Xm, xm, s: (r := s.clamp(min=1e-3), xm / r - Xm)),
        "no abs, no clamp",
        4 / 5,
        name="scale clamped",
    ),
    Mistake(
        _fit(lambda v, X, x, dX, dx, Xm, xm, s: (r := s.mean(0, True).expand_as(s), xm / r - Xm)),
        "",
        0.0,
        name="one scale for all",
    ),
]
