"""Exercise of lesson 04, `growing_loss`: later steps weigh more."""

from __future__ import annotations

import torch

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, require
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_growing_loss(function: Asked) -> Report:
    """Check `growing_loss(losses, power) -> []`: step t = 1, 2, ... weighs t ** power."""
    check = Check("growing_loss", function)
    losses = [tensor(x) for x in (0.9, 0.5, 0.1)]
    with check.part("power 0: the mean"):
        compare(check.call(losses, 0.0), tensor(0.5), 1e-12)
    for power, weights in ((1.0, (1, 2, 3)), (2.0, (1, 4, 9))):
        with check.part(f"power {power:.0f}: weights {weights}, divided by their sum"):
            top = sum(w * float(x) for w, x in zip(weights, losses, strict=True))
            from_zero = [t**power for t in range(3)]
            wrong = {
                "divide by the sum of the weights": top,
                "divide by the sum of the weights, not by their number": top / 3,
                "the first step is step 1: yours weighs nothing": sum(
                    w * float(x) for w, x in zip(from_zero, losses, strict=True)
                )
                / sum(from_zero),
                "later steps weigh more, not less": sum(
                    w * float(x) for w, x in zip(weights[::-1], losses, strict=True)
                )
                / sum(weights),
            }
            slips = {hint: tensor(value) for hint, value in wrong.items()}
            want = tensor(top / sum(weights))
            compare(check.call(losses, power), want, 1e-12, slips)
    with check.part("gradients flow to every step"):
        depends, _, slopes = check.ask(questions.gradients, [losses, 1.0], [0], -1)
        require(
            depends,
            "the loss has no gradient",
            "keep the graph: no float(...), no .item()",
        )
        require(None not in slopes, "a step has no gradient")
        compare(torch.stack(slopes), tensor([1.0, 2, 3]) / 6, 1e-12)
    return check.report()


# Wrong answers that people give.


def _weighted(make, divide=True):
    def growing(losses, power):
        x = torch.stack(losses)
        w = make(torch.arange(len(losses)).to(x), power)
        return (w * x).sum() / (w.sum() if divide else 1)

    return growing


MISTAKES = [
    Mistake(_weighted(lambda t, p: (t + 1) ** p, divide=False), "sum of the weights", 0.0),
    Mistake(_weighted(lambda t, p: t**p), "weighs nothing", 1 / 4),
    Mistake(_weighted(lambda t, p: (len(t) - t) ** p), "not less", 1 / 4),
    Mistake(lambda losses, p: losses[-1], "", 0.0),
]
