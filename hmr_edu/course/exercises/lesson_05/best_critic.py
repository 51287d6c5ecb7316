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
        # Densities of bodies are this small, of 69 angles each.
        tiny = "densities may be tiny, and an epsilon beside them wins: ask for total == 0"
        small = 1e-12
        slips = {
            tiny + " " * k: p / (p + q + e / small)
            for k, e in enumerate((1e-8, 1e-6, 1e-12, 1e-10))
        } | {tiny + ",": torch.full_like(p, 0.5)}
        compare(check.call(small * p, small * q), p / (p + q), 1e-6, slips)
        compare(check.call((small * p).float(), (small * q).float()), (p / (p + q)).float(), 1e-5)
        # Some places with bodies, some without.
        some = torch.cat([p[:3], 0 * p[:2]]), torch.cat([q[:3], 0 * p[:2]])
        shares = torch.cat([p[:3] / (p[:3] + q[:3]), 0 * p[:2] + 0.5])
        one = "choose for each place, with torch.where, not once for all"
        wholes = {one: some[0] / (some[0] + some[1] + 1e-300), f"{one}.": 0 * shares + 0.5}
        compare(check.call(*some), shares, 1e-6, wholes)
    with check.part("where no body ever is: 0.5, and not 0 / 0"):
        nothing = torch.zeros(3)
        hint = "0 / epsilon is 0, and 0.5 is wanted: choose it with torch.where"
        compare(check.call(nothing, nothing), nothing + 0.5, 1e-6, {hint: nothing})
        compare(check.call(nothing[:1], nothing[:1]), nothing[:1] + 0.5, 1e-6)
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


# Wrong answers that people give.


def _right(p, q):
    empty = p + q == 0
    return torch.where(empty, 0.5, p / (p + q).masked_fill(empty, 1.0))


def _one_choice(p, q):
    return torch.full_like(p, 0.5) if (p + q == 0).any() else p / (p + q)


MISTAKES = [
    Mistake(lambda p, q: p / (p + q + 1e-8), "torch.where", 3 / 5),
    Mistake(lambda p, q: (p + 1e-8) / (p + q + 2e-8), "an epsilon", 4 / 5),
    Mistake(lambda p, q: torch.where(p + q < 1e-8, 0.5, p / (p + q)), "an epsilon", 4 / 5),
    Mistake(_one_choice, "not once for all", 4 / 5, name="one branch for all"),
    Mistake(lambda p, q: _right(p, q).squeeze(0), "", 3 / 5),
    Mistake(lambda p, q: p**2 / (p**2 + q**2), "not by their squares", None),
    Mistake(lambda p, q: q / (p + q), "share of the fakes", 1 / 5),
    Mistake(lambda p, q: p / q, "not a ratio", 0.0),
    Mistake(lambda p, q: p / (p + q), "0 / 0", 3 / 5),
    Mistake(lambda p, q: p.log() - q.log(), "log-odds", 0.0),
]
