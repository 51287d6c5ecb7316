"""Exercise of lesson 10, `out_of_box`: the camera of a box, in the unit of the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, slopes_of, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
TIGHT = 1e-9


def check_out_of_box(function: Asked) -> Report:
    """Check `out_of_box(camera [B, 3], box [B, 3]) -> [B, 3]`."""
    check = Check("out_of_box", function)
    g = inputs(0)

    with check.part("by hand: 0.5 half-sides a metre are 20 pixels, where the half-side is 40"):
        camera, box = tensor([[0.5, 0.0, 0.0]]), tensor([[100.0, 60.0, 40.0]])
        want = tensor([[20.0, 5.0, 3.0]])
        compare(check.call(camera, box), want, TIGHT, _slips(camera, box))

    camera = torch.cat([0.5 + uniform(g, 4, 1), 0.4 * draw(g, 4, 2)], 1)
    box = torch.cat([100 + 300 * uniform(g, 4, 2), 30 + 100 * uniform(g, 4, 1)], 1)
    with check.part("a box around the origin: the scale changes, the translation stays"):
        centred = box * tensor([0.0, 0.0, 1.0])
        want = torch.cat([camera[:, :1] * box[:, 2:], camera[:, 1:]], 1)
        compare(check.call(camera, centred), want, TIGHT, _slips(camera, centred))

    with check.part("every point lands where it landed by way of the box"):
        got = check.call(camera, box, shape=(4, 3)).detach()
        X = draw(g, 4, 7, 2)
        in_box = camera[:, None, :1] * (X + camera[:, None, 1:])
        wanted = box[:, None, :2] + box[:, None, 2:] * in_box
        if not torch.allclose(got[:, None, :1] * (X + got[:, None, 1:]), wanted, atol=1e-6):
            compare(got, _by_points(camera, box), TIGHT, _slips(camera, box))

    with check.part("one person, another unit, and the way back of the gradient"):
        small = box[:1] / 512
        compare(check.call(camera[:1], small), _by_points(camera[:1], small), TIGHT)
        slopes_of(check, [camera, box], [0, 1], _by_points(camera, box), 1e-6)
    return check.report()


def _by_points(camera: Tensor, box: Tensor) -> Tensor:
    """Find the camera from where two points land: the origin, and one metre beside it."""
    rows = []
    for (s, tx, ty), (x, y, half) in zip(camera.tolist(), box.tolist(), strict=True):
        origin = x + half * s * tx, y + half * s * ty
        scale = x + half * s * (1 + tx) - origin[0]
        rows.append((scale, origin[0] / scale, origin[1] / scale))
    return tensor(rows)


# Wrong answers that people give.


def _answer(scale, shift):
    """Make an out_of_box from the new scale, and what is added to the translation."""

    def function(camera, box):
        s = scale(camera[:, :1], box[:, 2:])
        return torch.cat([s, shift(camera[:, 1:], box[:, :2], s, camera[:, :1], box[:, 2:])], 1)

    return function


def _product(s, half):
    return s * half


_right = _answer(_product, lambda t, m, new, s, half: t + m / new)
_wrong = {
    "scale kept": _answer(lambda s, half: s, lambda t, m, new, s, half: t + m / (s * half)),
    "divided by half": _answer(lambda s, half: s / half, lambda t, m, new, s, half: t + m / new),
    "translation forgotten": _answer(_product, lambda t, m, new, s, half: t),
    "middle not divided": (_answer(_product, lambda t, m, new, s, half: t + m)),
    "middle divided by s": _answer(_product, lambda t, m, new, s, half: t + m / s),
    "middle divided by half": _answer(_product, lambda t, m, new, s, half: t + m / half),
    "other way": _answer(_product, lambda t, m, new, s, half: t - m / new),
    "t left out": _answer(_product, lambda t, m, new, s, half: m / new),
    "whole side": _answer(lambda s, half: 2 * s * half, lambda t, m, new, s, half: t + m / new),
    "t scaled": _answer(_product, lambda t, m, new, s, half: half * t + m / new),
}
HINTS = {
    "scale kept": "the scale is missing: a half-side is `half` units, so s becomes s half",
    "divided by half": "in the picture's unit a metre is longer: s TIMES half",
    "translation forgotten": "the translation is missing: the box is not at the origin",
    "middle not divided": "the middle is no length in metres: divide it by s half",
    "middle divided by s": "divide the middle by the NEW scale, s half, not by s",
    "middle divided by half": "the middle has to be divided by s, too",
    "other way": "the other way: the middle is added",
    "t left out": "the camera's own t is missing",
    "whole side": "the third number is HALF of the side",
    "t scaled": "t is in metres and stays: only the scale has another unit",
}


def _slips(camera: Tensor, box: Tensor) -> dict[str, Tensor]:
    return {HINTS[name]: wrong(camera, box) for name, wrong in _wrong.items()}


MISTAKES = [
    Mistake(_wrong["scale kept"], "so s becomes s half", 0.0),
    Mistake(_wrong["divided by half"], "s TIMES half", 0.0),
    Mistake(_wrong["translation forgotten"], "the translation is missing", 1 / 4),
    Mistake(_wrong["middle not divided"], "divide it by s half", 1 / 4),
    Mistake(_wrong["middle divided by s"], "not by s", 1 / 4),
    Mistake(_wrong["middle divided by half"], "divided by s, too", 1 / 4),
    Mistake(_wrong["other way"], "the middle is added", 1 / 4),
    Mistake(_wrong["t left out"], "own t is missing", 1 / 4),
    Mistake(_wrong["whole side"], "is HALF of the side", 0.0),
    Mistake(_wrong["t scaled"], "t is in metres and stays", 1 / 4),
    Mistake(lambda c, b: _right(c.detach(), b), "is cut", 3 / 4, name="no gradient"),
    Mistake(lambda c, b: _right(c, b)[:, [1, 2, 0]], "", 0.0, name="the scale last"),
    Mistake(lambda c, b: _right(c.float(), b.float()).to(DOUBLE), "", None, name="float32"),
]
