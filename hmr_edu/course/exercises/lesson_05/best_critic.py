"""Exercise of lesson 05, `best_critic`: the best score."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_best_critic(function: Asked) -> Report:
    """Check `best_critic(p_real [N], p_fake [N]) -> [N]`: the score that costs least."""
    check = Check("best_critic", function)
    g = inputs(1)
    p = uniform(g, 40) + 0.05
    q = uniform(g, 40) + 0.05
    with check.part("the worked example: 3 to 1"):
        three, one = torch.tensor([3.0]), torch.tensor([1.0])
        compare(check.call(three, one), torch.tensor([0.75]), 1e-6, _ratios(three, one))
    with check.part("the minimum, found by search"):
        scores = torch.linspace(-1, 2, 30_001, dtype=DOUBLE)[:, None]
        best = (p * (scores - 1) ** 2 + q * scores**2).argmin(0)
        compare(check.call(p, q), scores[best, 0], 1e-4, _ratios(p, q))
    with check.part("as many real as fake: 0.5"):
        compare(check.call(p, p), torch.full_like(p, 0.5), 1e-6)
    with check.part("only real 1, only fake 0"):
        zero = torch.zeros_like(p)
        compare(check.call(p, zero), torch.ones_like(p), 1e-6)
        compare(check.call(zero, p), zero, 1e-6)
    with check.part("where no body ever is: 0.5, and not 0 / 0"):
        nothing = torch.zeros(3)
        hint = "0 / epsilon is 0, and 0.5 is wanted: choose it with torch.where"
        compare(check.call(nothing, nothing), nothing + 0.5, 1e-6, {hint: nothing})
    return check.report()


def _ratios(p: Tensor, q: Tensor) -> dict[str, Tensor]:
    return {
        "that is the share of the fakes: the score says how real": q / (p + q),
        "a share, not a ratio: divide by all that is there": p / q,
        "that is the best score of log-odds (a sigmoid's input), not of least squares": p.log()
        - q.log(),
        "set the derivative 2 p (D - 1) + 2 q D to zero": p - q,
        "squared errors weighted by densities, not by their squares": p**2 / (p**2 + q**2),
    }


MISTAKES = [
    Mistake(lambda p, q: p / (p + q + 1e-8), "torch.where", 4 / 5),
    Mistake(lambda p, q: q / (p + q), "share of the fakes", 1 / 5),
    Mistake(lambda p, q: p / q, "not a ratio", 0.0),
    Mistake(lambda p, q: p / (p + q), "0 / 0", 4 / 5),
    Mistake(lambda p, q: p.log() - q.log(), "log-odds", 0.0),
]
