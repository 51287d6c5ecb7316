"""Exercise of lesson 04, `feedback_loop`: the feedback loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.check import Asked, Check, Report, compare, described, inputs, require, shaped
from hmr_edu.course.exercises._common import draw
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.course.questions import called

POINTS = 4


def check_feedback_loop(function: Asked) -> Report:
    """Check `feedback_loop(perceptrons, features [B, F], mean [S]) -> list of [B, S]`."""
    check = Check("feedback_loop", function)
    g = inputs(0)
    features, mean = draw(g, 4, 5), draw(g, 3)
    start = mean.expand(4, 3)

    with check.part("one step from the mean: mean + f([features, mean])"):
        numbers = _numbers(g, 5, 3)
        step = _perceptron(*numbers)
        got = _states(check, [numbers], features, mean)
        correction = step(torch.cat((features, start), 1))
        mistakes = {
            "a step gives a correction: add it to the state": correction,
            "the features come first, then the state: torch.cat((features, state), dim=1)": start
            + step(torch.cat((start, features), 1)),
            "the step starts from the mean, not from 0": step(
                torch.cat((features, torch.zeros_like(start)), 1)
            ),
        }
        compare(got[0], start + correction, 1e-9, mistakes)
        got = _states(check, [numbers] * 2, features, mean.clone().requires_grad_())
        require(
            all(state.requires_grad for state in got),
            "a state in the list has no gradient",
            "no .detach(), no no_grad: the losses of all steps teach",
        )
        alone = _states(check, [numbers], features[:1], mean)
        compare(alone[0], (start + correction)[:1], 1e-9)

    with check.part("every step sees where the one before it arrived"):
        numbers = _numbers(g, 5, 3)
        shared = _perceptron(*numbers)
        want = _run([shared] * 3, features, start)
        got = _states(check, [numbers] * 3, features, mean)
        blind = [start + (i + 1) * (want[0] - start) for i in range(3)]
        restarted = [want[0]] * 3
        replaced, state = [], start
        for _ in range(3):
            state = shared(torch.cat((features, state), 1))
            replaced.append(state)
        for i in (2, 1):
            mistakes = {
                "feed the new state back, not the mean, to every step": blind[i],
                "keep the state from step to step: every step here began at the mean": restarted[i],
                "a step gives a correction: add it to the state": replaced[i],
            }
            compare(got[i], want[i], 1e-9, mistakes)

        want_slope = _slope_of_mean(_in_a_loop, [numbers] * 2, features, mean)
        slope = check.ask(_slope_of_mean, [numbers] * 2, features, mean)
        through = "the gradient flows through the states, too: no .detach() from step to step"
        if slope is not None and want_slope is not None:  # else the first part has said so
            compare(slope, want_slope, 1e-9, {through: slope})

    with check.part("perceptrons of their own are used in their order"):
        several = [_numbers(g, 5, 3) for _ in range(4)]
        own = [_perceptron(*numbers) for numbers in several]
        want = _run(own, features, start)
        got = _states(check, several, features, mean)
        only = _run([own[0]] * 4, features, start)
        backwards = _run(own[::-1], features, start)
        for i in range(4):
            mistakes = {
                "use perceptrons[i] in step i, not the first one in every step": only[i],
                "first perceptron first": backwards[i],
            }
            compare(got[i], want[i], 1e-9, mistakes)

    with check.part("the states in the list are not changed afterwards"):
        got = _states(check, several, features, mean)
        require(
            not torch.equal(got[0], got[-1]),
            "all states in the list are one and the same tensor",
            "write `state = state + ...`, not `state += ...`",
        )
        compare(got[0], want[0], 1e-9)
    return check.report()


def _states(
    check: Check, perceptrons: list[tuple[Tensor, Tensor]], features: Tensor, mean: Tensor
) -> list[Tensor]:
    states, count = check.call(perceptrons, features, mean, by=_with_perceptrons), len(perceptrons)
    require(isinstance(states, list), f"it returned {described(states)}, a list is wanted")
    require(
        len(states) == count,
        f"{len(states)} states in the list, wanted {count}",
        "one state for each step; the mean itself is not among them" * (len(states) == count + 1),
    )
    return [shaped(state, (len(features), len(mean))) for state in states]


def _run(perceptrons: list[nn.Module], features: Tensor, state: Tensor) -> list[Tensor]:
    """Return the states of the loop, one person at a time, with no tensor shared."""
    rows = []
    for phi, here in zip(features, state, strict=True):
        walk = []
        for perceptron in perceptrons:
            here = here + perceptron(torch.cat((phi, here))[None])[0]
            walk.append(here)
        rows.append(torch.stack(walk))
    return list(torch.stack(rows, 1).detach())


def _numbers(g: torch.Generator, features: int, state: int) -> tuple[Tensor, Tensor]:
    """Draw weights and bias of a perceptron."""
    return 0.7 * draw(g, state, features + state), draw(g, state)


@question
def _perceptron(weight: Tensor, bias: Tensor) -> nn.Module:
    """Make a step that is no perceptron, but answers as one would: curved, and in float64."""
    states, numbers = weight.shape
    layer = nn.Linear(numbers, states, dtype=torch.float64).requires_grad_(False)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return nn.Sequential(layer, nn.Tanh())


@question
def _with_perceptrons(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with perceptrons made of their numbers."""
    numbers, *others = arguments
    return called(function, [[_perceptron(*two) for two in numbers], *others])


