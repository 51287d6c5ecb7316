"""Checks of the problems beyond lessons 04 to 06: loops, critics, training.

The truth is worked out by hand, or summed number by number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require

DOUBLE = torch.float64


def check_growing_loss(function: Callable[..., Any]) -> Report:
    """Check `growing_loss(losses, power) -> []`: step t = 1, 2, ... weighs t ** power."""
    check = Check("growing_loss", function)
    losses = [torch.tensor(x, dtype=DOUBLE) for x in (0.9, 0.5, 0.1)]
    with check.part("power 0: the mean"):
        compare(check.call(losses, 0.0), torch.tensor(0.5, dtype=DOUBLE), 1e-12)
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
            slips = {hint: torch.tensor(value, dtype=DOUBLE) for hint, value in wrong.items()}
            want = torch.tensor(top / sum(weights), dtype=DOUBLE)
            compare(check.call(losses, power), want, 1e-12, slips)
    with check.part("gradients flow to every step"):
        leaves = [x.clone().requires_grad_() for x in losses]
        loss = check.function(leaves, 1.0)
        require(
            isinstance(loss, Tensor) and loss.requires_grad,
            "the loss has no gradient",
            "keep the graph: no float(...), no .item()",
        )
        got = torch.stack(torch.autograd.grad(loss, leaves))
        compare(got, torch.tensor([1.0, 2, 3], dtype=DOUBLE) / 6, 1e-12)
    return check.report()


def check_settled_loop(function: Callable[..., Any]) -> Report:
    """Check `settled_loop(correct, state [B, S], tolerance, most) -> (state, steps [B])`."""
    check = Check("settled_loop", function)
    target = torch.randn(3, 2, generator=inputs(20), dtype=DOUBLE)
    far = torch.tensor([[8.0, 0.0], [1.0, 0.0], [0.0, 0.0]], dtype=DOUBLE)

    def halfway(state: Tensor) -> Tensor:
        """A correction that goes half the way that is left."""
        return (target - state) / 2

    # Corrections are 4, 2, 1, ...: the first that is not longer than 0.6 is number 4; 1; 1.
    want = torch.tensor([4, 1, 1])
    left = far / 2.0 ** want[:, None]
    with check.part("each person stops after the first correction not longer than the tolerance"):
        _, steps = _pair(check, halfway, target + far, 0.6, 10)
        slips = {
            "people stop one by one: a length for each row": torch.tensor([4, 4, 4]),
            "the last correction is made too, and counted": want - 1,
            "the length of a correction, not of what is left": torch.tensor([5, 2, 1]),
        }
        compare(torch.as_tensor(steps), want, 0.0, slips)
        # Powers of 2 halve without rounding: corrections of exactly 4, 2, 1.
        _, steps = _pair(check, lambda state: -state / 2, far, 1.0, 10)
        strict = {"as long as the tolerance is not longer: stop there": torch.tensor([4, 1, 1])}
        compare(torch.as_tensor(steps), torch.tensor([3, 1, 1]), 0.0, strict)
        # Corrections (3, 4), (1.5, 2), ...: 5 and 2.5 long.
        slant = torch.tensor([[6.0, 8.0]], dtype=DOUBLE)
        _, steps = _pair(check, lambda state: -state / 2, slant, 4.5, 10)
        other = {"the length is Euclid's: correction.norm(dim=1)": torch.tensor([1])}
        compare(torch.as_tensor(steps), torch.tensor([2]), 0.0, other)
    with check.part("who has stopped stays"):
        state, _ = _pair(check, halfway, target + far, 0.6, 10)
        every = {
            "who has settled must not be moved any more": target + far / 2.0**10,
            "who has settled must not be moved while others go on": target + far / 2.0**4,
        }
        compare(state, target + left, 1e-9, every)
    with check.part("never more than `most` steps"):
        state, steps = _pair(check, halfway, target + far, 1e-9, 3)
        slips = {
            "not one more than `most`": torch.tensor([4, 4]),
            "`most` steps, not one fewer": torch.tensor([2, 2]),
        }
        compare(torch.as_tensor(steps)[:2], torch.tensor([3, 3]), 0.0, slips)
        compare(state[:2], target[:2] + far[:2] / 8, 1e-9)
    return check.report()


def check_gradient_penalty(function: Callable[..., Any]) -> Report:
    """Check `gradient_penalty(critic, real [N, D], fake [N, D], mix [N, 1]) -> []`."""
    check = Check("gradient_penalty", function)
    g = inputs(21)
    real, fake = (torch.randn(5, 3, generator=g, dtype=DOUBLE) for _ in range(2))
    mix = torch.rand(5, 1, generator=g, dtype=DOUBLE)
    slope = torch.tensor([3.0, 4.0, 0.0], dtype=DOUBLE)
    between = mix * real + (1 - mix) * fake
    with check.part("a linear critic of slope 5: (5 - 1)^2"):
        got = check.call(lambda x: x @ slope, real, fake, mix)
        wrong = {
            "the norm must be 1, not 0": 25.0,
            "the mean over samples, not the sum": 80.0,
            "square what the norm differs from 1": 4.0,
            "the norm of each sample's gradient, not of all at once": (5 * 5**0.5 - 1) ** 2,
            "the mean of the critic's scores shrinks each gradient: take their sum": 0.0,
        }
        slips = {hint: torch.tensor(value, dtype=DOUBLE) for hint, value in wrong.items()}
        compare(got, torch.tensor(16.0, dtype=DOUBLE), 1e-9, slips)
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
        compare(check.call(lambda x: x.square().sum(1), real, fake, mix), at(between), 1e-9, slips)
    with check.part("the critic can learn from it"):
        scale = torch.tensor(2.0, dtype=DOUBLE, requires_grad=True)
        penalty = check.call(lambda x: scale * (x @ slope), real, fake, mix)
        require(
            isinstance(penalty, Tensor) and penalty.requires_grad,
            "the penalty has no gradient",
            "torch.autograd.grad(..., create_graph=True)",
        )
        (learnt,) = torch.autograd.grad(penalty, scale, allow_unused=True)
        require(learnt is not None, "it does not reach the critic", "create_graph=True")
        compare(learnt, torch.tensor(2 * (10.0 - 1) * 5, dtype=DOUBLE), 1e-9)
    return check.report()


def check_hinge(function: Callable[..., Any]) -> Report:
    """Check `hinge(real [N, C], fake [M, C]) -> (encoder [], critics [])`."""
    check = Check("hinge", function)
    g = inputs(22)
    real = 2 * torch.randn(4, 25, generator=g, dtype=DOUBLE)
    fake = 2 * torch.randn(6, 25, generator=g, dtype=DOUBLE)
    on_real = sum(max(0.0, 1 - d) for d in real.flatten().tolist()) / 4
    on_fake = sum(max(0.0, 1 + d) for d in fake.flatten().tolist()) / 6
    up = sum(fake.flatten().tolist()) / 6
    with check.part("scores of 0: the critics pay 2 each, the encoder nothing"):
        zero = torch.zeros(3, 25, dtype=DOUBLE)
        encoder, critics = _pair(check, zero, zero)
        compare(critics, torch.tensor(50.0, dtype=DOUBLE), 1e-9)
        compare(encoder, torch.tensor(0.0, dtype=DOUBLE), 1e-9)
    with check.part("any scores, critics"):
        free = float((1 - real).sum() / 4 + (1 + fake).sum() / 6)
        swapped = float((1 + real).relu().sum() / 4 + (1 - fake).relu().sum() / 6)
        wrong = {
            "who is right by more than 1 pays nothing: relu": free,
            "real above 1, fake below -1: yours are exchanged": swapped,
            "sum over critics, mean over samples": (on_real + on_fake) / 25,
        }
        slips = {hint: torch.tensor(value, dtype=DOUBLE) for hint, value in wrong.items()}
        want = torch.tensor(on_real + on_fake, dtype=DOUBLE)
        compare(_pair(check, real, fake)[1], want, 1e-9, slips)
    with check.part("any scores, encoder"):
        wrong = {
            "the encoder wants its fakes' scores to rise: a minus is missing": up,
            "the encoder's loss has no hinge": float((1 - fake).relu().sum() / 6),
            "sum over critics, mean over samples": -up / 25,
        }
        slips = {hint: torch.tensor(value, dtype=DOUBLE) for hint, value in wrong.items()}
        compare(_pair(check, real, fake)[0], torch.tensor(-up, dtype=DOUBLE), 1e-9, slips)
    return check.report()


def check_moving_average(function: Callable[..., Any]) -> Report:
    """Check `moving_average(average, weights, step, decay) -> list`: a slow copy of a network."""
    check = Check("moving_average", function)
    g = inputs(23)
    average = [torch.randn(3, 2, generator=g, dtype=DOUBLE), torch.randn(4, generator=g).double()]
    weights = [torch.randn(3, 2, generator=g, dtype=DOUBLE), torch.randn(4, generator=g).double()]
    for step, decay, keep in ((0, 0.99, 0.1), (8, 0.99, 0.5), (10_000, 0.99, 0.99)):
        with check.part(f"step {step}: it keeps {keep:g} of what it was"):
            got = check.call(average, weights, step, decay)
            for mine, old, new in zip(_list(got, 2), average, weights, strict=True):
                slips = {
                    "the decay is what is kept of the average, not of the weights": keep * new
                    + (1 - keep) * old,
                    "early on, keep less: min(decay, (1 + step) / (10 + step))": decay * old
                    + (1 - decay) * new,
                }
                compare(mine, keep * old + (1 - keep) * new, 1e-9, slips)
    with check.part("no graph: the average is not trained"):
        learning = [w.clone().requires_grad_() for w in weights]
        got = _list(check.function([a.clone() for a in average], learning, 5, 0.9), 2)
        require(not any(a.requires_grad for a in got), "it carries a graph", "detach the weights")
    return check.report()


def check_clip_by_norm(function: Callable[..., Any]) -> Report:
    """Check `clip_by_norm(gradients, largest) -> list`: one length for all, skip what is broken."""
    check = Check("clip_by_norm", function)
    long = [torch.tensor([3.0, 0.0], dtype=DOUBLE), torch.tensor([[4.0]], dtype=DOUBLE)]
    with check.part("3 and 4 are 5 long together: clipped to 1"):
        got = _list(check.call(long, 1.0), 2)
        each = {"one length for all together, not one for each": torch.ones(1, 1, dtype=DOUBLE)}
        compare(got[1], torch.tensor([[0.8]], dtype=DOUBLE), 1e-9, each)
        compare(got[0], torch.tensor([0.6, 0.0], dtype=DOUBLE), 1e-9)
    with check.part("what is short enough stays as it is"):
        got = _list(check.call(long, 7.0), 2)
        stretched = {"only shorten, never stretch": long[1] * 7 / 5}
        compare(got[1], long[1], 0.0, stretched)
    with check.part("no gradient at all: 0, and not 0 / 0"):
        got = _list(check.call([torch.zeros(3, dtype=DOUBLE)], 1.0), 1)
        compare(got[0], torch.zeros(3, dtype=DOUBLE), 0.0)
    with check.part("a gradient that is not finite: the step is skipped, all are 0"):
        for broken in (math.nan, math.inf):
            got = _list(check.call([long[0], torch.tensor([broken], dtype=DOUBLE)], 1.0), 2)
            for mine, like in zip(got, (long[0], torch.zeros(1, dtype=DOUBLE)), strict=True):
                compare(mine, torch.zeros_like(like), 0.0)
    return check.report()


def _pair(check: Check, *arguments: Any) -> tuple[Any, Any]:
    result = check.call(*arguments)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mismatch(f"it returned {type(result).__name__}", "return two values")
    return result


def _list(result: Any, length: int) -> list[Tensor]:
    if not isinstance(result, list | tuple) or len(result) != length:
        raise Mismatch(f"it returned {type(result).__name__}", "return a list, a tensor for each")
    return list(result)
