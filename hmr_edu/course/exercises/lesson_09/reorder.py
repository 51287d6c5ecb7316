"""Exercise of lesson 09, `reorder`: keypoints of one joint set in the order of another, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor, two_values, uniform
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.keypoints import COCO17, COCOPLUS

POINTS = 2
NAMES = "keypoints, known"
TIGHT = 1e-9


def check_reorder(function: Asked) -> Report:
    """Check `reorder(keypoints [B, K, 2], known [B, K], names, wanted) -> ([B, M, 2], [B, M])`."""
    check = Check("reorder", function)
    g = inputs(0)

    def ask(names: Sequence[str], wanted: Sequence[str], people: int = 3) -> None:
        keypoints = 100 * draw(g, people, len(names), 2)
        known = (uniform(g, people, len(names)) < 0.6).to(DOUBLE)
        known[:, 0], known[0] = 0.0, 1.0
        got = two_values(check, keypoints, known, tuple(names), tuple(wanted), names=NAMES)
        want = _by_dictionary(keypoints, known, names, wanted)
        for which in (0, 1):
            compare(got[which], want[which], TIGHT, _slips(which, keypoints, known, names, wanted))

    with check.part("by hand: (nose, knee, ear) in the order (knee, ear, nose)"):
        names, wanted = ("nose", "knee", "ear"), ("knee", "ear", "nose")
        keypoints, known = tensor([[[1, 2], [3, 4], [5, 6]]]), tensor([[1, 0, 1]])
        got = two_values(check, keypoints, known, names, wanted, names=NAMES)
        want = tensor([[[3, 4], [5, 6], [1, 2]]]), tensor([[0, 1, 1]])
        for which in (0, 1):
            compare(got[which], want[which], TIGHT, _slips(which, keypoints, known, names, wanted))

    with check.part("a set that lacks some: (0, 0) there, and 0"):
        ask(("c", "a", "d"), ("a", "b", "c", "d", "e"))

    with check.part("a set that has more: left out"):
        ask(("e", "b", "a", "d", "c"), ("c", "a", "b"))

    with check.part("COCO's 17 in the order of COCO+"):
        ask(COCO17, COCOPLUS)
        ask(COCO17, COCOPLUS, people=1)
    return check.report()


def _slips(which: int, *arguments: Any) -> dict[str, Tensor]:
    """Return what the usual slips give, by their hints.

    The keypoints are compared first: where they are right, the flags alone are in the old order.
    """
    hints = {h: wrong for h, wrong in HINTS.items() if not (which and wrong is _wrong["kept"])}
    return {hint: wrong(*arguments)[which] for hint, wrong in hints.items()}


def _by_dictionary(
    keypoints: Tensor, known: Tensor, names: Sequence[str], wanted: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Look up one keypoint of one person after the other."""
    places, flags = [], []
    for points, sure in zip(keypoints.tolist(), known.tolist(), strict=True):
        found = {name: (*p, c) for name, p, c in zip(names, points, sure, strict=True)}
        rows = [found.get(name, (0.0, 0.0, 0.0)) for name in wanted]
        places.append([row[:2] for row in rows])
        flags.append([row[2] for row in rows])
    return tensor(places), tensor(flags)


# Wrong answers that people give.


def _answer(source=None, flags=None, lacking=0.0, place=0.0):
    """Make a reorder, wrong in one way.

    Args:
        source: which row of the input fills a row of the output; -1 where none does.
        flags: the same for the visibility.
        lacking: the visibility of what the set lacks.
        place: where it is put.
    """
    source = source or _index

    def function(keypoints, known, names, wanted):
        places = torch.full((len(keypoints), len(wanted), 2), place).to(keypoints)
        seen = torch.full((len(keypoints), len(wanted)), lacking).to(known)
        for row, name in enumerate(wanted):
            if (old := source(row, name, names, wanted)) >= 0:
                places[:, row] = keypoints[:, old]
            if (old := (flags or source)(row, name, names, wanted)) >= 0:
                seen[:, row] = known[:, old]
        return places, seen

    return function


def _index(row, name, names, wanted):
    return names.index(name) if name in names else -1


def _inverse(row, name, names, wanted):
    """Take the place that the old name has in the new set: the way back."""
    return (
        wanted.index(names[row]) if row < len(names) and names[row] in wanted[: len(names)] else -1
    )


def _kept(row, name, names, wanted):
    return row if row < len(names) else -1


def _sides(row, name, names, wanted):
    """Swap left and right."""
    swapped = {"left": "right", "right": "left"}
    side, _, rest = name.partition("_")
    return _index(row, f"{swapped[side]}_{rest}" if side in swapped else name, names, wanted)


def _alphabet(row, name, names, wanted):
    """Think that both sets are sorted."""
    return _kept(sorted(wanted).index(name), name, names, wanted)


def _last(row, name, names, wanted):
    """Fill what is lacking with the last keypoint, as the index -1 does."""
    return _index(row, name, names, wanted) % len(names)


_wrong = {
    "kept": _answer(_kept),
    "inverse": _answer(_inverse),
    "flags kept": _answer(flags=_kept),
    "lacking is known": _answer(lacking=1.0),
    "last": _answer(_last),
    "sides": _answer(_sides),
}
HINTS = {
    "that is the old order: look every name up": _wrong["kept"],
    "that is the way back: new row k gets old row names.index(wanted[k])": _wrong["inverse"],
    "the keypoints moved, but not their flags": _wrong["flags kept"],
    "what the set lacks is not known: 0": _wrong["lacking is known"],
    "the index -1 is the last keypoint: leave out what the set lacks": _wrong["last"],
    "left and right are swapped": _wrong["sides"],
}
MISTAKES = [
    Mistake(_wrong["kept"], "the old order", 0.0),
    Mistake(_wrong["inverse"], "the way back", None),
    Mistake(_wrong["flags kept"], "but not their flags", 0.0),
    Mistake(_wrong["lacking is known"], "is not known: 0", 2 / 4),
    Mistake(_wrong["last"], "the index -1", 2 / 4),
    Mistake(_wrong["sides"], "left and right", 3 / 4),
    Mistake(_answer(_alphabet), "", None, name="sorted"),
    Mistake(_answer(place=torch.nan), "NaN", 2 / 4),
    Mistake(_answer(place=-1.0), "", 2 / 4, name="-1 where it lacks one"),
    Mistake(lambda x, c, n, w: _answer()(x, c, n, w)[::-1], "", 0.0, name="flags first"),
    Mistake(lambda x, c, n, w: _answer()(x, c, n, w)[0], "in this order", 0.0, name="no flags"),
    Mistake(
        lambda x, c, n, w: (_answer()(x, c, n, w)[0] * _answer()(x, c, n, w)[1][..., None], c),
        "",
        0.0,
        name="what is not known at 0",
    ),
]
