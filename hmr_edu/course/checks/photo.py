"""Checks of lesson 08: scores on marked photographs, and what a picture says to a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Check, Report, compare, inputs

DOUBLE = torch.float64


def check_pck_of_box(function: Callable[..., Any]) -> Report:
    """Check `pck_of_box(found, marked [N, K, 2], visible [N, K], boxes [N, 4], share) -> []`."""
    check = Check("pck_of_box", function)
    g = inputs(0)

    with check.part("by hand: a box of 50 by 100, and keypoints 19 and 21 pixels off"):
        marked, found = torch.zeros(1, 2, 2, dtype=DOUBLE), _tensor([[[19.0, 0.0], [0.0, 21.0]]])
        box, both = _tensor([[-25.0, -50.0, 25.0, 50.0]]), torch.ones(1, 2, dtype=DOUBLE)
        mistakes = {
            "the limit is a share of the LONGER side of the box": _tensor(0.0),
            "the limit is `share` times the side of the box, not its diagonal": _tensor(1.0),
        }
        compare(check.call(found, marked, both, box, 0.2), _tensor(0.5), 1e-9, mistakes)

    boxes = torch.cat([torch.zeros(6, 2, dtype=DOUBLE), 40 + 60 * _uniform(g, 6, 2)], 1)
    boxes = boxes + 500 * _uniform(g, 6, 1)
    marked = boxes[:, None, :2] + 50 * _uniform(g, 6, 9, 2)
    found = marked + 15 * torch.randn(6, 9, 2, generator=g, dtype=DOUBLE)
    seen = torch.ones(6, 9, dtype=DOUBLE)

    with check.part("every person counts alike, every keypoint of a person too"):
        near = _near(found, marked, boxes, 0.2)
        off = (found - marked).abs()
        side = _side(boxes)[:, None]
        mistakes = {
            "distance is the length of the difference in x and y: .norm(dim=-1)": _mean(
                (off.amax(-1) <= 0.2 * side).double(), seen
            ),
            "a keypoint counts once, not its x and its y": (off <= 0.2 * side[..., None])
            .double()
            .mean(),
            "this is the share that is WRONG": 1 - _mean(near, seen),
        }
        compare(check.call(found, marked, seen, boxes, 0.2), _mean(near, seen), 1e-9, mistakes)

    with check.part("what is not marked does not count"):
        some = (_uniform(g, 6, 9) > 0.5).double()
        some[:, 0], some[0] = 1.0, 0.0
        some[0, 0] = 1.0
        junk = torch.where(some[..., None] > 0, marked, found)
        near = _near(found, junk, boxes, 0.2)
        mistakes = {
            "divide by the number of MARKED keypoints of each person": (near * some).mean(),
            "a share for each person first, then the mean over people": (near * some).sum()
            / some.sum(),
            "you did not use `visible`": near.mean(),
        }
        compare(check.call(found, junk, some, boxes, 0.2), _mean(near, some), 1e-9, mistakes)

    with check.part("another share"):
        want = _mean(_near(found, marked, boxes, 0.1), seen)
        fixed = {"use the argument `share`": _mean(_near(found, marked, boxes, 0.2), seen)}
        compare(check.call(found, marked, seen, boxes, 0.1), want, 1e-9, fixed)
    return check.report()


def check_shuffled_baseline(function: Callable[..., Any]) -> Report:
    """Check `shuffled_baseline(score, found [N, ...]) -> []`: the mean score of wrong answers."""
    check = Check("shuffled_baseline", function)

    def first(found: Tensor) -> Tensor:
        return found.flatten()[0]

    with check.part("by hand: three people, who answer 1, 2, 6; the score is the first answer"):
        found = _tensor([[1.0], [2.0], [6.0]])
        mistakes = {
            "leave out the shift by 0: that gives everybody their own answer": _tensor(3.0),
            "every shift from 1 to N - 1, not one of them": _tensor(6.0),
            "return the mean of the scores, not their sum": _tensor(8.0),
        }
        compare(_number(check.call(first, found)), _tensor(4.0), 1e-9, mistakes)

    g = inputs(1)
    found, marked = (torch.randn(7, 5, 2, generator=g, dtype=DOUBLE) for _ in range(2))

    def score(answers: Tensor) -> Tensor:
        return (answers - marked).norm(dim=-1).mean().square()

    with check.part("a score of keypoints: everybody's answer goes to everybody else"):
        scores = [score(torch.cat([found[k:], found[:k]])) for k in range(7)]
        mean_answer = score((found.sum(0, keepdim=True) - found) / 6)
        mistakes = {
            "leave out the shift by 0: that gives everybody their own answer": sum(scores) / 7,
            "one shift is chance; take them all": scores[1],
            "one shift is chance: take them all": scores[-1],
            "shift people (dim 0), not keypoints": sum(score(found.roll(k, 1)) for k in range(1, 7))
            / 6,
            "people and keypoints keep together: roll along dim 0": sum(
                score(found.roll(k)) for k in range(1, 7)
            )
            / 6,
            "the mean of the scores, not the score of the mean": mean_answer,
        }
        compare(_number(check.call(score, found)), sum(scores[1:]) / 6, 1e-9, mistakes)

    with check.part("two people change places"):
        compare(_number(check.call(first, found[:2])), found[1, 0, 0], 1e-9)
    return check.report()


def check_robust(function: Callable[..., Any]) -> Report:
    """Check `robust(squared [...], sigma, outlier) -> [...]`: Geman and McClure's penalty."""
    check = Check("robust", function)
    sigma, outlier = 0.05, 0.4
    d = _tensor([0.0, 1e-3, 1e-2])

    with check.part("near: half the squared distance in units of sigma"):
        want = d.square() / (1 + (d / outlier).square()) / (2 * sigma**2)
        mistakes = {
            "the factor 1/2 is missing: d^2 / (2 sigma^2)": 2 * want,
            "divide by sigma squared": want * sigma,
            "`squared` is squared already": d**4 / (1 + d**4 / outlier**2) / (2 * sigma**2),
        }
        compare(check.call(d.square(), sigma, outlier), want, 1e-9, mistakes)

    with check.part("far: a constant, outlier^2 / (2 sigma^2)"):
        limit = _tensor([outlier**2 / (2 * sigma**2)])
        mistakes = {
            "it must level off: divide by 1 + squared / outlier^2": _tensor([1e8 / (2 * sigma**2)]),
            "in the denominator, too, squared distances are compared with outlier SQUARED": limit
            / outlier,
        }
        compare(check.call(_tensor([1e8]), sigma, outlier), limit, 1e-3, mistakes)

    with check.part("at d = outlier it has come half the way"):
        half = _tensor([outlier**2 / (4 * sigma**2)])
        compare(check.call(_tensor([outlier**2]), sigma, outlier), half, 1e-6)

    with check.part("in between, and its slope"):
        x = 0.01 + _uniform(inputs(2), 3, 4)
        leaf = x.clone().requires_grad_()
        value = check.call(leaf, sigma, outlier)
        want = x * outlier**2 / (outlier**2 + x) / (2 * sigma**2)
        compare(value, want, 1e-6)
        (slope,) = torch.autograd.grad(value.sum(), leaf)
        compare(slope, (outlier**2 / (outlier**2 + x)).square() / (2 * sigma**2), 1e-6)
    return check.report()


