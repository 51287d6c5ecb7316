"""Exercise of lesson 10, `into_the_box`: keypoints, some missing, in a box of their own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor, two_values, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
NAMES = "places, box"
TIGHT = 1e-9


def check_into_the_box(function: Asked) -> Report:
    """Check `into_the_box(keypoints2d [B, K, 2], confidence [B, K]) -> ([B, K, 2], [B, 3])`."""
    check = Check("into_the_box", function)
    g = inputs(0)

    def ask(keypoints2d: Tensor, confidence: Tensor) -> None:
        places, box = two_values(check, keypoints2d, confidence, names=NAMES)
        slips = _slips(keypoints2d, confidence)
        want = _by_numpy(keypoints2d, confidence)
        compare(box, want[1], TIGHT, {hint: slip[1] for hint, slip in slips.items()})
        compare(places, want[0], TIGHT, {hint: slip[0] for hint, slip in slips.items()})

    with check.part("by hand: (10, 20), (50, 20), (30, 100) have the box (30, 60), half-side 40"):
        three = tensor([[[10.0, 20.0], [50.0, 20.0], [30.0, 100.0]]])
        places, box = two_values(check, three, torch.ones(1, 3, dtype=DOUBLE), names=NAMES)
        slips = _slips(three, torch.ones(1, 3, dtype=DOUBLE))
        want = tensor([[30.0, 60.0, 40.0]])
        compare(box, want, TIGHT, {hint: slip[1] for hint, slip in slips.items()})
        want = tensor([[[-0.5, -1.0], [0.5, -1.0], [0.0, 1.0]]])
        compare(places, want, TIGHT, {hint: slip[0] for hint, slip in slips.items()})

    people = 300 * uniform(g, 5, 1, 2) + 60 * draw(g, 5, 9, 2) * (0.3 + uniform(g, 5, 1, 2))
    some = 0.05 + 0.9 * uniform(g, 5, 9)
    with check.part("everybody has a box of their own, whatever the unit"):
        ask(people, some)
        ask(people[:1] / 500, some[:1])

    missing = uniform(g, 5, 9) < 0.4
    missing[:, :2], missing[:, 8] = False, True
    told = torch.where(missing, 0.0, some)
    with check.part("what is missing makes no box, and is at (0, 0)"):
        ask(torch.where(missing[..., None], people + 2000.0, people), told)

    with check.part("NaN in the place of what is missing goes nowhere"):
        ask(torch.where(missing[..., None], torch.nan, people), told)

    with check.part("one keypoint, or none: the half-side is 1"):
        one = torch.zeros(5, 9, dtype=DOUBLE)
        one[:, 3] = 1.0
        one[0] = 0.0
        ask(people, one)
    return check.report()


def _by_numpy(keypoints2d: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """Compute places and boxes one person after the other."""
    places, boxes = np.zeros(keypoints2d.shape), np.zeros((len(keypoints2d), 3))
    for person, (points, sure) in enumerate(zip(keypoints2d.numpy(), confidence, strict=True)):
        there = [k for k in range(len(points)) if float(sure[k]) > 0]
        x, y = ([float(points[k][axis]) for k in there] or [0.0] for axis in (0, 1))
        middle = (min(x) + max(x)) / 2, (min(y) + max(y)) / 2
        half = max(max(x) - min(x), max(y) - min(y)) / 2 or 1.0
        boxes[person] = *middle, half
        for k in there:
            places[person, k] = (points[k] - middle) / half
    return torch.from_numpy(places), torch.from_numpy(boxes)


# Wrong answers that people give.


def _answer(
    keypoints2d,
    confidence,
    *,
    least=0.0,
    side=torch.amax,
    whole=1,
    middle=None,
    batch=False,
    empty=1.0,
    cleaned=True,
):
    known = (confidence > least)[..., None]
    low = torch.where(known, keypoints2d, torch.inf).amin(1)
    high = torch.where(known, keypoints2d, -torch.inf).amax(1)
    nobody = ~known.any(1)
    low, high = low.masked_fill(nobody, 0.0), high.masked_fill(nobody, 0.0)
    if batch:
        low, high = low.amin(0).expand_as(low), high.amax(0).expand_as(high)
    centre = (low + high) / 2
    if middle == "mean":
        centre = torch.where(known, keypoints2d, 0.0).sum(1) / known.sum(1).clamp(min=1)
    elif middle == "corner":
        centre = low
    half = whole * side(high - low, 1)[:, None] / 2
    half = torch.where(half > 0, half, empty)
    places = (keypoints2d - centre[:, None]) / half[:, None]
    places = torch.where(known, places, 0.0) if cleaned else places
    return places, torch.cat([centre, half], 1)


def _everything(keypoints2d, confidence):
    """Take what is missing into the box, too."""
    return _answer(keypoints2d, torch.ones_like(confidence))


def _stretched(keypoints2d, confidence):
    """Divide x by the width and y by the height."""
    places, box = _answer(keypoints2d, confidence)
    size = places.amax(1) - places.amin(1)
    return 2 * places / torch.where(size > 0, size, 2.0)[:, None], box


def _zero_first(keypoints2d, confidence):
    """Set what is missing to (0, 0) before the box is made, and not after it."""
    known = (confidence > 0)[..., None]
    return _everything(torch.where(known, keypoints2d, 0.0), confidence)


def _multiplied(keypoints2d, confidence):
    """Clean by a product: 0 times NaN is NaN."""
    return _zero_by_product(_answer(keypoints2d, confidence, cleaned=False), confidence)


def _zero_by_product(answer, confidence):
    places, box = answer
    return places * (confidence > 0)[..., None], box


def _slips(keypoints2d: Tensor, confidence: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what the usual slips give, by their hints."""
    a = keypoints2d, confidence
    return {
        "that is the shorter side: half of the LONGER one": _answer(*a, side=torch.amin),
        "that is the whole side: the third number is half of it": _answer(*a, whole=2),
        "the middle of a box is half-way between its ends, not the mean": _answer(
            *a, middle="mean"
        ),
        "the first two numbers are the middle, not the corner": _answer(*a, middle="corner"),
        "one side for x and y: otherwise a thin person becomes a square": _stretched(*a),
        "each person has a box: smallest and largest over axis 1": _answer(*a, batch=True),
        "a keypoint of any confidence above 0 counts": _answer(*a, least=0.5),
        "what is missing must not stretch the box: torch.where(known, x, torch.inf).amin(1)": (
            _everything(*a)
        ),
        "(0, 0) would be in the box: leave what is missing out of smallest and largest": (
            _zero_first(*a)
        ),
        "what is missing is at (0, 0) in the box": _answer(*a, cleaned=False),
    }


