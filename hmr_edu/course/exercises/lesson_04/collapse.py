"""Exercise of lesson 04, `collapse`: the loop without ReLU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require, shaped
from hmr_edu.course.exercises._common import DOUBLE, draw, two_values
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6


def check_collapse(function: Asked) -> Report:
    """Check `collapse(A [S, F], B [S, S], c [S], mean [S], steps) -> (P [S, F], q [S])`."""
    check = Check("collapse", function)
    g = inputs(3)
    A, B, c, mean = draw(g, 4, 6), 0.5 * draw(g, 4, 4), draw(g, 4), draw(g, 4)

    with check.part("one step: P = A, q = mean + B mean + c"):
        P, q = _affine(check, A, B, c, mean, 1)
        compare(P, A, 1e-9)
        mistakes = {
            "q <- q + B q + c, and q starts as the mean itself": B @ mean + c,
            "the bias c is missing": mean + B @ mean,
            "before the first step the state is the mean: it goes through B too": mean + c,
            "B is transposed": mean + mean @ B + c,
            "before the first step the state is the mean, not 0": c,
        }
        compare(q, mean + B @ mean + c, 1e-9, mistakes)

    with check.part("more steps: P as the loop has it"):
        P, q = _affine(check, A, B, c, mean, 0)
        compare(P, 0 * A, 0.0, {"no step at all: the state is the mean, whatever the features": A})
        for steps in (2, 3, 7):
            P, _ = _affine(check, A, B, c, mean, steps)
            offset = _loop(A, B, c, mean, torch.zeros(6, dtype=DOUBLE), steps)
            columns = [_loop(A, B, c, mean, e, steps) - offset for e in torch.eye(6, dtype=DOUBLE)]
            replaced_P, open_P = A, A
            for _ in range(steps - 1):
                replaced_P, open_P = A + B @ replaced_P, A + open_P
            mistakes = {
                "a step adds to the state: P <- P + A + B P": replaced_P,
                "what P has put into the state comes back through B: P <- P + A + B P": open_P,
            }
            compare(P, torch.stack(columns, 1), 1e-8, mistakes)

    with check.part("more steps: q as the loop has it"):
        for steps in (2, 3, 7):
            _, q = _affine(check, A, B, c, mean, steps)
            dark = torch.zeros(6, dtype=DOUBLE)  # features that say nothing
            mistakes = {
                "as many steps as `steps` says": _loop(A, B, c, mean, dark, 3),
                "every step adds the bias c": _loop(A, B, 0 * c, mean, dark, steps),
            }
            compare(q, _loop(A, B, c, mean, dark, steps), 1e-8, mistakes)
    return check.report()


def _affine(check: Check, *arguments: Any) -> tuple[Tensor, Tensor]:
    P, q = two_values(check, *arguments, names="P, q")
    A, _, c, *_ = arguments
    exchanged = getattr(P, "shape", None) == c.shape and getattr(q, "shape", None) == A.shape
    require(not exchanged, "the two are exchanged", "return P, q: in this order")
    return shaped(P, A.shape), shaped(q, c.shape)


def _loop(A: Tensor, B: Tensor, c: Tensor, mean: Tensor, features: Tensor, steps: int) -> Tensor:
    state = mean
    for _ in range(steps):
        state = state + A @ features + B @ state + c
    return state


# Wrong answers that people give.


def _collapsed(new_P, new_q, begin=None):
    def function(A, B, c, mean, steps):
        P, q = torch.zeros_like(A), mean if begin is None else begin(mean)
        for _ in range(steps):
            P, q = new_P(P, A, B), new_q(q, B, c)
        return P, q

    return function


def _good_P(P, A, B):
    return P + A + B @ P


def _good_q(q, B, c):
    return q + B @ q + c


def _from_the_first_step(A, B, c, mean, steps):
    P, q = A, mean + B @ mean + c
    for _ in range(steps - 1):
        P, q = _good_P(P, A, B), _good_q(q, B, c)
    return P, q


MISTAKES = [
    Mistake(_collapsed(_good_P, lambda q, B, c: q + B @ q + c / 2), "", 1 / 3),
    Mistake(lambda *given: _collapsed(_good_P, _good_q)(*given[:4], 3), "as many steps", 0.0),
    Mistake(_collapsed(lambda P, A, B: A + B @ P, _good_q), "P <- P + A + B P", 2 / 3),
    Mistake(_collapsed(lambda P, A, B: A + P, _good_q), "comes back through B", 2 / 3),
    Mistake(_collapsed(_good_P, lambda q, B, c: B @ q + c), "as the mean itself", 1 / 3),
    Mistake(_collapsed(_good_P, lambda q, B, c: q + B @ q), "bias c", 1 / 3),
    Mistake(_collapsed(_good_P, lambda q, B, c: q + q @ B + c), "transposed", 1 / 3),
    Mistake(lambda *given: _collapsed(_good_P, _good_q)(*given)[::-1], "in this order", 0.0),
    Mistake(_from_the_first_step, "no step at all", 2 / 3),
    Mistake(_collapsed(_good_P, _good_q, torch.zeros_like), "the mean", 1 / 3),
]