def check_map_energy(function: Callable[..., Any]) -> Report:
    """Check `map_energy(probability [B, K, H, W], columns [W], rows [H], points [B, K, 2], ...)`.

    The other arguments are `sigma` and `doubt`; the result is [B].
    """
    check = Check("map_energy", function)
    sigma, doubt = 0.15, 1e-3

    with check.part("by hand: all of a map in one cell, the point one sigma beside it"):
        one = torch.zeros(1, 1, 2, 3, dtype=DOUBLE)
        one[0, 0, 1, 2] = 1.0
        columns, rows = _tensor([-0.6, 0.0, 0.6]), _tensor([-0.5, 0.5])
        point = _tensor([[[0.6 + sigma, 0.5]]])
        want = -torch.log(torch.exp(_tensor([-0.5])) + doubt)
        mistakes = {
            "the factor 1/2 of the Gaussian is missing: exp(-d^2 / (2 sigma^2))": -torch.log(
                torch.exp(_tensor([-1.0])) + doubt
            ),
            "add `doubt` inside of the logarithm": _tensor([0.5 + doubt]),
            "energy is MINUS the logarithm": -want,
        }
        got = check.call(one, columns, rows, point, sigma, doubt)
        compare(got, want, 1e-9, mistakes)

    g = inputs(3)
    logits = 3 * torch.randn(3, 4, 5, 8, generator=g, dtype=DOUBLE)
    probability = logits.flatten(2).softmax(-1).view_as(logits)
    columns, rows = ((2 * torch.arange(n, dtype=DOUBLE) + 1) / n - 1 for n in (8, 5))
    points = 0.5 * torch.randn(3, 4, 2, generator=g, dtype=DOUBLE)

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

    with check.part("x belongs to the columns, y to the rows"):
        square = probability[..., :5]
        want = _mixture(square, rows, rows, points, sigma, doubt)
        swapped = _mixture(square, rows, rows, points.flip(-1), sigma, doubt)
        hint = {"x and y are exchanged: rows are y, columns are x": swapped}
        compare(check.call(square, rows, rows, points, sigma, doubt), want, 1e-8, hint)

    with check.part("far from everything: doubt keeps it finite"):
        far = torch.full_like(points, 50.0)
        want = _tensor([-4 * np.log(doubt)]).expand(3)
        got = check.call(probability, columns, rows, far, sigma, doubt)
        compare(got, want, 1e-8)
    return check.report()


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=DOUBLE)


def _number(value: Any) -> Any:
    """Let a plain number pass for a tensor of one."""
    return _tensor(float(value)) if isinstance(value, int | float) else value


def _uniform(g: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=g, dtype=DOUBLE)


def _side(boxes: Tensor) -> Tensor:
    """The longer side of boxes (x0, y0, x1, y1)."""
    return torch.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def _near(found: Tensor, marked: Tensor, boxes: Tensor, share: float) -> Tensor:
    """1 where a keypoint is near enough, by NumPy's hypot."""
    off = (found - marked).numpy()
    distance = torch.from_numpy(np.hypot(off[..., 0], off[..., 1]))
    return (distance <= share * _side(boxes)[:, None]).double()


def _mean(near: Tensor, seen: Tensor) -> Tensor:
    """A share for each person, then the mean."""
    return ((near * seen).sum(1) / seen.sum(1)).mean()


def _grid(columns: Tensor, rows: Tensor) -> Tensor:
    """Places (x, y) of the cells, [H, W, 2]."""
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1)


def _distances(columns: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Squared distances of every point to every cell, [B, K, H, W]."""
    return (points[..., None, None, :] - _grid(columns, rows)).square().sum(-1)


def _mixture(
    probability: Tensor, columns: Tensor, rows: Tensor, points: Tensor, sigma: float, doubt: float
) -> Tensor:
    """The energy, cell by cell."""
    density = torch.exp(-_distances(columns, rows, points) / (2 * sigma**2))
    return -torch.log((probability * density).sum((-2, -1)) + doubt).sum(-1)
