"""Exercise of lesson 09, `read_lsp`: the array of LSP's joints.mat as keypoints and visibility."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, tensor, two_values, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
NAMES = "keypoints, visible"
TIGHT = 1e-9


def check_read_lsp(function: Asked) -> Report:
    """Check `read_lsp(joints [3, 14, N]) -> ([N, 19, 2], [N, 19])`."""
    check = Check("read_lsp", function)
    g = inputs(0)

    def ask(joints: Tensor, which: int, rows: slice) -> None:
        """Compare keypoints (0) or visibility (1) of some of the 19."""
        got = two_values(check, joints, names=NAMES)[which]
        want = _by_numpy(joints)[which]
        slips = {hint: slip(joints)[which] for hint, slip in HINTS.items()}
        if getattr(got, "shape", None) != want.shape:
            compare(got, want, TIGHT)
        compare(got[:, rows], want[:, rows], TIGHT, {h: slip[:, rows] for h, slip in slips.items()})

    pixels = 1 + 200 * uniform(g, 2, 14, 5)
    hidden = (uniform(g, 1, 14, 5) < 0.4).to(DOUBLE)
    hidden[:, 3], hidden[:, 4] = 0.0, 1.0
    joints = torch.cat([pixels, hidden])
    first, rest = slice(14), slice(14, 19)

    with check.part("by hand: MATLAB's first pixel (1, 1) is (0, 0), and 0 means visible"):
        one = torch.ones(3, 14, 1, dtype=DOUBLE)
        one[0], one[1] = torch.arange(1, 15)[:, None], 2 * torch.arange(1, 15)[:, None]
        one[:, 0, 0] = tensor([1.0, 1.0, 0.0])
        ask(one, 0, first)
        ask(one, 1, first)

    with check.part("five people: each with their own fourteen places"):
        ask(joints, 0, first)

    with check.part("five people: what is hidden, and what is not"):
        ask(joints, 1, first)

    with check.part("the five that LSP lacks: at (0, 0), not visible"):
        ask(joints, 0, rest)
        ask(joints, 1, rest)
    return check.report()


def _by_numpy(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Read one joint after the other."""
    numbers = joints.numpy()
    people = numbers.shape[2]
    places, visible = np.zeros((people, 19, 2)), np.zeros((people, 19))
    for person in range(people):
        for joint in range(14):
            x, y, hidden = numbers[:, joint, person]
            places[person, joint] = x - 1, y - 1
            visible[person, joint] = hidden == 0
    return torch.from_numpy(places), torch.from_numpy(visible)


# Wrong answers that people give.


def _answer(first=1.0, flags=None, axes="permute", exchanged=False, blank=0.0, seen=0.0, cut=False):
    """Make a read_lsp, wrong in one way."""
    flags = flags or (lambda hidden: 1 - hidden)

    def function(joints):
        people = joints.shape[2]
        if axes == "permute":
            places, visible = joints[:2].permute(2, 1, 0), flags(joints[2].T)
        else:
            places = joints[:2].reshape(people, 14, 2)
            visible = flags(joints[2].reshape(people, 14))
        places = (places.flip(2) if exchanged else places) - first
        places = places * visible[..., None] if cut else places
        return pad(places, (0, 0, 0, 5), value=blank), pad(visible, (0, 5), value=seen)

    return function


def _five_first(joints):
    """Put what LSP lacks before what it has."""
    places, visible = _answer()(joints)
    return places.roll(5, 1), visible.roll(5, 1)


_wrong = {
    "inverted": _answer(flags=lambda hidden: hidden),
    "all visible": _answer(flags=torch.ones_like),
    "one of the flags": _answer(flags=lambda hidden: 2 - hidden),
    "from 1": _answer(first=0.0),
    "added": _answer(first=-1.0),
    "half a pixel": _answer(first=0.5),
    "reshaped": _answer(axes="reshape"),
    "rows first": _answer(exchanged=True),
    "padded too early": _answer(blank=-1.0),
    "five visible": _answer(seen=1.0),
    "hidden at 0": _answer(cut=True),
    "five first": _five_first,
}
HINTS = {
    "LSP's third row is 1 where a joint is HIDDEN: visible is 1 minus it": _wrong["inverted"],
    "not all are visible: the third row says which are": _wrong["all visible"],
    "subtract 1 from the pixels only: the third row is no pixel": _wrong["one of the flags"],
    "MATLAB counts pixels from 1: the first one is 0 here": _wrong["from 1"],
    "the other way: MATLAB's 1 is our 0, so subtract": _wrong["added"],
    "a whole pixel: both count the CENTRES of pixels": _wrong["half a pixel"],
    "reshape keeps the order of the numbers; permute(2, 1, 0) changes axes": _wrong["reshaped"],
    "x is the first row, y the second": _wrong["rows first"],
    "subtract first and pad afterwards: what is missing is at (0, 0)": _wrong["padded too early"],
    "nobody annotated these five: visible is 0 there": _wrong["five visible"],
    "a hidden joint keeps its place; only its visibility is 0": _wrong["hidden at 0"],
    "COCO+ begins with LSP's fourteen: the other five come last": _wrong["five first"],
}
MISTAKES = [
    Mistake(_wrong["inverted"], "where a joint is HIDDEN", 2 / 4),
    Mistake(_wrong["all visible"], "the third row says which are", 2 / 4),
    Mistake(_wrong["one of the flags"], "is no pixel", 2 / 4),
    Mistake(_wrong["from 1"], "the first one is 0 here", 2 / 4),
    Mistake(_wrong["added"], "so subtract", 2 / 4),
    Mistake(_wrong["half a pixel"], "CENTRES", 2 / 4),
    Mistake(_wrong["reshaped"], "permute(2, 1, 0)", 1 / 4),
    Mistake(_wrong["rows first"], "y the second", 2 / 4),
    Mistake(_wrong["padded too early"], "pad afterwards", 3 / 4),
    Mistake(_wrong["five visible"], "visible is 0 there", 3 / 4),
    Mistake(_wrong["hidden at 0"], "keeps its place", 2 / 4),
    Mistake(_wrong["five first"], "come last", None),
    Mistake(lambda j: tuple(x[:, :14] for x in _answer()(j)), "", 0.0, name="fourteen"),
    Mistake(lambda j: _answer()(j)[::-1], "", 0.0, name="visibility first"),
    Mistake(lambda j: torch.cat([_answer()(j)[0], _answer()(j)[1][..., None]], 2), "in this order"),
    Mistake(lambda j: tuple(x.float() for x in _answer()(j)), "", None, name="float32"),
]
