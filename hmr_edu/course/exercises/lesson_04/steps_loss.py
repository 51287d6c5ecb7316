"""Exercise of lesson 04, `steps_loss`: losses of all steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, require, returned, shaped
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_steps_loss(function: Asked) -> Report:
    """Check `steps_loss(losses: list of [], steps: "all" | "last") -> []`."""
    check = Check("steps_loss", function)
    numbers = [0.9, 0.5, 0.1]
    losses = [tensor(x) for x in numbers]
    with check.part('"all": 0.9, 0.5, 0.1 are 0.5'):
        mistakes = {
            "divide by the number of steps, or more steps mean a larger learning rate": tensor(
                sum(numbers)
            ),
            '"all" counts every step, not only the last': losses[-1],
        }
        _scalar(check, losses, "all", tensor(math.fsum(numbers) / 3), mistakes)
    with check.part('"last": 0.9, 0.5, 0.1 are 0.1'):
        mistakes = {
            "the last step is losses[-1]": losses[0],
            "this is the mean of all steps: look at the argument `steps`": tensor(0.5),
            'the last loss counts whole under "last": do not divide it': losses[-1] / 3,
        }
        _scalar(check, losses, "last", losses[-1], mistakes)
    with check.part("any number of steps"):
        five = [tensor(float(x)) for x in (5, 4, 3, 2, 11)]
        hint = "divide by len(losses): not every regressor takes 3 steps"
        _scalar(check, five, "all", tensor(5.0), {hint: tensor(25 / 3)})
        _scalar(check, five[:1], "last", five[0], {})
        three = [tensor(x) for x in (3.0, 1.0, 2.0)]
        depends, got, slopes = check.ask(questions.gradients, [three, "all"], [0], -1)
        compare(returned(got), tensor(2.0), 1e-9)
        require(
            depends and None not in slopes,
            'under "all" the result is right, but has no gradient',
            "torch.stack(losses): torch.tensor(losses), .item() and float(...) copy numbers and "
            "leave the graph",
        )
        compare(torch.stack(slopes), tensor([1 / 3] * 3), 1e-12)
    with check.part('"last" sends no gradient to the other steps, not even NaN'):
        hint = "leave the other steps out; 0 times infinity is NaN"
        two = [tensor(x) for x in (math.inf, 2.0)]
        depends, got, slopes = check.ask(questions.gradients, [two, "last"], [0], -1)
        got = shaped(returned(got), ()).detach()
        require(
            got.isfinite(), "an infinite first loss reached the result", hint * bool(got.isnan())
        )
        compare(got, tensor(2.0), 1e-9)
        require(depends, "the result is right, but has no gradient", "no .item(), no float(...)")
        grad = [tensor(0.0) if slope is None else slope for slope in slopes]
        compare(torch.stack(grad), tensor([0.0, 1.0]), 1e-12)
    return check.report()


def _scalar(
    check: Check, losses: list[Tensor], steps: str, want: Tensor, mistakes: dict[str, Tensor]
) -> None:
    compare(check.call(losses, steps), want, 1e-9, mistakes)


def _mean(losses):
    return torch.stack(losses).mean()


MISTAKES = [
    Mistake(lambda losses, steps: torch.stack(losses).mean(), "look at the argument", 2 / 4),
    Mistake(lambda losses, steps: losses[-1], "counts every step", 2 / 4),
    Mistake(
        lambda losses, steps: (
            torch.tensor([loss.item() for loss in losses]).mean().to(losses[0])
            if steps == "all"
            else losses[-1]
        ),
        "copy numbers",
        3 / 4,
    ),
    Mistake(
        lambda losses, steps: torch.stack(losses).sum() if steps == "all" else losses[-1],
        "divide by the number of steps",
        2 / 4,
    ),
    Mistake(
        lambda losses, steps: torch.stack(losses).sum() / 3 if steps == "all" else losses[-1],
        "len(losses)",
        3 / 4,
    ),
    Mistake(
        lambda losses, steps: (
            torch.stack(losses).mean()
            if steps == "all"
            else sum(loss * (loss is losses[-1]) for loss in losses)
        ),
        "0 times infinity",
        3 / 4,
    ),
    Mistake(
        lambda losses, steps: losses[-1].detach() if steps == "last" else _mean(losses), "", 3 / 4
    ),
    Mistake(lambda losses, steps: losses[-1 if steps == "last" else 1] * 1.0, "", 3 / 4),
    Mistake(lambda losses, steps: losses[2] if steps == "last" else _mean(losses), "", 2 / 4),
]
