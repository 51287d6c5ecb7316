"""Exercise of lesson 04, `growing_loss`: later steps weigh more."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import slopes_of, tensor
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
        want = check.call(losses, 1.0, shape=()).detach()
        slopes = slopes_of(check, [losses, 1.0], [0], want, 1e-12)
        compare(torch.stack(slopes), tensor([1.0, 2, 3]) / 6, 1e-12)
        # Any number of steps, and any power.
        five = [tensor(x) for x in (5.0, 4.0, 3.0, 2.0, 11.0)]
        compare(check.call(five[:1], 1.0), five[0], 1e-12)
        top, below = sum(t**0.5 * float(x) for t, x in enumerate(five, 1)), [1.0, 2, 3, 4, 5]
        compare(check.call(five, 0.5), tensor(top / sum(t**0.5 for t in below)), 1e-12)
    return check.report()


# Wrong answers that people give.


def _weighted(make, divide=True):
    def growing(losses, power):
        x = torch.stack(losses)
        w = make(torch.arange(len(losses)).to(x), power)
        return (w * x).sum() / (w.sum() if divide else 1)

    return growing


_right = _weighted(lambda t, p: (t + 1) ** p)

MISTAKES = [
    Mistake(_weighted(lambda t, p: (t + 1) ** p, divide=False), "sum of the weights", 0.0),
    Mistake(_weighted(lambda t, p: t**p), "weighs nothing", 1 / 4),
    Mistake(_weighted(lambda t, p: (len(t) - t) ** p), "not less", 1 / 4),
    Mistake(lambda losses, p: losses[-1], "", 0.0),
    Mistake(lambda x, p: _right([loss.detach() for loss in x], p), "is cut", 3 / 4),
    Mistake(lambda x, p: _right(x[:3], p), "", 3 / 4, name="three steps always"),
    Mistake(_weighted(lambda t, p: (t + 1) ** int(p)), "", 3 / 4, name="whole powers only"),
]
