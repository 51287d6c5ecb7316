"""Lesson 04: its own functions against the package."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from helpers.lesson_code import definitions
from torch import nn

from hmr_edu.losses import per_step, step_weights
from hmr_edu.regressor import ThetaRegressor
from hmr_edu.theta import mean_theta
from hmr_edu.viz.diagrams.loop_map import BOXES, WIDTH, loop_map

LESSON = Path(__file__).parents[2] / "notebooks" / "04_iterative_regression.ipynb"
NAMES = (
    "regressor_parameters",
    "feedback_loop",
    "steps_loss",
    "correction_cosines",
    "collapse",
)


@pytest.fixture(scope="module")
def lesson():
    return definitions(LESSON, *NAMES)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("sizes", [(57, 16, 2), (2048, 1024, 3)])
def test_parameters_are_the_packages(lesson, share, sizes):
    features, hidden, steps = sizes
    regressor = ThetaRegressor(features, steps, share, hidden=hidden)
    ours = lesson["regressor_parameters"](features, 85, hidden, 1 if share else steps)
    assert ours == sum(p.numel() for p in regressor.parameters())


@pytest.mark.parametrize("share", [True, False])
def test_loop_is_the_packages(lesson, share):
    torch.manual_seed(0)
    regressor = ThetaRegressor(7, hidden=16, share_weights=share).double().eval()
    for perceptron in regressor.perceptrons:
        nn.init.normal_(perceptron[-1].weight, std=0.3)
    features = torch.randn(5, 7, dtype=torch.float64)
    perceptrons = list(regressor.perceptrons) * (3 if share else 1)
    states = lesson["feedback_loop"](perceptrons, features, mean_theta().double())
    for ours, theirs in zip(states, regressor(features), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", ["all", "last"])
def test_loss_is_the_packages(lesson, steps):
    losses = list(torch.rand(4, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(
        lesson["steps_loss"](losses, steps), per_step(losses, step_weights(steps, 4))
    )


def test_map_names_its_boxes_and_no_two_overlap():
    axes = loop_map().axes[0]
    assert {name for _, (name, _), _ in BOXES.values()} <= {text.get_text() for text in axes.texts}
    for one, other in pairwise(sorted((y, x) for (x, y), _, _ in BOXES.values())):
        assert one[0] != other[0] or one[1] + WIDTH < other[1]


def test_collapse_is_the_packages_loop_without_relu(lesson):
    torch.manual_seed(2)
    regressor = ThetaRegressor(6, hidden=9, iterations=4).double().eval()
    one = regressor.perceptrons[0]
    one[1] = one[4] = nn.Identity()
    nn.init.normal_(one[6].weight, std=0.1)
    W = one[6].weight @ one[3].weight @ one[0].weight
    zero = torch.zeros(1, 6 + 85, dtype=torch.float64)
    P, q = lesson["collapse"](W[:, :6], W[:, 6:], one(zero)[0], regressor.mean_state, 4)
    features = torch.randn(8, 6, dtype=torch.float64)
    torch.testing.assert_close(regressor(features)[-1], features @ P.T + q, rtol=0, atol=1e-10)
