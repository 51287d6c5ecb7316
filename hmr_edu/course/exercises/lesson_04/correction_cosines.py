"""Exercise of lesson 04, `correction_cosines`: overshoot."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_correction_cosines(function: Asked) -> Report:
    """Check `correction_cosines(states: list of T + 1 [B, S]) -> [T - 1]`."""
    check = Check("correction_cosines", function)

    def line(*places: float) -> list[Tensor]:
        direction = tensor([[3.0, 4.0], [0.0, -2.0]])
        return [1 + place * direction for place in places]

    late = "compare with the FIRST correction, states[1] - states[0], each time"
    states = "take differences first: a correction is states[i + 1] - states[i]"
    with check.part("straight on is 1"):
        _cosines(check, line(0.0, 2.0, 2.5, 7.0), [1.0, 1.0], {})
    with check.part("overshoot and come back is -1"):
        mistakes = {
            "a correction is new minus old, between neighbours: states[i + 1] - states[i]": tensor(
                [1.0]
            ),
            late: tensor([1.0]),
        }
        _cosines(check, line(0.0, 2.0, 1.5), [-1.0], mistakes)
        _cosines(check, line(0.0, 2.0, 1.5, 1.0), [-1.0, -1.0], {late: tensor([-1.0, 1.0])})
    with check.part("a mean over people, each counted alike"):
        a = torch.zeros(2, 2, dtype=DOUBLE)
        b = tensor([[1.0, 0.0], [0.0, 9.0]])
        c = b + tensor([[0.0, 5.0], [0.0, 3.0]])
        pooled = 27 / math.sqrt((1 + 81) * (25 + 9))
        summed = {
            "average the cosines: one a person (dim=1), not one of everybody's numbers": tensor(
                [pooled]
            ),
            "average the cosines, not the corrections: one cosine a person, then the mean": tensor(
                [_angle(b.mean(0).tolist(), (c - b).mean(0).tolist())]
            ),
            "cosines are dot products over both lengths": tensor([(0 + 27) / 2]),
            states: cosine_similarity(b, c).mean()[None],
        }
        _cosines(check, [a, b, c], [0.5], summed)
    with check.part("many steps: five states give three cosines"):
        g = inputs(8)
        walk = [draw(g, 6, 9) for _ in range(5)]
        want = []
        for i in (1, 2, 3):
            one = [
                _angle(
                    (walk[1][n] - walk[0][n]).tolist(),
                    (walk[i + 1][n] - walk[i][n]).tolist(),
                )
                for n in range(6)
            ]
            want.append(math.fsum(one) / 6)
        next_ones = [
            cosine_similarity(walk[i] - walk[i - 1], walk[i + 1] - walk[i]).mean()
            for i in (1, 2, 3)
        ]
        _cosines(check, walk, want, {late: torch.stack(next_ones)})
        # One person; and corrections as small as those of a loop that has settled.
        alone = [_angle((walk[1][0] - walk[0][0]).tolist(), (walk[2][0] - walk[1][0]).tolist())]
        _cosines(check, [x[:1] for x in walk[:3]], alone, {})
        small = [1e-6 * x for x in walk]
        epsilon = "an epsilon beside lengths that are small wins: divide by the lengths themselves"
        compare(check.call(small), tensor(want), 1e-3, {epsilon: _with_epsilon(small)})
    return check.report()


def _cosines(
    check: Check, states: list[Tensor], want: list[float], mistakes: dict[str, Tensor]
) -> None:
    compare(check.call(states), tensor(want), 1e-9, mistakes)


def _angle(a: list[float], b: list[float]) -> float:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.hypot(*a) / math.hypot(*b)


def _with_epsilon(states: list[Tensor], epsilon: float = 1e-10) -> Tensor:
    """Return the cosines with an epsilon beside the product of both lengths."""
    first, *later = [b - a for a, b in pairwise(states)]
    lengths = [first.norm(dim=1) * move.norm(dim=1) + epsilon for move in later]
    cosines = [(first * m).sum(1) / n for m, n in zip(later, lengths, strict=True)]
    return torch.stack([cosine.mean() for cosine in cosines])


# Wrong answers that people give.


def _moves(states):
    return [b - a for a, b in pairwise(states)]


MISTAKES = [
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(a, b, dim=1).mean() for a, b in pairwise(_moves(s))]
        ),
        "FIRST",
        2 / 4,
    ),
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(_moves(s)[0].flatten(), m.flatten(), dim=0) for m in _moves(s)[1:]]
        ),
        "average the cosines",
        2 / 4,
    ),
    Mistake(
        lambda s: torch.stack([(_moves(s)[0] * m).sum(1).mean() for m in _moves(s)[1:]]),
        "over both lengths",
        0.0,
    ),
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(s[1] - s[0], m - s[0], dim=1).mean() for m in s[2:]]
        ),
        "between neighbours",
        1 / 4,
    ),
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(_moves(s)[0].mean(0), m.mean(0), dim=0) for m in _moves(s)[1:]]
        ),
        "not the corrections",
        2 / 4,
    ),
    Mistake(
        lambda s: (
            -torch.stack([cosine_similarity(_moves(s)[0], m, dim=1).mean() for m in _moves(s)[1:]])
        ),
        "every value has the other sign",
        0.0,
        name="the other sign",
    ),
    Mistake(_with_epsilon, "an epsilon", 3 / 4),
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(_moves(s)[0], m, dim=1).sum() for m in _moves(s)[1:]]
        ),
        "every value is 6 times what is wanted",
        0.0,
        name="sum for mean",
    ),
    Mistake(
        lambda s: torch.stack(
            [cosine_similarity(_moves(s)[0].squeeze(), m.squeeze(), dim=-1) for m in _moves(s)[1:]]
        ),
        "",
        0.0,
        name="no mean",
    ),
]
