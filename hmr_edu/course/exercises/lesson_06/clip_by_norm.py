"""Exercise of lesson 06, `clip_by_norm`: gradients clipped together."""

from __future__ import annotations

import math

import torch
from torch import nn

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, tensor
from hmr_edu.course.exercises.lesson_06._common import as_list
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_clip_by_norm(function: Asked) -> Report:
    """Check `clip_by_norm(gradients, largest) -> list`: one length for all, skip what is broken."""
    check = Check("clip_by_norm", function)
    long = [tensor([3.0, 0.0]), tensor([[4.0]])]
    with check.part("3 and 4 are 5 long together: clipped to 1"):
        got = as_list(check.call(long, 1.0), long)
        each = {"one length for all together, not one for each": torch.ones(1, 1, dtype=DOUBLE)}
        compare(got[1], tensor([[0.8]]), 1e-9, each)
        compare(got[0], tensor([0.6, 0.0]), 1e-9)
        # Large and finite: shortened like others. A small length, too, and one gradient alone.
        zeroed = {"large is not broken: only what is not finite is skipped": torch.zeros(1, 1)}
        for size in (1e4, 1e30, 1e100):
            got = as_list(check.call([size * g for g in long], 1.0), long)
            compare(got[1], tensor([[0.8]]), 1e-9, zeroed)
        got = as_list(check.call([1e-6 * g for g in long], 1e-6), long)
        epsilon = {"an epsilon beside a small length shortens too much": tensor([[8e-7 * 0.8]])}
        compare(got[1] / 1e-6, tensor([[0.8]]), 1e-6, epsilon)
        got = as_list(check.call(long[1:], 1.0), long[1:])
        compare(got[0], tensor([[1.0]]), 1e-9)
    with check.part("what is short enough stays as it is"):
        got = as_list(check.call(long, 7.0), long)
        stretched = {"only shorten, never stretch": long[1] * 7 / 5}
        compare(got[1], long[1], 0.0, stretched)
    with check.part("no gradient at all: 0, and not 0 / 0"):
        got = as_list(check.call([torch.zeros(3, dtype=DOUBLE)], 1.0), [torch.zeros(3)])
        compare(got[0], torch.zeros(3, dtype=DOUBLE), 0.0)
    with check.part("a gradient that is not finite: the step is skipped, all are 0"):
        for broken in (math.nan, math.inf, -math.inf):
            got = as_list(check.call([long[0], tensor([broken])], 1.0), [long[0], torch.zeros(1)])
            for mine, like in zip(got, (long[0], torch.zeros(1, dtype=DOUBLE)), strict=True):
                compare(mine, torch.zeros_like(like), 0.0)
    return check.report()


# Wrong answers that people give.


def _clipped(gradients, largest, only_long=True, guard=True, finite=True):
    length = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    if finite and not length.isfinite():
        return [torch.zeros_like(g) for g in gradients]
    if (only_long and length <= largest) or (guard and length == 0):
        return list(gradients)
    return [g * largest / length for g in gradients]


def _skipped(gradients):
    finite = all(g.isfinite().all() for g in gradients)
    return list(gradients) if finite else [torch.zeros_like(g) for g in gradients]


def _zero_if_large(gradients, largest):
    length = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    return [torch.zeros_like(g) if not length < 1e3 else g for g in _clipped(gradients, largest)]


def _with_epsilon(gradients, largest):
    """Do as torch.nn.utils.clip_grad_norm_ does."""
    length = torch.stack([g.square().sum() for g in _skipped(gradients)]).sum().sqrt()
    return [g * min(1.0, float(largest / (length + 1e-6))) for g in _skipped(gradients)]


MISTAKES = [
    Mistake(lambda g, m: [nn.functional.normalize(x, dim=-1) for x in g], "together", 1 / 4),
    Mistake(lambda g, m: _clipped(g, m, only_long=False), "never stretch", 3 / 4),
    Mistake(lambda g, m: _clipped(g, m, False, guard=False), "0 / 0", 2 / 4),
    Mistake(lambda g, m: _clipped(g, m, finite=False), "", 3 / 4),
    Mistake(_zero_if_large, "large is not broken", 3 / 4),
    Mistake(_with_epsilon, "", 3 / 4, name="an epsilon beside the length"),
    Mistake(lambda g, m: [x.clamp(-m, m) for x in _skipped(g)], "", 3 / 4, name="each number"),
    Mistake(lambda g, m: [_clipped([x], m)[0] for x in _skipped(g)], "together", None),
    Mistake(lambda g, m: [x.float().to(x) for x in _clipped(g, m)], "", 3 / 4),
]
