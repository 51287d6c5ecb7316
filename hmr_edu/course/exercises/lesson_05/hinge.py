"""Exercise of lesson 05, `hinge`: hinge losses."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor, two_values
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


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
        encoder, critics = two_values(check, zero, zero)
        compare(critics, tensor(50.0), 1e-9)
        compare(encoder, tensor(0.0), 1e-9)
    with check.part("any scores, critics"):
        free = float((1 - real).sum() / 4 + (1 + fake).sum() / 6)
        swapped = float((1 + real).relu().sum() / 4 + (1 - fake).relu().sum() / 6)
        wrong = {
            "who is right by more than 1 pays nothing: relu": free,
            "real above 1, fake below -1: yours are exchanged": swapped,
            "sum over critics, mean over samples": (on_real + on_fake) / 25,
        }
        slips = {hint: tensor(value) for hint, value in wrong.items()}
        want = tensor(on_real + on_fake)
        compare(two_values(check, real, fake)[1], want, 1e-9, slips)
    with check.part("any scores, encoder"):
        wrong = {
            "the encoder wants its fakes' scores to rise: a minus is missing": up,
            "the encoder's loss has no hinge": float((1 - fake).relu().sum() / 6),
            "sum over critics, mean over samples": -up / 25,
        }
        slips = {hint: tensor(value) for hint, value in wrong.items()}
        compare(two_values(check, real, fake)[0], tensor(-up), 1e-9, slips)
    return check.report()


# Wrong answers that people give.


def _critics(r, f, hinge=torch.relu):
    return hinge(1 - r).sum(1).mean() + hinge(1 + f).sum(1).mean()


MISTAKES = [
    Mistake(
        lambda r, f: (-f.sum(1).mean(), (1 - r).sum(1).mean() + (1 + f).sum(1).mean()), "rel", 2 / 3
    ),
    Mistake(lambda r, f: (f.sum(1).mean(), _critics(r, f)), "a minus is missing", 2 / 3),
    Mistake(lambda r, f: ((1 - f).relu().sum(1).mean(), _critics(r, f)), "no hinge", 1 / 3),
    Mistake(lambda r, f: (-f.sum(1).mean(), _critics(-r, -f)), "exchanged", 2 / 3),
]
