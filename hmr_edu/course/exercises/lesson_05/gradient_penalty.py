"""Exercise of lesson 05, `gradient_penalty`: a gradient penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require, returned
from hmr_edu.course.exercises._common import draw, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.course.questions import called

POINTS = 6


def check_gradient_penalty(function: Asked) -> Report:
    """Check `gradient_penalty(critic, real [N, D], fake [N, D], mix [N, 1]) -> []`."""
    check = Check("gradient_penalty", function)
    g = inputs(21)
    real, fake = (draw(g, 5, 3) for _ in range(2))
    mix = uniform(g, 5, 1)
    between = mix * real + (1 - mix) * fake
    with check.part("a linear critic of slope 5: (5 - 1)^2"):
        got = check.call(real, fake, mix, 1.0, by=_linear)
        wrong = {
            "the norm must be 1, not 0": 25.0,
            "the mean over samples, not the sum": 80.0,
            "square what the norm differs from 1": 4.0,
            "the norm of each sample's gradient, not of all at once": (5 * 5**0.5 - 1) ** 2,
            "the mean of the critic's scores shrinks each gradient: take their sum": 0.0,
        }
        slips = {hint: tensor(value) for hint, value in wrong.items()}
        compare(got, tensor(16.0), 1e-9, slips)
        # A critic of slope 1/2 pays, too.
        one_sided = {"slopes below 1 pay, too: no relu, no clamp": tensor(0.0)}
        got = check.call(real, fake, mix, 0.1, by=_linear)
        compare(got, tensor(0.25), 1e-9, one_sided)
        got = check.call(real[:1], fake[:1], mix[:1], 0.1, by=_linear)
        compare(got, tensor(0.25), 1e-9)
    with check.part("a curved critic: the gradient where real and fake are mixed"):

        def at(points: Tensor) -> Tensor:
            return ((2 * points).norm(dim=1) - 1).square().mean()

        slips = {
            "mix * real + (1 - mix) * fake: yours is the other way round": at(
                mix * fake + (1 - mix) * real
            ),
            "between the two, not at the real ones": at(real),
            "between the two, not at the fakes": at(fake),
        }
        compare(check.call(real, fake, mix, by=_curved), at(between), 1e-9, slips)
    with check.part("the critic can learn from it"):
        penalty, learnt = check.ask(_learnt, [real, fake, mix, 2.0])
        compare(returned(penalty), tensor(81.0), 1e-9)
        hint = "the value is right: torch.autograd.grad(..., create_graph=True)"
        require(penalty.requires_grad, "the penalty has no gradient", hint)
        require(learnt is not None, "its gradient does not reach the critic", hint)
        compare(learnt, tensor(2 * (10.0 - 1) * 5), 1e-9)
    return check.report()


@question
def _linear(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with a linear critic: its slope is 5 times a scale."""
    *others, scale = arguments
    slope = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    return called(function, [lambda x: scale * (x @ slope), *others])


@question
def _curved(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with a critic whose slope at x is 2 x."""
    return called(function, [lambda x: x.square().sum(1), *arguments])


@question
def _learnt(function: Callable[..., Any], arguments: list[Any]) -> tuple[Any, Tensor | None]:
    """Return the penalty, and the gradient of the critic's scale."""
    *others, scale = arguments
    scale = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    penalty, _ = _linear(function, [*others, scale])
    if not isinstance(penalty, Tensor) or not penalty.requires_grad:
        return penalty, None
    return penalty, torch.autograd.grad(penalty.sum(), scale, allow_unused=True)[0]


# Wrong answers that people give.


def _penalty(points=lambda r, f, m: m * r + (1 - m) * f, end=None, score=torch.sum, graph=True):
    end = end or (lambda n: (n - 1).square().mean())

    def function(critic, real, fake, mix):
        x = points(real, fake, mix).detach().requires_grad_()
        (slope,) = torch.autograd.grad(score(critic(x)), x, create_graph=graph)
        return end(slope.norm(dim=1))

    return function


MISTAKES = [
    Mistake(_penalty(end=lambda n: n.square().mean()), "not 0", 0.0),
    Mistake(_penalty(end=lambda n: (n - 1).square().sum()), "not the sum", 0.0),
    Mistake(_penalty(end=lambda n: (n - 1).abs().mean()), "square", 0.0),
    Mistake(_penalty(lambda r, f, m: m * f + (1 - m) * r), "the other way round", 2 / 3),
    Mistake(_penalty(lambda r, f, m: r), "not at the real", 2 / 3),
    Mistake(_penalty(graph=False), "create_graph", 2 / 3),
    Mistake(_penalty(end=lambda n: (n - 1).relu().square().mean()), "slopes below 1", None),
    Mistake(_penalty(lambda r, f, m: (r + f) / 2), "", 2 / 3, name="in the middle"),
    Mistake(_penalty(lambda r, f, m: f), "not at the fakes", 2 / 3),
    Mistake(_penalty(lambda r, f, m: m[:1] * r + (1 - m[:1]) * f), "", 2 / 3, name="one mix"),
    Mistake(_penalty(lambda r, f, m: r.requires_grad_() * m + (1 - m) * f), "", None),
]
