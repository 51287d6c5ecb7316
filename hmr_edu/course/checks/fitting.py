"""Checks of lesson 03: what is fitted to keypoints, a camera and the energy of a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Check, Report, compare, require
from hmr_edu.course.checks.projection import DOUBLE, TIGHT, noise, people, tensor


def check_fit_camera(function: Callable[..., Any]) -> Report:
    """Check `fit_camera(points [B, N, 3], keypoints2d [B, N, 2], visibility [B, N]) -> [B, 3]`."""
    check = Check("fit_camera", function)
    points, away = people(4, 19), 1 + people(1, 4, seed=5)[0].abs()
    camera = away * tensor([0.9, 0.1, -0.2])
    exact = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    seen = torch.ones(4, 19, dtype=DOUBLE)

    with check.part("finds the camera that made the keypoints"):
        compare(check.call(points, exact, seen), camera, 1e-8, _fit_mistakes(points, exact, seen))

    noisy = exact + 0.1 * noise(exact.shape, 6)
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
        got = check.call(points, turned, seen)
        require(
            isinstance(got, Tensor) and got.shape == want.shape and bool((got[:, 0] < 0).all()),
            "the scale is not negative",
            "the sign of the scale is part of the answer: no abs, no clamp",
        )
        compare(got, want, 1e-8)

    with check.part("gradients flow through it"):
        leaf = points.clone().requires_grad_()
        result = function(leaf, noisy, seen)
        require(
            isinstance(result, Tensor) and result.requires_grad,
            "the camera does not depend on the points",
            "stay in torch from beginning to end: no numpy, no .detach(), no .item()",
        )
        result.sum().backward()
        require(bool(leaf.grad.isfinite().all()), "a gradient is NaN or infinite")
    return check.report()


def check_fit_energy(function: Callable[..., Any]) -> Report:
    """Check `fit_energy(projected, keypoints2d, visibility, log_prior, betas, sigma) -> [B]`."""
    check = Check("fit_energy", function)
    x, target = 0.3 * noise((3, 19, 2), 7), 0.3 * noise((3, 19, 2), 8)
    seen = (noise((3, 19), 9) > -0.5).to(DOUBLE)
    log_prior, betas, sigma = tensor([60.0, -20.0, 5.0]), noise((3, 10), 10), 0.02
    no_prior, no_betas = torch.zeros(3, dtype=DOUBLE), torch.zeros(3, 10, dtype=DOUBLE)
    d = (x - target).square().sum(-1)

    with check.part("by hand: one keypoint off by one sigma costs one half"):
        one = torch.zeros(1, 1, 2, dtype=DOUBLE)
        off = one + tensor([0.02, 0.0])
        zero, ten = torch.zeros(1, dtype=DOUBLE), torch.zeros(1, 10, dtype=DOUBLE)
        got = check.call(off, one, torch.ones(1, 1, dtype=DOUBLE), zero, ten, sigma)
        mistakes = {
            "the factor 1/2 of the Gaussian is missing: |x|^2 / (2 sigma^2)": tensor([1.0]),
            "divide by sigma squared, not by sigma": tensor([0.01]),
            "take the square of the distance: |x|^2 / (2 sigma^2)": tensor([25.0]),
            "divide by sigma squared: without it pixels and radians cannot be compared": tensor(
                [0.0002]
            ),
        }
        compare(got, tensor([0.5]), TIGHT, mistakes)

    with check.part("2D term: minus the log of a Gaussian, visible keypoints only"):
        normal = torch.distributions.Normal(target, sigma)
        highest = normal.log_prob(target)
        want = ((highest - normal.log_prob(x)).sum(-1) * seen).sum(-1)
        mistakes = {
            "hidden keypoints must not count: multiply by `visibility`": d.sum(-1) / (2 * sigma**2),
            "the sum over keypoints, not the mean": want / 19,
            "the sum over keypoints, not the mean: every seen keypoint is evidence": want
            / seen.sum(-1),
        }
        got = check.call(x, target, seen, no_prior, no_betas, sigma)
        _one_each(got)
        compare(got, want, 1e-6, mistakes)

    with check.part("likely poses have low energy"):
        got = check.call(x, x, seen, log_prior, no_betas, sigma)
        mistakes = {"energy is MINUS the log probability: subtract log_prior": log_prior}
        compare(got, -log_prior, TIGHT, mistakes)

    with check.part("betas: minus the log of a standard normal, up to a constant"):
        normal = torch.distributions.Normal(0.0, 1.0)
        want = (normal.log_prob(torch.zeros_like(betas)) - normal.log_prob(betas)).sum(-1)
        mistakes = {
            "the factor 1/2 is missing: |beta|^2 / 2": 2 * want,
            "the sum over the ten betas, not the mean": want / 10,
            "the square of the norm, not the norm": betas.norm(dim=-1) / 2,
        }
        compare(check.call(x, x, seen, no_prior, betas, sigma), want, 1e-7, mistakes)

    with check.part("the three terms add up"):
        got = check.call(x, target, seen, log_prior, betas, sigma)
        want = (d * seen).sum(-1) / (2 * sigma**2) - log_prior + betas.square().sum(-1) / 2
        compare(got, want, 1e-6)
    return check.report()


def _lstsq(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> Tensor:
    """The same question as a linear system in (s, s tx, s ty), answered by numpy."""
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
    """What the usual slips in the closed form give."""
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
    """What comes of weighting the means but not the sums, or one sum, or the other way round."""
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


def _one_each(got: Any) -> None:
    require(
        isinstance(got, Tensor) and got.ndim == 1,
        "one energy a person is wanted, shape [B]",
        "sum over keypoints and coordinates, not over the batch: .sum((1, 2))",
    )
