"""Lesson 04: its own functions against the package, and its checks against typical mistakes."""

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
cosine = nn.functional.cosine_similarity


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


def loop(correct, begin=None):
    """A feedback loop whose step is `correct(perceptron, features, state, mean)`."""

    def function(perceptrons, features, mean):
        mean = mean.expand(len(features), -1)
        state, states = mean if begin is None else begin(mean), []
        for perceptron in perceptrons:
            state = correct(perceptron, features, state, mean)
            states.append(state)
        return states

    return function


def in_place(perceptrons, features, mean):
    state, states = mean.repeat(len(features), 1), []
    for perceptron in perceptrons:
        state += perceptron(torch.cat((features, state), 1))
        states.append(state)
    return states


def collapsed(new_P, new_q, begin=None):
    def function(A, B, c, mean, steps):
        P, q = torch.zeros_like(A), mean if begin is None else begin(mean)
        for _ in range(steps):
            P, q = new_P(P, A, B), new_q(q, B, c)
        return P, q

    return function


def moves(states):
    return [b - a for a, b in pairwise(states)]


def good_P(P, A, B):
    return P + A + B @ P


def good_q(q, B, c):
    return q + B @ q + c


good_loop = loop(lambda f, phi, state, mean: state + f(torch.cat((phi, state), 1)))

MISTAKES = [
    ("regressor_parameters", lambda f, s, h, n: n * ((f + s) * h + h * h + h * s), "has a bias"),
    ("regressor_parameters", lambda f, s, h, n: n * ((f + 1) * h + (h + 1) * (h + s)), "sees the"),
    (
        "regressor_parameters",
        lambda f, s, h, n: (f + s + 1) * h + (h + 1) * (h + s),
        "perceptron of its own",
    ),
    ("regressor_parameters", lambda f, s, h, n: n * ((f + s + 1) * h + (h + 1) * s), "middle"),
    ("regressor_parameters", lambda f, s, h, n: 3_321_941.0, ""),
    (
        "feedback_loop",
        loop(lambda f, phi, state, mean: f(torch.cat((phi, state), 1))),
        "gives a correction",
    ),
    (
        "feedback_loop",
        loop(lambda f, phi, state, mean: state + f(torch.cat((state, phi), 1))),
        "features come first",
    ),
    (
        "feedback_loop",
        loop(lambda f, phi, state, mean: state + f(torch.cat((phi, mean), 1))),
        "feed the new state back",
    ),
    (
        "feedback_loop",
        loop(lambda f, phi, state, mean: mean + f(torch.cat((phi, mean), 1))),
        "keep the state",
    ),
    (
        "feedback_loop",
        loop(lambda f, phi, state, mean: state + f(torch.cat((phi, state), 1)), torch.zeros_like),
        "from the mean, not from 0",
    ),
    ("feedback_loop", in_place, "state += ..."),
    (
        "feedback_loop",
        lambda *given: [state.detach() for state in good_loop(*given)],
        "no .detach()",
    ),
    ("steps_loss", lambda losses, steps: torch.stack(losses).mean(), "look at the argument"),
    ("steps_loss", lambda losses, steps: losses[-1], "counts every step"),
    (
        "steps_loss",
        lambda losses, steps: (
            torch.tensor([loss.item() for loss in losses]).mean().to(losses[0])
            if steps == "all"
            else losses[-1]
        ),
        "copies numbers",
    ),
    (
        "steps_loss",
        lambda losses, steps: torch.stack(losses).sum() if steps == "all" else losses[-1],
        "divide by the number of steps",
    ),
    (
        "steps_loss",
        lambda losses, steps: torch.stack(losses).sum() / 3 if steps == "all" else losses[-1],
        "len(losses)",
    ),
    (
        "steps_loss",
        lambda losses, steps: (
            torch.stack(losses).mean()
            if steps == "all"
            else sum(loss * (loss is losses[-1]) for loss in losses)
        ),
        "0 times infinity",
    ),
    (
        "correction_cosines",
        lambda s: torch.stack([cosine(a, b, dim=1).mean() for a, b in pairwise(moves(s))]),
        "FIRST",
    ),
    (
        "correction_cosines",
        lambda s: torch.stack(
            [cosine(moves(s)[0].flatten(), m.flatten(), dim=0) for m in moves(s)[1:]]
        ),
        "average the cosines",
    ),
    (
        "correction_cosines",
        lambda s: torch.stack([(moves(s)[0] * m).sum(1).mean() for m in moves(s)[1:]]),
        "over both lengths",
    ),
    (
        "correction_cosines",
        lambda s: torch.stack([cosine(s[1] - s[0], m - s[0], dim=1).mean() for m in s[2:]]),
        "between neighbours",
    ),
    (
        "correction_cosines",
        lambda s: torch.stack(
            [cosine(moves(s)[0].mean(0), m.mean(0), dim=0) for m in moves(s)[1:]]
        ),
        "not the corrections",
    ),
    ("collapse", collapsed(good_P, lambda q, B, c: q + B @ q + c / 2), ""),
    ("collapse", lambda *given: collapsed(good_P, good_q)(*given[:4], 3), "as many steps"),
    ("collapse", collapsed(lambda P, A, B: A + B @ P, good_q), "P <- P + A + B P"),
    ("collapse", collapsed(lambda P, A, B: A + P, good_q), "comes back through B"),
    ("collapse", collapsed(good_P, lambda q, B, c: B @ q + c), "as the mean itself"),
    ("collapse", collapsed(good_P, lambda q, B, c: q + B @ q), "bias c"),
    ("collapse", collapsed(good_P, lambda q, B, c: q + q @ B + c), "transposed"),
]
