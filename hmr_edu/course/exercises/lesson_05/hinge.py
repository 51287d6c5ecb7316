"""Exercise of lesson 05, `hinge`: hinge losses."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require, several
from hmr_edu.course.exercises._common import CUT, DOUBLE, draw, tensor, two_values
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
PAIR = "encoder, critics"


def check_hinge(function: Asked) -> Report:
    """Check `hinge(real [N, C], fake [M, C]) -> (encoder [], critics [])`."""
    check = Check("hinge", function)
    g = inputs(22)
    real = 2 * draw(g, 4, 25)
    fake = 2 * draw(g, 6, 25)
    on_real = sum(max(0.0, 1 - d) for d in real.flatten().tolist()) / 4
    on_fake = sum(max(0.0, 1 + d) for d in fake.flatten().tolist()) / 6
    up = sum(fake.flatten().tolist()) / 6
    with check.part("scores of 0: the critics pay 2 each, the encoder nothing"):
        zero = torch.zeros(3, 25, dtype=DOUBLE)
        encoder, critics = two_values(check, zero, zero, names=PAIR)
        turned = _alike(encoder, 50.0) and _alike(critics, 0.0)
        require(not turned, "the two losses are exchanged", f"return {PAIR}: in this order")
        compare(critics, tensor(50.0), 1e-9)
        compare(encoder, tensor(0.0), 1e-9)
    with check.part("any scores, critics"):
        free = float((1 - real).sum() / 4 + (1 + fake).sum() / 6)
        swapped = float((1 + real).relu().sum() / 4 + (1 - fake).relu().sum() / 6)
        wrong = {
            "who is right by more than 1 pays nothing: relu": free,
            "real above 1, fake below -1: yours are exchanged": swapped,
            "sum over critics, mean over samples": (on_real + on_fake) / 25,
            "mean over samples, not their sum": on_real * 4 + on_fake * 6,
            "each batch has its own size: a mean of each, then the sum": (on_real * 4 + on_fake * 6)
            / 5,
            "a mean over the real, plus a mean over the fakes: do not average the two": (
                on_real + on_fake
            )
            / 2,
            "the fakes are missing": on_real,
        }
        slips = {hint: tensor(value) for hint, value in wrong.items()}
        want = tensor(on_real + on_fake)
        compare(two_values(check, real, fake, names=PAIR)[1], want, 1e-9, slips)
    with check.part("any scores, encoder"):
        wrong = {
            "the encoder wants its fakes' scores to rise: a minus is missing": up,
            "the encoder's loss has no hinge": float((1 - fake).relu().sum() / 6),
            "sum over critics, mean over samples": -up / 25,
            "mean over samples, not their sum": -up * 6,
        }
        slips = {hint: tensor(value) for hint, value in wrong.items()}
        compare(two_values(check, real, fake, names=PAIR)[0], tensor(-up), 1e-9, slips)
        depends, result, slopes = check.ask(questions.gradients, [real, fake], [1], 0)
        several(result, PAIR)
        require(depends and slopes[0] is not None, "its value is right, but has no gradient", CUT)
    return check.report()


def _alike(got: object, want: float) -> bool:
    return isinstance(got, Tensor) and got.shape == () and abs(float(got) - want) < 1e-9


# Wrong answers that people give.


def _critics(r, f, hinge=torch.relu):
    return hinge(1 - r).sum(1).mean() + hinge(1 + f).sum(1).mean()


def _together(r, f):
    return torch.cat([1 - r, 1 + f]).relu().sum(1).mean() * 2


MISTAKES = [
    Mistake(
        lambda r, f: (-f.sum(1).mean(), (1 - r).sum(1).mean() + (1 + f).sum(1).mean()), "rel", 2 / 3
    ),
    Mistake(lambda r, f: (f.sum(1).mean(), _critics(r, f)), "a minus is missing", 2 / 3),
    Mistake(lambda r, f: ((1 - f).relu().sum(1).mean(), _critics(r, f)), "no hinge", 1 / 3),
    Mistake(lambda r, f: (-f.sum(1).mean(), _critics(-r, -f)), "exchanged", 2 / 3),
    Mistake(lambda r, f: (_critics(r, f), -f.sum(1).mean()), "in this order", 0.0),
    Mistake(lambda r, f: (-f.mean(), _critics(r, f)), "sum over critics", 2 / 3),
    Mistake(lambda r, f: (-f.sum(), _critics(r, f)), "not their sum", 2 / 3),
    Mistake(lambda r, f: (-f.sum(1).mean().detach(), _critics(r, f)), "is cut", 2 / 3),
    Mistake(lambda r, f: (-f.sum(1).mean(), _critics(r, f) / 2), "do not average", 1 / 3),
    Mistake(lambda r, f: (-f.sum(1).mean(), _together(r, f)), "own size", 2 / 3),
]