MISTAKES = [
    Mistake(lambda x, c: _answer(x, c, side=torch.amin), "LONGER", None),
    Mistake(lambda x, c: _answer(x, c, whole=2), "the whole side", 1 / 5),
    Mistake(lambda x, c: _answer(x, c, middle="mean"), "half-way between its ends", 1 / 5),
    Mistake(lambda x, c: _answer(x, c, middle="corner"), "not the corner", 1 / 5),
    Mistake(_stretched, "a thin person becomes a square", 1 / 5),
    Mistake(lambda x, c: _answer(x, c, batch=True), "each person has a box", None),
    Mistake(lambda x, c: _answer(x, c, least=0.5), "any confidence above 0", None),
    Mistake(_everything, "must not stretch the box", 2 / 5),
    Mistake(_zero_first, "leave what is missing out", 2 / 5),
    Mistake(lambda x, c: _answer(x, c, cleaned=False), "is at (0, 0) in the box", None),
    Mistake(_multiplied, "NaN in what came in", 4 / 5),
    Mistake(lambda x, c: _answer(x, c, empty=1e-6), "", 4 / 5, name="a half-side of nearly 0"),
    Mistake(lambda x, c: _answer(x, c)[::-1], "", 0.0, name="the box first"),
    Mistake(lambda x, c: _answer(x, c)[0], "in this order", 0.0, name="no box"),
]
