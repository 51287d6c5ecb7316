"""Exercise of lesson 08, `shuffled_baseline`: the score of shuffled answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import draw, tensor
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.course.questions import called

POINTS = 4


def check_shuffled_baseline(function: Asked) -> Report:
    """Check `shuffled_baseline(score, found [N, ...]) -> []`: the mean score of wrong answers."""
    check = Check("shuffled_baseline", function)

    with check.part("by hand: three people, who answer 1, 2, 6; the score is the first answer"):
        found = tensor([[1.0], [2.0], [6.0]])
        mistakes = {
            "leave out the shift by 0: that gives everybody their own answer": tensor(3.0),
            "every shift from 1 to N - 1, not one of them": tensor(6.0),
            "return the mean of the scores, not their sum": tensor(8.0),
        }
        compare(_number(check.call(found, by=_of_the_first)), tensor(4.0), 1e-9, mistakes)

        five = tensor([3.0, 1.0, 4.0, 1.0, 5.0])
        compare(_number(check.call(five, by=_of_the_first)), tensor(11 / 4), 1e-9)

    g = inputs(1)
    found, marked = (draw(g, 7, 5, 2) for _ in range(2))

    def score(answers: Tensor) -> Tensor:
        return _score(answers, marked)

    with check.part("a score of keypoints: everybody's answer goes to everybody else"):
        scores = [score(torch.cat([found[k:], found[:k]])) for k in range(7)]
        mean_answer = score((found.sum(0, keepdim=True) - found) / 6)
        mistakes = {
            "leave out the shift by 0: that gives everybody their own answer": torch.stack(
                scores
            ).sum()
            / 7,
            "one shift is chance; take them all": scores[1],
            "one shift is chance: take them all": scores[-1],
            "shift people (dim 0), not keypoints": torch.stack(
                [score(found.roll(k, 1)) for k in range(1, 7)]
            ).sum()
            / 6,
            "people and keypoints keep together: roll along dim 0": torch.stack(
                [score(found.roll(k)) for k in range(1, 7)]
            ).sum()
            / 6,
            "the mean of the scores, not the score of the mean": mean_answer,
        }
        compare(
            _number(check.call(found, marked, by=_of_keypoints)),
            torch.stack(scores[1:]).sum() / 6,
            1e-9,
            mistakes,
        )

    with check.part("two people change places"):
        compare(_number(check.call(found[:2], by=_of_the_first)), found[1, 0, 0], 1e-9)
    return check.report()


def _number(value: Any) -> Any:
    """Let a plain number pass for a tensor of one."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return tensor(float(value)) if plain else value


@question
def _score(answers: Tensor, marked: Tensor) -> Tensor:
    return (answers - marked).norm(dim=-1).mean().square()


@question
def _of_keypoints(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with a score of keypoints."""
    found, marked = arguments
    return called(function, [lambda answers: _score(answers, marked), found])


@question
def _of_the_first(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with a score that is the first answer."""
    return called(function, [lambda answers: answers.flatten()[0], *arguments])


MISTAKES = [
    Mistake(
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(len(x))) / len(x),
        "leave out the shift by 0",
        0.0,
    ),
    Mistake(lambda score, x: score(x.roll(1, 0)), "not one of them", 1 / 3),
    Mistake(
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(1, len(x))), "not their sum", 1 / 3
    ),
    Mistake(
        lambda score, x: sum(score(x.roll(k, 1)) for k in range(1, len(x))) / (len(x) - 1),
        "shift people",
        0.0,
    ),
    Mistake(
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(1, 3)) / 2,
        "",
        0.0,
        name="two shifts always",
    ),
    Mistake(
        lambda score, x: score((x.sum(0, keepdim=True) - x) / (len(x) - 1)),
        "score of the mean",
        None,
    ),
    Mistake(
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(1, len(x) + 1)) / len(x),
        "leave out",
        0.0,
    ),
]
