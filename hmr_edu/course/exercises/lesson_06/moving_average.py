"""Exercise of lesson 06, `moving_average`: a slow copy of the weights."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require
from hmr_edu.course.exercises._common import draw
from hmr_edu.course.exercises.lesson_06._common import as_list
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_moving_average(function: Asked) -> Report:
    """Check `moving_average(average, weights, step, decay) -> list`: a slow copy of a network."""
    check = Check("moving_average", function)
    g = inputs(23)
    average = [draw(g, 3, 2), torch.randn(4, generator=g).double()]
    weights = [draw(g, 3, 2), torch.randn(4, generator=g).double()]
    between = ((50, 0.99, 51 / 60), (200, 0.9999, 201 / 210))
    steps = (
        (0, 0.99, 0.1, between),
        (8, 0.99, 0.5, ()),
        (10_000, 0.99, 0.99, ((8, 0.2, 0.2),)),
    )
    for step, decay, keep, more in steps:
        with check.part(f"step {step}: it keeps {keep:g} of what it was"):
            got = check.call(average, weights, step, decay)
            for mine, old, new in zip(as_list(got, average), average, weights, strict=True):
                slips = {
                    "the decay is what is kept of the average, not of the weights": keep * new
                    + (1 - keep) * old,
                    "early on, keep less: min(decay, (1 + step) / (10 + step))": decay * old
                    + (1 - decay) * new,
                }
                compare(mine, keep * old + (1 - keep) * new, 1e-9, slips)
            # Between both, and where the decay is less from the first steps on.
            for n, most, k in more:
                (mine, _) = as_list(check.call(average, weights, n, most), average)
                early = "min(decay, (1 + step) / (10 + step)) at every step, not only early on"
                old, new = average[0], weights[0]
                compare(mine, k * old + (1 - k) * new, 1e-9, {early: most * old + (1 - most) * new})
    with check.part("no graph: the average is not trained"):
        learning = [w.clone().requires_grad_() for w in weights]
        got = as_list(check.call(average, learning, 5, 0.9), average)
        require(not any(a.requires_grad for a in got), "it carries a graph", "detach the weights")
    return check.report()


# Wrong answers that people give.


def _averaged(keep):
    def function(average, weights, step, decay):
        k = keep(step, decay)
        return [k * a + (1 - k) * w.detach() for a, w in zip(average, weights, strict=True)]

    return function


def _attached(average, weights, step, decay):
    k = _warm(step, decay)
    return [k * a + (1 - k) * w for a, w in zip(average, weights, strict=True)]


def _warm(step, decay):
    return min(decay, (1 + step) / (10 + step))


MISTAKES = [
    Mistake(_averaged(lambda n, d: d), "keep less", 2 / 4),
    Mistake(_averaged(lambda n, d: 1 - _warm(n, d)), "kept of the average", 2 / 4),
    Mistake(_averaged(lambda n, d: (1 + n) / (10 + n)), "", 3 / 4, name="min forgotten"),
    Mistake(_attached, "detach", 3 / 4),
    Mistake(_averaged(lambda n, d: _warm(n, d) if n < 10 else d), "not only early on", 3 / 4),
    Mistake(_averaged(lambda n, d: _warm(n, 1.0) if n < 100 else d), "", 2 / 4),
    Mistake(_averaged(lambda n, d: min(d, n / (10 + n))), "", 2 / 4, name="counted from 0"),
    Mistake(lambda a, w, n, d: [x.float() for x in _averaged(_warm)(a, w, n, d)], "float32", 1 / 4),
]
