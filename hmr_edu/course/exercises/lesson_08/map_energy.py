"""Exercise of lesson 08, `map_energy`: the energy of a heat-map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, slopes_of, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6


def check_map_energy(function: Asked) -> Report:
    """Check `map_energy(probability [B, K, H, W], columns [W], rows [H], points [B, K, 2], ...)`.

    The other arguments are `sigma` and `doubt`; the result is [B].
    """
    check = Check("map_energy", function)
    sigma, doubt = 0.15, 1e-3

    with check.part("by hand: all of a map in one cell, the point one sigma beside it"):
        one = torch.zeros(1, 1, 2, 3, dtype=DOUBLE)
        one[0, 0, 1, 2] = 1.0
        columns, rows = tensor([-0.6, 0.0, 0.6]), tensor([-0.5, 0.5])
        point = tensor([[[0.6 + sigma, 0.5]]])
        want = -torch.log(torch.exp(tensor([-0.5])) + doubt)
        mistakes = {
            "the factor 1/2 of the Gaussian is missing: exp(-d^2 / (2 sigma^2))": -torch.log(
                torch.exp(tensor([-1.0])) + doubt
            ),
            "add `doubt` inside of the logarithm": tensor([0.5 + doubt]),
            "energy is MINUS the logarithm": -want,
        }
        got = check.call(one, columns, rows, point, sigma, doubt)
        compare(got, want, 1e-9, mistakes)

    g = inputs(3)
    logits = 3 * draw(g, 3, 4, 5, 8)
    probability = logits.flatten(2).softmax(-1).view_as(logits)
    columns, rows = ((2 * torch.arange(n, dtype=DOUBLE) + 1) / n - 1 for n in (8, 5))
    points = 0.5 * draw(g, 3, 4, 2)

    with check.part("a mixture: every cell speaks, as loudly as it is probable"):
        want = _mixture(probability, columns, rows, points, sigma, doubt)
        distance = _distances(columns, rows, points) / (2 * sigma**2)
        places = (probability[..., None] * _grid(columns, rows)).sum((-3, -2))
        middle = (points - places).square().sum(-1) / (2 * sigma**2)
        mistakes = {
            "sum over the cells first, then take the logarithm": (probability * distance).sum(
                (-3, -2, -1)
            ),
            "keep the map: its mean place is what we want to get away from": -torch.log(
                torch.exp(-middle) + doubt
            ).sum(-1),
            "sum over the keypoints, not the mean": want / 4,
            "one logarithm for each keypoint, then the sum over keypoints": -torch.log(
                torch.exp(-distance).mul(probability).sum((-3, -2, -1)) + doubt
            ),
            "the brightest cell alone is not the mixture: sum over all cells": -torch.log(
                (probability * torch.exp(-distance)).amax((-2, -1)) + doubt
            ).sum(-1),
        }
        got = check.call(probability, columns, rows, points, sigma, doubt)
        compare(got, want, 1e-8, mistakes)

        # One keypoint; another sigma, another doubt.
        others = probability[:, :1], columns, rows, points[:, :1], 0.3, 1e-2
        compare(check.call(*others), _mixture(*others), 1e-8)

    with check.part("x belongs to the columns, y to the rows"):
        square = probability[..., :5]
        want = _mixture(square, rows, rows, points, sigma, doubt)
        swapped = _mixture(square, rows, rows, points.flip(-1), sigma, doubt)
        hint = {"x and y are exchanged: rows are y, columns are x": swapped}
        compare(check.call(square, rows, rows, points, sigma, doubt), want, 1e-8, hint)

    with check.part("far from everything: doubt keeps it finite"):
        far = torch.full_like(points, 50.0)
        want = tensor([-4 * np.log(doubt)]).expand(3)
        got = check.call(probability, columns, rows, far, sigma, doubt)
        compare(got, want, 1e-8)
        # One person; and the way back to the points.
        given = [probability, columns, rows, points, sigma, doubt]
        here = check.call(*given, shape=(3,)).detach()
        alone = check.call(probability[:1], columns, rows, points[:1], sigma, doubt)
        compare(alone, here[:1], 1e-8)
        slopes_of(check, given, [3], here, 1e-8)
    return check.report()


def _grid(columns: Tensor, rows: Tensor) -> Tensor:
    """Return the places (x, y) of the cells, [H, W, 2]."""
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1)


def _distances(columns: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Return the squared distances of every point to every cell, [B, K, H, W]."""
    return (points[..., None, None, :] - _grid(columns, rows)).square().sum(-1)


def _mixture(
    probability: Tensor, columns: Tensor, rows: Tensor, points: Tensor, sigma: float, doubt: float
) -> Tensor:
    """Sum the energy cell by cell."""
    density = torch.exp(-_distances(columns, rows, points) / (2 * sigma**2))
    return -torch.log((probability * density).sum((-2, -1)) + doubt).sum(-1)


# Wrong answers that people give.


def _energy(p, columns, rows, points, sigma, doubt, half=0.5, swap=False, reduce=torch.sum):
    points = points.flip(-1) if swap else points
    gx = torch.exp(-half * ((points[..., :1] - columns) / sigma) ** 2)
    gy = torch.exp(-half * ((points[..., 1:] - rows) / sigma) ** 2)
    likelihood = torch.einsum("bkhw,bkh,bkw->bk", p, gy, gx)
    return -reduce((likelihood + doubt).log(), 1)


def _mean_place(p, columns, rows, points, sigma, doubt):
    x, y = (p.sum(2) * columns).sum(-1), (p.sum(3) * rows).sum(-1)
    squared = (points - torch.stack([x, y], -1)).square().sum(-1)
    return -(torch.exp(-squared / (2 * sigma**2)) + doubt).log().sum(1)


def _mean_distance(p, columns, rows, points, sigma, doubt):
    dx, dy = points[..., :1] - columns, points[..., 1:] - rows
    squared = dx.square()[..., None, :] + dy.square()[..., None]
    return (p * squared).sum((1, 2, 3)) / (2 * sigma**2)


def _doubt_outside(p, columns, rows, points, sigma, doubt):
    return _energy(p, columns, rows, points, sigma, 0.0) + doubt


MISTAKES = [
    Mistake(lambda *a: _energy(*a, half=1.0), "factor 1/2", 1 / 4),
    Mistake(lambda *a: _energy(*a, swap=True), "", 1 / 4),
    Mistake(lambda *a: _energy(*a, reduce=torch.mean), "not the mean", 1 / 4),
    Mistake(_mean_place, "get away from", 2 / 4),
    Mistake(_mean_distance, "then take the logarithm", 0.0),
    Mistake(_doubt_outside, "inside of the logarithm", 0.0),
    Mistake(lambda *a: -_energy(*a), "MINUS", 0.0),
    Mistake(lambda *a: _energy(*a).squeeze(0), "", None, name="one person squeezed"),
    Mistake(lambda p, c, r, x, *a: _energy(p, c, r, x.detach(), *a), "is cut", 3 / 4),
    Mistake(lambda p, c, r, x, s, d: _energy(p, c, r, x, s, 1e-3), "", 3 / 4, name="a fixed doubt"),
]
