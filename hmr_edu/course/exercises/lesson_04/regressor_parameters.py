"""Exercise of lesson 04, `regressor_parameters`: parameters of the regressor."""

from __future__ import annotations

from torch import nn

from hmr_edu.course.check import Asked, Check, Report
from hmr_edu.course.exercises._common import compare_counts
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_regressor_parameters(function: Asked) -> Report:
    """Check `regressor_parameters(features, state, hidden, perceptrons) -> int`."""
    check = Check("regressor_parameters", function)
    with check.part("HMR's own sizes, one perceptron for all steps"):
        _same_count(check, 2048, 85, 1024, 1)
    with check.part("three perceptrons, one for each step"):
        _same_count(check, 2048, 85, 1024, 3)
    with check.part("other sizes: the layers, counted"):
        for sizes in ((1, 1, 1, 1), (38, 157, 64, 2), (57, 85, 16, 4)):
            _same_count(check, *sizes)
    return check.report()


def _same_count(check: Check, features: int, state: int, hidden: int, perceptrons: int) -> None:
    got = check.call(features, state, hidden, perceptrons)
    # Counted on layers that exist, and not by a formula.
    layers = [
        nn.Linear(features + state, hidden),
        nn.Linear(hidden, hidden),
        nn.Linear(hidden, state),
    ]
    one = sum(p.numel() for layer in layers for p in layer.parameters())
    want = perceptrons * one
    slips = {
        "every layer has a bias, one for each of its outputs": want
        - perceptrons * (2 * hidden + state),
        "the first layer sees the state too: features + state numbers": want
        - perceptrons * state * hidden,
        "the middle layer, hidden -> hidden, is missing": want - perceptrons * (hidden**2 + hidden),
        "each step has a perceptron of its own here: multiply": one,
        "the last layer gives a correction of the state, not of the features": want
        - perceptrons * (state - features) * (hidden + 1),
    }
    sizes = f"{features} features, state {state}, hidden {hidden}, {perceptrons} perceptron(s)"
    compare_counts(got, want, slips, sizes)


MISTAKES = [
    Mistake(lambda f, s, h, n: n * ((f + s) * h + h * h + h * s), "has a bias", 0.0),
    Mistake(lambda f, s, h, n: n * ((f + 1) * h + (h + 1) * (h + s)), "sees the", 0.0),
    Mistake(lambda f, s, h, n: (f + s + 1) * h + (h + 1) * (h + s), "perceptron of its own", 1 / 3),
    Mistake(lambda f, s, h, n: n * ((f + s + 1) * h + (h + 1) * s), "middle", 0.0),
    Mistake(lambda f, s, h, n: 3_321_941.0, "", 0.0),
    Mistake(lambda f, s, h, n: n * ((f + 85 + 1) * h + (h + 1) * (h + 85)), "", 2 / 3),
    Mistake(
        lambda f, s, h, n: n * ((f + s + 1) * h + (h + 1) * (h + f)), "not of the features", 0.0
    ),
]
