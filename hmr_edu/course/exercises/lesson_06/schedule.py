"""Exercise of lesson 06, `schedule`: the learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, number, require
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_schedule(function: Asked) -> Report:
    """Check `schedule(step, steps, warmup, peak) -> float`."""
    check = Check("schedule", function)
    with check.part("no warm-up: PyTorch's CosineAnnealingLR"):
        _close(check, _cosine(100), 100, 1, 2e-3)
    with check.part("the first step is small and not 0"):
        got = number(check.call(0, 100, 10, 1.0))
        if got == 0:
            # Counted from 0, step 3 of 10 is three tenths of the cosine.
            next_ones = number(check.call(3, 100, 10, 1.0))
            counted = abs(next_ones - 0.3 * 0.5 * (1 + math.cos(0.03 * math.pi))) < 1e-9
            raise Mismatch("0 at step 0: a step that does nothing", "(step + 1) / warmup" * counted)
        require(abs(got - 0.1) < 1e-12, f"{got:.3g} at step 0 of 10, wanted 0.1")
    with check.part("a warm-up of 20 steps"):
        ramp = [min(1.0, (k + 1) / 20) for k in range(100)]
        _close(check, [r * c for r, c in zip(ramp, _cosine(100), strict=True)], 100, 20, 3.0)
    with check.part("nothing is left at the end"):
        for steps, peak in ((100, 5.0), (37, 2.0)):
            ends = {
                "cos(pi) = -1: add 1 before you halve it": -peak / 2,
                "it is the cosine of pi times the share: pi is missing": peak
                * 0.5
                * (1 + math.cos(1)),
                "cos(pi) = -1: the cosine ends at -peak; add 1, and halve": -peak,
                "half a cosine, over all steps: yours runs a quarter": peak * 0.5,
            }
            got, zero = number(check.call(steps, steps, 10, peak)), tensor(0.0)
            compare(tensor(got), zero, 1e-12, {hint: tensor(x) for hint, x in ends.items()})
    return check.report()


def _cosine(steps: int) -> list[float]:
    """Return PyTorch's own cosine from 1 to 0 over `steps`."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


def _close(check: Check, want: list[float], steps: int, warmup: int, peak: float) -> None:
    got = [number(check.call(k, steps, warmup, peak)) for k in range(len(want))]
    ramp = [(k + 1) / warmup for k in range(warmup)]
    only = [peak * r for r in ramp] + [peak * w for w in _cosine(steps)[warmup:]]
    ahead = [peak * r for r in ramp] + [peak * x for x in _after_warmup(steps, warmup)[warmup:]]
    after = [peak * x for x in _after_warmup(steps, warmup)]
    compare(
        tensor(got),
        peak * tensor(want),
        1e-6 * peak,
        {
            "1 + cos runs from 2 to 0: halve it": 2 * peak * torch.tensor(want).double(),
            "the cosine runs over the whole training, the warm-up is a factor": tensor(
                [a * min(1, (k + 1) / warmup) for k, a in enumerate(after)]
            ),
            "the warm-up is a factor of the cosine, not a branch of its own": tensor(only),
            "the warm-up is a factor, and the cosine begins at step 0": tensor(ahead),
            "multiply by the peak": tensor(want),
        },
    )


def _after_warmup(steps: int, warmup: int) -> list[float]:
    """Return a cosine that begins when the warm-up has ended."""
    later = [max(0, k - warmup) / (steps - warmup) for k in range(steps)]
    return [0.5 * (1 + math.cos(math.pi * x)) for x in later]


# Wrong answers that people give.


def _half_cosine(k, steps):
    return 0.5 * (1 + math.cos(math.pi * k / steps))


MISTAKES = [
    Mistake(
        lambda k, K, w, p: p * min(1, k / w) * _half_cosine(k, K), "(step + 1) / warmup", 1 / 4
    ),
    Mistake(lambda k, K, w, p: 2 * p * min(1, (k + 1) / w) * _half_cosine(k, K), "halve", 1 / 4),
    Mistake(
        lambda k, K, w, p: p * min(1, (k + 1) / w) * _half_cosine(max(0, k - w), K - w),
        "whole training",
        2 / 4,
    ),
    Mistake(lambda k, K, w, p: min(1, (k + 1) / w) * _half_cosine(k, K), "peak", 2 / 4),
    Mistake(
        lambda k, K, w, p: p * ((k + 1) / w if k < w else _half_cosine(k, K)),
        "not a branch of its own",
        3 / 4,
    ),
    Mistake(
        lambda k, K, w, p: p * min(1, (k + 1) / w) * 0.5 * math.cos(math.pi * k / K),
        "add 1 before",
        0.0,
    ),
    Mistake(
        lambda k, K, w, p: p * min(1, (k + 1) / w) * 0.5 * (1 + math.cos(k / K)),
        "pi is missing",
        1 / 4,
    ),
    Mistake(lambda k, K, w, p: p * min(1, (k + 1) / w) * _half_cosine(k, 100), "", 3 / 4),
]