@question
def _slope_of_mean(
    function: Callable[..., Any], numbers: list[Any], features: Tensor, mean: Tensor
) -> Tensor | None:
    """Return the gradient of the last state with respect to the mean, None where it has none."""
    leaf = mean.clone().requires_grad_()
    states = function([_perceptron(*two) for two in numbers], features, leaf.clone())
    if not states[-1].requires_grad:
        return None
    return torch.autograd.grad(states[-1].sum(), leaf)[0]


def _in_a_loop(perceptrons: list[nn.Module], features: Tensor, mean: Tensor) -> list[Tensor]:
    state = mean.expand(len(features), -1)
    for perceptron in perceptrons:
        state = state + perceptron(torch.cat((features, state), 1))
    return [state]


# Wrong answers that people give.


def _loop(correct, begin=None):
    """Make a feedback loop whose step is `correct(perceptron, features, state, mean)`."""

    def function(perceptrons, features, mean):
        mean = mean.expand(len(features), -1)
        state, states = mean if begin is None else begin(mean), []
        for perceptron in perceptrons:
            state = correct(perceptron, features, state, mean)
            states.append(state)
        return states

    return function


def _in_place(perceptrons, features, mean):
    state, states = mean.repeat(len(features), 1), []
    for perceptron in perceptrons:
        state += perceptron(torch.cat((features, state), 1))
        states.append(state)
    return states


_good_loop = _loop(lambda f, phi, state, mean: state + f(torch.cat((phi, state), 1)))

_detached_between = _loop(
    lambda f, phi, state, mean: state + f(torch.cat((phi, state.detach()), 1))
)

MISTAKES = [
    Mistake(
        _loop(lambda f, phi, state, mean: f(torch.cat((phi, state), 1))), "gives a correction", 0.0
    ),
    Mistake(
        _loop(lambda f, phi, state, mean: state + f(torch.cat((state, phi), 1))),
        "features come first",
        0.0,
    ),
    Mistake(
        _loop(lambda f, phi, state, mean: state + f(torch.cat((phi, mean), 1))),
        "feed the new state back",
        2 / 4,
    ),
    Mistake(
        _loop(lambda f, phi, state, mean: mean + f(torch.cat((phi, mean), 1))),
        "keep the state",
        2 / 4,
    ),
    Mistake(
        _loop(lambda f, phi, state, mean: state + f(torch.cat((phi, state), 1)), torch.zeros_like),
        "from the mean, not from 0",
        0.0,
    ),
    Mistake(_in_place, "state += ...", 1 / 4),
    Mistake(lambda *given: [state.detach() for state in _good_loop(*given)], "no .detach()", 3 / 4),
    Mistake(_detached_between, "through the states", 3 / 4),
    Mistake(lambda f, phi, mean: [mean.expand(len(phi), -1), *_good_loop(f, phi, mean)], "", 0.0),
    Mistake(lambda *given: [state.squeeze(0) for state in _good_loop(*given)], "leading", 3 / 4),
    Mistake(lambda *given: _good_loop(*given)[::-1], "", 1 / 4),
]
