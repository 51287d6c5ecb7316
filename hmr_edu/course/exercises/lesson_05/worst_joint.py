"""Exercise of lesson 05, `worst_joint`: the least real joint."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
MUTED = (10, 11, 13, 14, 22, 23)


def check_worst_joint(function: Asked) -> Report:
    """Check `worst_joint(scores [N, 25], muted) -> [N]`: SMPL's number of the least real joint."""
    check = Check("worst_joint", function)
    with check.part("the worked example: output 17 is joint 18, the left elbow"):
        scores = torch.full((1, 25), 0.9)
        scores[0, 17] = -0.2
        compare(
            check.call(scores, MUTED),
            torch.tensor([18]),
            0.0,
            {
                "the critics leave the root out: output k speaks of joint k + 1": torch.tensor(
                    [17]
                ),
                "one off to the wrong side: output 0 is joint 1": torch.tensor([16]),
            },
        )
    with check.part("every joint that is not muted can be the worst"):
        joints = torch.tensor([j for j in range(1, 24) if j not in MUTED])
        scores = torch.full((len(joints), 25), 0.7)
        scores[torch.arange(len(joints)), joints - 1] = torch.linspace(-0.3, 0.6, len(joints))
        compare(check.call(scores, MUTED), joints, 0.0, _slips(scores))
    with check.part("scores above 1: still the lowest one"):
        scores = torch.linspace(1.1, 1.9, 25).repeat(2, 1)
        compare(check.call(scores, MUTED), torch.tensor([1, 1]), 0.0, _slips(scores))
        # Far above 1, where a large number is not large enough.
        compare(check.call(1e6 * scores, MUTED), torch.tensor([1, 1]), 0.0, _slips(1e6 * scores))
    with check.part("a muted joint never is"):
        scores = torch.linspace(0.2, 0.9, 25).repeat(6, 1)
        scores[torch.arange(6), torch.tensor(MUTED) - 1] = -5.0
        compare(
            check.call(scores, MUTED),
            torch.ones(6, dtype=torch.long),
            0.0,
            _slips(scores)
            | {
                "a muted critic was listened to": torch.tensor(MUTED),
                "the wrong critics were muted: joint j is output j - 1": torch.tensor(
                    [j if j - 1 not in MUTED else 1 for j in MUTED]
                ),
            },
        )
    with check.part("the full pose and the shape are no joints"):
        scores = torch.linspace(0.5, 0.9, 25).repeat(2, 1)
        scores[0, 23], scores[1, 24] = -1.0, -1.0
        compare(
            check.call(scores, MUTED),
            torch.ones(2, dtype=torch.long),
            0.0,
            {
                "only the first 23 outputs are joints": torch.tensor([24, 25]),
                "only the first 23 outputs are joints: the 24th is the full pose": torch.tensor(
                    [24, 1]
                ),
            },
        )
    with check.part("another choice of muted joints"):
        scores = torch.linspace(0.2, 0.9, 25)[None]
        compare(check.call(scores, (1, 2, 3)), torch.tensor([4]), 0.0)
        compare(check.call(scores, tuple(range(2, 24))), torch.tensor([1]), 0.0)
        compare(check.call(scores, ()), torch.tensor([1]), 0.0)
    return check.report()


def _slips(scores: Tensor) -> dict[str, Tensor]:
    columns = [j - 1 for j in MUTED]
    heard = scores[:, :23].clone()
    heard[:, columns] = torch.inf
    zeros = heard.nan_to_num(posinf=0.0).argmin(1) + 1
    inf = "a muted joint must lose: give it torch.inf, and not 0 or 1; scores may exceed 1"
    highest = heard.nan_to_num(posinf=-9.0).argmax(1) + 1
    lowest = (
        "the least real joint has the lowest score; one above 1 is no worse for being far from 1"
    )
    few = scores[:, [k for k in range(23) if k not in columns]]
    return {
        "the critics leave the root out: output k speaks of joint k + 1": heard.argmin(1),
        lowest: highest,
        "columns taken out shift the numbers of the rest: give them torch.inf": few.argmin(1) + 1,
        inf: zeros,
    }


# Wrong answers that people give.


def _muted_argmin(scores, muted, first=23):
    scores = scores[:, :first].clone()
    scores[:, [joint - 1 for joint in muted]] = torch.inf
    return scores.argmin(1) + 1


def _muted_without_shift(scores, muted):
    scores = scores.clone()
    scores[:, list(muted)] = torch.inf
    return scores[:, :23].argmin(1) + 1


def _kept_argmin(scores, muted):
    return scores[:, [k for k in range(23) if k + 1 not in muted]].argmin(1) + 1


def _filled_argmin(scores, muted, value):
    scores = scores[:, :23].clone()
    scores[:, [joint - 1 for joint in muted]] = value
    return scores.argmin(1) + 1


def _farthest_from_1(scores, muted):
    scores = scores[:, :23].clone()
    scores[:, [joint - 1 for joint in muted]] = 1.0
    return (scores - 1).abs().argmax(1) + 1


MISTAKES = [
    Mistake(lambda s, m: _filled_argmin(s, m, 0.0), "torch.inf, and not 0 or 1", 1 / 6),
    Mistake(lambda s, m: _filled_argmin(s, m, 1.0), "torch.inf, and not 0 or 1", 5 / 6),
    Mistake(_kept_argmin, "shift the numbers", 3 / 6),
    Mistake(_farthest_from_1, "far from 1", 5 / 6),
    Mistake(lambda s, m: _muted_argmin(s, m, first=24), "the 24th", 5 / 6),
    Mistake(lambda s, m: _muted_argmin(s, m) - 1, "k + 1", 0.0),
    Mistake(lambda s, m: s[:, :23].argmin(1) + 1, "listened", 4 / 6),
    Mistake(lambda s, m: _muted_argmin(s, m, first=25), "first 23", 5 / 6),
    Mistake(_muted_without_shift, "j - 1", 3 / 6),
    Mistake(lambda s, m: _filled_argmin(s, m, 100.0), "", 5 / 6),
    Mistake(lambda s, m: _muted_argmin(s, m).squeeze(0), "", 4 / 6),
    Mistake(lambda s, m: _muted_argmin(s, MUTED), "", 5 / 6),
    Mistake(lambda s, m: _muted_argmin(s[:1], m).expand(len(s)), "", 5 / 6),
]
