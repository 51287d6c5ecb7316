"""Checks of lesson 04: iterative regression.

The truth comes from elsewhere than the functions taught: layers that are counted, perceptrons that
record what they were shown, losses summed as numbers, loops that are run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require

DOUBLE = torch.float64


def check_regressor_parameters(function: Callable[..., int]) -> Report:
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


def check_feedback_loop(function: Callable[..., Any]) -> Report:
    """Check `feedback_loop(perceptrons, features [B, F], mean [S]) -> list of [B, S]`."""
    check = Check("feedback_loop", function)
    g = inputs(0)
    features, mean = _draw(g, 4, 5), _draw(g, 3)
    start = mean.expand(4, 3)

    with check.part("one step from the mean: mean + f([features, mean])"):
        step = _linear(g, 5, 3)
        got = _states(check, [step], features, mean, 1)
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
        weighed = mean.clone().requires_grad_()
        got = _states(check, [step, step], features, weighed, 2)
        require(
            all(state.requires_grad for state in got),
            "a state in the list has no gradient",
            "no .detach(): the losses of all steps teach",
        )

    with check.part("every step sees where the one before it arrived"):
        shared = _linear(g, 5, 3)
        want = _run([shared] * 3, features, start)
        got = _states(check, [shared] * 3, features, mean, 3)
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

    with check.part("perceptrons of their own are used in their order"):
        own = [_linear(g, 5, 3) for _ in range(4)]
        want = _run(own, features, start)
        got = _states(check, own, features, mean, 4)
        only = _run([own[0]] * 4, features, start)
        backwards = _run(own[::-1], features, start)
        for i in range(4):
            mistakes = {
                "use perceptrons[i] in step i, not the first one in every step": only[i],
                "first perceptron first": backwards[i],
            }
            compare(got[i], want[i], 1e-9, mistakes)

    with check.part("the states in the list are not changed afterwards"):
        got = _states(check, own, features, mean, 4)
        require(
            not torch.equal(got[0], got[-1]),
            "all states in the list are one and the same tensor",
            "write `state = state + ...`, not `state += ...`",
        )
        compare(got[0], want[0], 1e-9)
    return check.report()


def check_steps_loss(function: Callable[..., Any]) -> Report:
    """Check `steps_loss(losses: list of [], steps: "all" | "last") -> []`."""
    check = Check("steps_loss", function)
    numbers = [0.9, 0.5, 0.1]
    losses = [torch.tensor(x, dtype=DOUBLE) for x in numbers]
    with check.part('"all": 0.9, 0.5, 0.1 are 0.5'):
        mistakes = {
            "divide by the number of steps, or more steps mean a larger learning rate": _tensor(
                sum(numbers)
            ),
            '"all" counts every step, not only the last': losses[-1],
        }
        _scalar(check, losses, "all", _tensor(math.fsum(numbers) / 3), mistakes)
    with check.part('"last": 0.9, 0.5, 0.1 are 0.1'):
        mistakes = {
            "the last step is losses[-1]": losses[0],
            "this is the mean of all steps: look at the argument `steps`": _tensor(0.5),
            'the last loss counts whole under "last": do not divide it': losses[-1] / 3,
        }
        _scalar(check, losses, "last", losses[-1], mistakes)
    with check.part("any number of steps"):
        five = [torch.tensor(float(x), dtype=DOUBLE) for x in (5, 4, 3, 2, 11)]
        three = _tensor(25 / 3)
        hint = "divide by len(losses): not every regressor takes 3 steps"
        _scalar(check, five, "all", _tensor(5.0), {hint: three})
        _scalar(check, five[:1], "last", five[0], {})
        x = torch.tensor([3.0, 1.0, 2.0], dtype=DOUBLE, requires_grad=True)
        got = check.call(list(x), "all")
        require(
            isinstance(got, Tensor) and got.requires_grad,
            'under "all" the result has no gradient',
            "torch.stack(losses): torch.tensor(losses) copies numbers and leaves the graph",
        )
        compare(torch.autograd.grad(got, x)[0], _tensor([1 / 3] * 3), 1e-12)
    with check.part('"last" sends no gradient to the other steps, not even NaN'):
        x = torch.tensor([math.inf, 2.0], dtype=DOUBLE, requires_grad=True)
        hint = "leave the other steps out; 0 times infinity is NaN"
        got = check.call([x[0], x[1]], "last")
        require(isinstance(got, Tensor), "it must return a tensor, so that gradients can flow")
        require(got.isfinite(), "an infinite first loss reached the result", hint)
        require(got.requires_grad, "the result has no gradient", "no .item(), no float(...)")
        (grad,) = torch.autograd.grad(got, x)
        compare(grad, _tensor([0.0, 1.0]), 1e-12)
    return check.report()


def check_collapse(function: Callable[..., Any]) -> Report:
    """Check `collapse(A [S, F], B [S, S], c [S], mean [S], steps) -> (P [S, F], q [S])`."""
    check = Check("collapse", function)
    g = inputs(3)
    A, B, c, mean = _draw(g, 4, 6), 0.5 * _draw(g, 4, 4), _draw(g, 4), _draw(g, 4)

    with check.part("one step: P = A, q = mean + B mean + c"):
        P, q = _affine(check, A, B, c, mean, 1)
        compare(P, A, 1e-9)
        mistakes = {
            "q <- q + B q + c, and q starts as the mean itself": B @ mean + c,
            "the bias c is missing": mean + B @ mean,
            "before the first step the state is the mean: it goes through B too": mean + c,
            "B is transposed": mean + mean @ B + c,
        }
        compare(q, mean + B @ mean + c, 1e-9, mistakes)

    with check.part("more steps: P as the loop has it"):
        for steps in (2, 3, 7):
            P, _ = _affine(check, A, B, c, mean, steps)
            offset = _loop(A, B, c, mean, torch.zeros(6, dtype=DOUBLE), steps)
            columns = [_loop(A, B, c, mean, e, steps) - offset for e in torch.eye(6, dtype=DOUBLE)]
            replaced_P, open_P = A, A
            for _ in range(steps - 1):
                replaced_P, open_P = A + B @ replaced_P, A + open_P
            mistakes = {
                "a step adds to the state: P <- P + A + B P": replaced_P,
                "what P has put into the state comes back through B: P <- P + A + B P": open_P,
            }
            compare(P, torch.stack(columns, 1), 1e-8, mistakes)

    with check.part("more steps: q as the loop has it"):
        for steps in (2, 3, 7):
            _, q = _affine(check, A, B, c, mean, steps)
            dark = torch.zeros(6, dtype=DOUBLE)  # features that say nothing
            mistakes = {
                "as many steps as `steps` says": _loop(A, B, c, mean, dark, 3),
                "every step adds the bias c": _loop(A, B, 0 * c, mean, dark, steps),
            }
            compare(q, _loop(A, B, c, mean, dark, steps), 1e-8, mistakes)
    return check.report()


def check_correction_cosines(function: Callable[..., Any]) -> Report:
    """Check `correction_cosines(states: list of T + 1 [B, S]) -> [T - 1]`."""
    check = Check("correction_cosines", function)

    def line(*places: float) -> list[Tensor]:
        direction = torch.tensor([[3.0, 4.0], [0.0, -2.0]], dtype=DOUBLE)
        return [1 + place * direction for place in places]

    late = "compare with the FIRST correction, states[1] - states[0], each time"
    states = "take differences first: a correction is states[i + 1] - states[i]"
    with check.part("straight on is 1"):
        _cosines(check, line(0.0, 2.0, 2.5, 7.0), [1.0, 1.0], {})
    with check.part("overshoot and come back is -1"):
        mistakes = {
            "a correction is new minus old, between neighbours: states[i + 1] - states[i]": _tensor(
                [1.0]
            ),
            late: _tensor([1.0]),
        }
        _cosines(check, line(0.0, 2.0, 1.5), [-1.0], mistakes)
        _cosines(check, line(0.0, 2.0, 1.5, 1.0), [-1.0, -1.0], {late: _tensor([-1.0, 1.0])})
    with check.part("a mean over people, each counted alike"):
        a = torch.zeros(2, 2, dtype=DOUBLE)
        b = torch.tensor([[1.0, 0.0], [0.0, 9.0]], dtype=DOUBLE)
        c = b + torch.tensor([[0.0, 5.0], [0.0, 3.0]], dtype=DOUBLE)
        pooled = 27 / math.sqrt((1 + 81) * (25 + 9))
        summed = {
            "average the cosines: one a person (dim=1), not one of everybody's numbers": _tensor(
                [pooled]
            ),
            "average the cosines, not the corrections: one cosine a person, then the mean": _tensor(
                [_angle(b.mean(0).tolist(), (c - b).mean(0).tolist())]
            ),
            "cosines are dot products over both lengths": _tensor([(0 + 27) / 2]),
            states: torch.nn.functional.cosine_similarity(b, c).mean()[None],
        }
        _cosines(check, [a, b, c], [0.5], summed)
    with check.part("many steps: five states give three cosines"):
        g = inputs(8)
        walk = [_draw(g, 6, 9) for _ in range(5)]
        want = []
        for i in (1, 2, 3):
            one = [
                _angle(
                    (walk[1][n] - walk[0][n]).tolist(),
                    (walk[i + 1][n] - walk[i][n]).tolist(),
                )
                for n in range(6)
            ]
            want.append(math.fsum(one) / 6)
        next_ones = [
            torch.nn.functional.cosine_similarity(
                walk[i] - walk[i - 1], walk[i + 1] - walk[i]
            ).mean()
            for i in (1, 2, 3)
        ]
        _cosines(check, walk, want, {late: torch.stack(next_ones)})
    return check.report()


def _same_count(check: Check, features: int, state: int, hidden: int, perceptrons: int) -> None:
    got = check.call(features, state, hidden, perceptrons)
    if isinstance(got, bool) or not isinstance(got, int):
        raise Mismatch(f"it returned {type(got).__name__}, an int is wanted")
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
    if got != want:
        hint = next((text for text, count in slips.items() if got == count), "")
        sizes = f"{features} features, state {state}, hidden {hidden}, {perceptrons} perceptron(s)"
        raise Mismatch(f"{sizes}: {got:,}, wanted {want:,}", hint)


def _states(
    check: Check, perceptrons: list[nn.Module], features: Tensor, mean: Tensor, count: int
) -> list[Tensor]:
    states = check.call(perceptrons, features, mean)
    require(isinstance(states, list), f"it returned {type(states).__name__}, a list is wanted")
    require(
        len(states) == count,
        f"{len(states)} states in the list, wanted {count}",
        "one state for each step, in order; the mean itself is not among them",
    )
    return states


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


def _scalar(
    check: Check, losses: list[Tensor], steps: str, want: Tensor, mistakes: dict[str, Tensor]
) -> None:
    got = check.call(losses, steps)
    require(isinstance(got, Tensor), f"it returned {type(got).__name__}, a tensor is wanted")
    compare(got, want, 1e-9, mistakes)


def _affine(check: Check, *arguments: Any) -> tuple[Tensor, Tensor]:
    result = check.call(*arguments)
    require(
        isinstance(result, tuple) and len(result) == 2, "it must return two tensors: `return P, q`"
    )
    return result


def _loop(A: Tensor, B: Tensor, c: Tensor, mean: Tensor, features: Tensor, steps: int) -> Tensor:
    state = mean
    for _ in range(steps):
        state = state + A @ features + B @ state + c
    return state


def _cosines(
    check: Check, states: list[Tensor], want: list[float], mistakes: dict[str, Tensor]
) -> None:
    compare(check.call(states), _tensor(want), 1e-9, mistakes)


def _angle(a: list[float], b: list[float]) -> float:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.hypot(*a) / math.hypot(*b)


def _linear(g: torch.Generator, features: int, state: int) -> nn.Module:
    """Make a step that is no perceptron, but answers as one would: curved, and in float64."""
    layer = nn.Linear(features + state, state, dtype=DOUBLE).requires_grad_(False)
    layer.weight.copy_(0.7 * _draw(g, state, features + state))
    layer.bias.copy_(_draw(g, state))
    return nn.Sequential(layer, nn.Tanh())


def _draw(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, dtype=DOUBLE)


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=DOUBLE)
