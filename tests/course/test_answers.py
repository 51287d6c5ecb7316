"""Every check against every kind of answer: right ones, odd ones, and those that change arguments.

A right answer passes whatever the student's random inputs. An odd one, a list say, is told what is
wanted instead; it never looks like a fault of the check. Who changes an argument loses a quarter,
in every exercise.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from helpers.lesson_code import Solved, solution_of, solved_exercises
from torch import Tensor

from hmr_edu.course.check import KEEPS, Check, salted
from hmr_edu.course.exercises import registry

EVERY = pytest.mark.parametrize("solved", solved_exercises(), ids=lambda solved: solved.check)
SALTS = 36
ODD: dict[str, Any] = {
    "a float": 0.5,
    "NaN": float("nan"),
    "a string": "x",
    "True": True,
    "a list": [1.0, 2.0],
    "a list of lists": [[torch.zeros(2)]],
    "a dict": {"a": 1},
    "a function": print,
    "an array": np.zeros(3),
    "a wrong shape": torch.zeros(7, 1, 9),
    "whole numbers": torch.zeros(3, dtype=torch.long),
    "complex numbers": torch.zeros(3, dtype=torch.complex64),
    "NaN in a tensor": torch.full((3,), torch.nan),
    "two strings": ("a", "b"),
    "two tensors of wrong shapes": (torch.zeros(7, 1, 9), torch.zeros(2)),
    "three floats": (1.0, 2.0, 3.0),
    "three tensors": tuple(torch.zeros(2) for _ in range(3)),
    "four numbers": [1, 2, 3, 4],
    "four tensors without axes": tuple(torch.zeros(()) for _ in range(4)),
}


@cache
def right(solved: Solved) -> Callable[..., Any]:
    """Return the solution."""
    return solution_of(solved)


@pytest.mark.slow
@EVERY
def test_a_right_answer_passes_for_every_student(solved):
    """`scripts/course/salts.py` tries thousands."""
    check, lost = registry.find(solved.check).check, []
    for salt in range(SALTS):
        with salted(salt):
            if not check(right(solved)).passed:
                lost.append(salt)
    assert lost == []


@EVERY
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_answer_is_told_what_is_wanted(solved, kind):
    report = registry.find(solved.check).check(lambda *arguments, **options: ODD[kind])
    assert report.score <= 0.5, report
    for part in report.parts:
        # The last words, where a check stumbles over what it was given.
        assert "the first line of the function" not in part.hint, f"{part.name}{part}"
        assert "your function raised" not in part.detail, f"{part.name}{part}"
        assert part.passed or part.detail


def copied(value: Any) -> Any:
    """Copy tensors, and those in lists."""
    if isinstance(value, Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if isinstance(value, list | tuple) else value


def spoilt(value: Any) -> bool:
    """Change the first tensor of floats in place, in lists, too; return whether there was one."""
    if isinstance(value, Tensor) and value.is_floating_point():
        with torch.no_grad():
            value += 1
        return True
    return isinstance(value, list | tuple) and any(map(spoilt, value))


@EVERY
def test_a_changed_argument_costs_a_quarter_everywhere(solved):
    seen = []

    def changing(*arguments: Any) -> Any:
        result = right(solved)(*map(copied, arguments))
        seen.append(any(map(spoilt, arguments)))
        return result

    report = registry.find(solved.check).check(changing)
    if any(seen):
        assert report.score == pytest.approx(KEEPS), report
        assert not report.passed
        assert "FAIL it leaves its arguments alone: it changed its argument number" in repr(report)
    else:  # there is no tensor to change
        assert report.passed


def test_the_quarter_is_taken_of_what_is_right():
    def half(x):
        x += 1
        return x

    check = Check("half", half)
    for name, want in (("right", 1.0), ("wrong", 5.0)):
        with check.part(name):
            got = check.call(torch.zeros(1))
            if float(got) != want:
                raise AssertionError
    assert check.report().score == KEEPS / 2


def test_networks_are_arguments_too():
    from hmr_edu.course.questions import called

    layer = torch.nn.Linear(1, 1)
    assert called(lambda f: 0, [layer]) == (0, -1)
    assert called(lambda f: f.requires_grad_(False) and 0, [layer])[1] == 0
    assert called(lambda x, f: f.eval() and 0, [0, torch.nn.Linear(1, 1)])[1] == 1
    assert called(lambda x: x.pop(), [[1, 2]])[1] == 0
    assert called(lambda x: x[1].mul_(2), [[torch.ones(1), torch.ones(2)]])[1] == 0
