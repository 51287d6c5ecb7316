"""Exercise of lesson 10, `pretend`: a detector whose errors grow as its confidence falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
TIGHT = 1e-9


def check_pretend(function: Asked) -> Report:
    """Check `pretend(keypoints2d [B, K, 2], confidence [B, K], noise [B, K, 2], spread)`."""
    check = Check("pretend", function)
    g = inputs(0)

    def ask(*arguments, spread: float) -> None:
        want = _by_numpy(*arguments, spread)
        slips = _slips(*arguments, spread)
        compare(check.call(*arguments, spread), want, TIGHT, slips)

    with check.part("by hand: confidence 1/e, spread 0.1, a side of 80: 8 times the noise"):
        three = tensor([[[10.0, 20.0], [50.0, 20.0], [30.0, 100.0]]])
        noise = tensor([[[1.0, 0.0], [0.0, -1.0], [0.5, 0.5]]])
        want = three + 8 * noise
        sure = torch.full((1, 3), 1 / np.e, dtype=DOUBLE)
        slips = _slips(three, sure, noise, 0.1)
        compare(check.call(three, sure, noise, 0.1), want, TIGHT, slips)

    people = 300 * uniform(g, 4, 1, 2) + 60 * draw(g, 4, 8, 2) * (0.3 + uniform(g, 4, 1, 2))
    noise = draw(g, 4, 8, 2)
    some = 0.05 + 0.9 * uniform(g, 4, 8)
    with check.part("confidence 1: the true place"):
        sure = torch.ones(4, 8, dtype=DOUBLE)
        ask(people, sure, noise, spread=0.04)

    with check.part("each keypoint has a confidence, each person a size"):
        ask(people, some, noise, spread=0.04)
        ask(people[:1], some[:1], noise[:1], spread=0.04)

    with check.part("confidence 0: nothing was found, (0, 0)"):
        missing = uniform(g, 4, 8) < 0.4
        missing[:, 0], missing[:, 1] = True, False
        ask(people, torch.where(missing, 0.0, some), noise, spread=0.04)

    with check.part("another spread"):
        ask(people, some, noise, spread=0.1)
    return check.report()


def _by_numpy(keypoints2d: Tensor, confidence: Tensor, noise: Tensor, spread: float) -> Tensor:
    """Compute the places one keypoint after the other."""
    places = np.zeros(keypoints2d.shape)
    for person, points in enumerate(keypoints2d.numpy()):
        side = float(np.ptp(points, axis=0).max())
        for k, point in enumerate(points):
            sure = float(confidence[person, k])
            if sure > 0:
                sigma = spread * float(np.log(1 / sure))
                places[person, k] = point + side * sigma * noise[person, k].numpy()
    return torch.from_numpy(places)


def _slips(*arguments: Any) -> dict[str, Tensor]:
    """Return what the usual slips give, by their hints."""
    return {HINTS[name]: wrong(*arguments) for name, wrong in _wrong.items()}


# Wrong answers that people give.


def _answer(sigma=None, side=None, missing=0.0):
    """Make a pretend from its formulas of the spread and of a person's size."""
    sigma = sigma or (lambda c, spread: -spread * c.log())
    side = side or (lambda x: (x.amax(1) - x.amin(1)).amax(1)[:, None, None])

    def function(keypoints2d, confidence, noise, spread):
        known = (confidence > 0)[..., None]
        s = sigma(torch.where(known[..., 0], confidence, 1.0), spread)[..., None]
        places = keypoints2d + side(keypoints2d) * s * noise
        return places if missing is None else torch.where(known, places, missing)

    return function


def _cleaned_late(keypoints2d, confidence, noise, spread):
    """Multiply by what is known: 0 times infinity is NaN."""
    side = (keypoints2d.amax(1) - keypoints2d.amin(1)).amax(1)[:, None, None]
    places = keypoints2d - side * spread * confidence.log()[..., None] * noise
    return places * (confidence > 0)[..., None]


_wrong = {
    "grows with the confidence": _answer(lambda c, spread: spread * c),
    "no logarithm": _answer(lambda c, spread: spread * (1 - c)),
    "the sign": _answer(lambda c, spread: spread * c.log()),
    "log10": _answer(lambda c, spread: -spread * c.log10()),
    "log2": _answer(lambda c, spread: -spread * c.log2()),
    "no size": _answer(side=lambda x: 1.0),
    "shorter side": _answer(side=lambda x: (x.amax(1) - x.amin(1)).amin(1)[:, None, None]),
    "half a side": _answer(side=lambda x: (x.amax(1) - x.amin(1)).amax(1)[:, None, None] / 2),
    "two sizes": _answer(side=lambda x: (x.amax(1) - x.amin(1))[:, None]),
    "one size for all": _answer(side=lambda x: (x.amax((0, 1)) - x.amin((0, 1))).amax()),
    "what is missing stays": _answer(missing=None),
    "spread of its own": lambda x, c, n, spread: _answer()(x, c, n, 0.04),
}
HINTS = {
    "grows with the confidence": "sigma is -spread ln(confidence): the SURER, the smaller",
    "no logarithm": "that is spread (1 - confidence): take the logarithm",
    "the sign": "the sign: ln of what is below 1 is negative, so -spread ln(confidence)",
    "log10": "the natural logarithm, .log(): not .log10()",
    "log2": "the natural logarithm, .log(): not .log2()",
    "no size": "sigma is a share of the box: times its longer side",
    "shorter side": "the LONGER side of the box",
    "half a side": "the whole side, not half of it",
    "two sizes": "x and y get the same sigma, from the longer side",
    "one size for all": "each person has a size: smallest and largest over axis 1",
    "what is missing stays": "what was not found is at (0, 0), not at its true place",
    "spread of its own": "use the argument `spread`",
}
MISTAKES = [
    Mistake(_wrong["grows with the confidence"], "the SURER, the smaller", 0.0),
    Mistake(_wrong["no logarithm"], "take the logarithm", 1 / 5),
    Mistake(_wrong["the sign"], "so -spread ln", 1 / 5),
    Mistake(_wrong["log10"], "not .log10()", 1 / 5),
    Mistake(_wrong["log2"], "not .log2()", 1 / 5),
    Mistake(_wrong["no size"], "times its longer side", 1 / 5),
    Mistake(_wrong["shorter side"], "the LONGER side", 1 / 5),
    Mistake(_wrong["half a side"], "not half of it", 1 / 5),
    Mistake(_wrong["two sizes"], "from the longer side", None),
    Mistake(_wrong["one size for all"], "each person has a size", None),
    Mistake(_wrong["what is missing stays"], "not at its true place", 4 / 5),
    Mistake(_wrong["spread of its own"], "use the argument `spread`", 3 / 5),
    Mistake(_cleaned_late, "NaN or infinite", 4 / 5),
]
