"""Exercise of lesson 05, `parameter_count`: parameters of the critics."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report
from hmr_edu.course.exercises._common import compare_counts
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.discriminator import Discriminator

POINTS = 2


def check_parameter_count(function: Asked) -> Report:
    """Check `parameter_count(features, hidden) -> int`: weights and biases of the 25 critics."""
    check = Check("parameter_count", function)
    with check.part("HMR's own sizes: 32 features, 1024 hidden"):
        _same_count(check, 32, 1024)
    with check.part("other sizes: the layers of a critic, counted"):
        for features, hidden in ((3, 4), (16, 64), (40, 8), (1, 1)):
            _same_count(check, features, hidden)
    return check.report()


def _same_count(check: Check, features: int, hidden: int) -> None:
    got = check.call(features, hidden)
    want = _parameters(features, hidden)
    weights, joint = 9 * features + features**2, 10 * features + features * (features + 1)
    biases = 2 * features + 23 + 2 * hidden + 1 + 16
    slips = {
        "every layer has a bias, one for each of its outputs": want - biases,
        "the first two layers are shared: count them once, not 23 times": want + 22 * joint,
        "each joint has a linear layer of its own at the end: 23 of them": want
        - 22 * (features + 1),
        "the full pose sees the features of all 23 joints at once, 23 * features": want
        - 22 * features * hidden,
        "the shape critic has two hidden layers, 10 -> 10 -> 5 -> 1": want - 110,
        "the two shared layers are missing": want - weights - 2 * features,
        "the last layer of a joint has a bias, too: 23 of them": want - 23,
        "the full pose has two hidden layers, 736 -> 1024 -> 1024 -> 1": want
        - hidden * (hidden + 1),
        "the shape critic is missing: 171 parameters": want - 171,
        "736 is 23 * features for 32 features: write it with `features`": want
        + 23 * (32 - features) * hidden,
        "count with `features` and `hidden`, and not with 32 and 1024": _parameters(32, 1024),
        "count with `hidden`, and not with 1024": _parameters(features, 1024),
        "count with `features`, and not with 32": _parameters(32, hidden),
    }
    compare_counts(got, want, slips, f"{features} features, {hidden} hidden")


def _parameters(features: int, hidden: int) -> int:
    """Count on layers that exist, and not by a formula."""
    with torch.device("meta"):
        return sum(p.numel() for p in Discriminator(features, hidden).parameters())


# Wrong answers that people give.


def _conv(f):
    return 10 * f + f * f + f


def _count(f, h, shared=1, heads=23, seen=23, shape=171):
    pose = seen * f * h + h + h * h + h + h + 1
    return shared * _conv(f) + heads * (f + 1) + pose + shape


def _one_layer(f, h):
    return _count(f, h) - h * (h + 1)


MISTAKES = [
    Mistake(lambda f, h: _count(f, h, shared=23), "shared", 0.0),
    Mistake(lambda f, h: _count(f, h, heads=1), "23 of them", 0.0),
    Mistake(lambda f, h: _count(f, h, seen=1), "all 23 joints at once", 0.0),
    Mistake(lambda f, h: _count(f, h, shape=61), "two hidden layers", 0.0),
    Mistake(lambda f, h: _count(f, h) - 2 * f - 23 - 2 * h - 1 - 16, "bias", 0.0),
    Mistake(lambda f, h: float(_count(f, h)), "", 0.0),
    Mistake(lambda f, h: _count(f, h) - 23, "bias, too", 0.0),
    Mistake(_one_layer, "two hidden layers", 0.0),
    Mistake(lambda f, h: _count(f, h) - 171, "171", 0.0),
    Mistake(lambda f, h: _count(f, h) + (736 - 23 * f) * h, "736", 1 / 2),
    Mistake(lambda f, h: _count(32, h), "not with 32", 1 / 2),
    Mistake(lambda f, h: _count(f, 1024), "not with 1024", 1 / 2),
    Mistake(lambda f, h: 1_807_619, "", 1 / 2),
]
