"""Exercise of lesson 08, `pck_of_box`: PCK on photographs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_pck_of_box(function: Asked) -> Report:
    """Check `pck_of_box(predicted, annotated, visible, boxes, share) -> []`."""
    check = Check("pck_of_box", function)
    g = inputs(0)

    with check.part("by hand: a box of 50 by 100, and keypoints 19 and 21 pixels off"):
        marked, found = torch.zeros(1, 2, 2, dtype=DOUBLE), tensor([[[19.0, 0.0], [0.0, 21.0]]])
        box, both = tensor([[-25.0, -50.0, 25.0, 50.0]]), torch.ones(1, 2, dtype=DOUBLE)
        mistakes = {
            "the limit is a share of the LONGER side of the box": tensor(0.0),
            "the limit is `share` times the side of the box, not its diagonal": tensor(1.0),
        }
        compare(check.call(found, marked, both, box, 0.2), tensor(0.5), 1e-9, mistakes)

    boxes = torch.cat([torch.zeros(6, 2, dtype=DOUBLE), 40 + 60 * uniform(g, 6, 2)], 1)
    boxes = boxes + 500 * uniform(g, 6, 1)
    marked = boxes[:, None, :2] + 50 * uniform(g, 6, 9, 2)
    found = marked + 15 * draw(g, 6, 9, 2)
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

    with check.part("what is not annotated does not count"):
        some = (uniform(g, 6, 9) > 0.5).double()
        some[:, 0], some[0] = 1.0, 0.0
        some[0, 0] = 1.0
        junk = torch.where(some[..., None] > 0, marked, found)
        near = _near(found, junk, boxes, 0.2)
        mistakes = {
            "divide by the number of ANNOTATED keypoints of each person": (near * some).mean(),
            "a share for each person first, then the mean over people": (near * some).sum()
            / some.sum(),
            "you did not use `visible`": near.mean(),
        }
        compare(check.call(found, junk, some, boxes, 0.2), _mean(near, some), 1e-9, mistakes)

    with check.part("another share"):
        want = _mean(_near(found, marked, boxes, 0.1), seen)
        fixed = {"use the argument `share`": _mean(_near(found, marked, boxes, 0.2), seen)}
        compare(check.call(found, marked, seen, boxes, 0.1), want, 1e-9, fixed)
        one = [a[:1] for a in (found, marked, seen, boxes)]
        compare(check.call(*one, 0.1), _mean(_near(*one[:2], one[3], 0.1), one[2]), 1e-9)
        # A tall box, a wide one; and exactly at the limit, which is near enough.
        wide = tensor([[0.0, 0, 100, 50], [0, 0, 50, 100]])
        zero, at = torch.zeros(2, 1, 2, dtype=DOUBLE), tensor([[[0.0, 25]], [[25, 0]]])
        both = torch.ones(2, 1, dtype=DOUBLE)
        edge = {"at most: exactly at the limit is near enough, <=": tensor(0.0)}
        compare(check.call(at, zero, both, wide, 0.25), tensor(1.0), 1e-9, edge)
    return check.report()


def _side(boxes: Tensor) -> Tensor:
    """Return the longer side of boxes (x0, y0, x1, y1)."""
    return torch.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def _near(found: Tensor, marked: Tensor, boxes: Tensor, share: float) -> Tensor:
    """Return 1 where a keypoint is near enough, by NumPy's hypot."""
    off = (found - marked).numpy()
    distance = torch.from_numpy(np.hypot(off[..., 0], off[..., 1]))
    return (distance <= share * _side(boxes)[:, None]).double()


def _mean(near: Tensor, seen: Tensor) -> Tensor:
    """Return the mean over people of each person's share."""
    return ((near * seen).sum(1) / seen.sum(1)).mean()


# Wrong answers that people give.


def _pck(found, marked, visible, boxes, share=0.2, side=torch.amax, near=None, pool=False):
    limit = share * side(boxes[:, 2:] - boxes[:, :2], 1)[:, None]
    near = ((found - marked).norm(dim=-1) <= limit) if near is None else near(found, marked, limit)
    if pool:
        return (near * visible).sum() / visible.sum()
    return ((near * visible).sum(1) / visible.sum(1)).mean()


def _blind_pck(found, marked, visible, boxes, share=0.2):
    return _pck(found, marked, torch.ones_like(visible), boxes, share)


def _divided_by_all(found, marked, visible, boxes, share=0.2):
    limit = share * (boxes[:, 2:] - boxes[:, :2]).amax(1)[:, None]
    return (((found - marked).norm(dim=-1) <= limit) * visible).mean()


MISTAKES = [
    Mistake(lambda *a: _pck(*a, side=torch.amin), "LONGER side", 0.0),
    Mistake(lambda *a: _pck(*a, side=lambda b, d: b.norm(dim=d)), "not its diagonal", 0.0),
    Mistake(
        lambda *a: _pck(*a, near=lambda f, m, limit: (f - m).abs().amax(-1) <= limit),
        "length of the difference",
        None,
    ),
    Mistake(lambda *a: _pck(*a, pool=True), "a share for each person first", 3 / 4),
    Mistake(_blind_pck, "did not use `visible`", 3 / 4),
    Mistake(_divided_by_all, "ANNOTATED keypoints", 3 / 4),
    Mistake(lambda f, m, v, b, share=0.2: _pck(f, m, v, b), "use the argument `share`", 3 / 4),
    Mistake(lambda *a: _pck(*a, near=lambda f, m, x: (f - m).norm(dim=-1) < x), "<=", 3 / 4),
    Mistake(lambda *a: _pck(*a, side=lambda b, d: b[:, 1]), "", None, name="the height"),
    Mistake(lambda *a: _pck(*a)[None], "single number", 0.0),
    Mistake(lambda f, m, v, b, s=0.2: _pck(f, m, v, b[:1].expand_as(b), s), "", None),
]
