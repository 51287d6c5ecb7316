"""Points for a learner's function: a check, partial credit, and the rule that the work is its own.

`grade` stands in the graded cells of a released notebook. `judge` does the same for a submission,
from its cells; it runs in a process of its own (worker.py).
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from hmr_edu.course.check import Mismatch, Report, salted
from hmr_edu.course.exercises.registry import find
from hmr_edu.course.grading.guard import guarded
from hmr_edu.course.grading.points import credit
from hmr_edu.course.grading.slices import needed


def grade(check: Callable[..., Report], function: Callable[..., Any], points: float | int) -> float:
    """Check a function, print the report and return the points: each part counts the same."""
    report = check(guarded(function, find(getattr(check, "__name__", "")).uses))
    # Of a graded cell, nbgrader's "Validate" shows what went to standard error and nothing else.
    validating = os.environ.get("NBGRADER_EXECUTION") == "validate"
    print(report, file=sys.stderr if validating and not report.passed else sys.stdout)
    return credit(report.score, points)


def judge(cells: Sequence[str], check: str, function: str, salt: int) -> tuple[str, float]:
    """Grade the function that a submission's cells define: what to tell, and the share of parts.

    Only the statements that the function depends on are run. Nothing the submission does raises.
    """
    try:
        source = needed(cells, function)
        names = _run(source)
        report = _check(check, names[function], salt)
    except Mismatch as mismatch:
        return f"{function}: {mismatch.what}", 0.0
    except BaseException as error:  # SystemExit too: it is the submission that raised it
        return f"{function}: {type(error).__name__}: {str(error)[:300]}", 0.0
    return repr(report), report.score


def _run(source: str) -> dict[str, Any]:
    name = "<your cells>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), names)
    return names


def _check(name: str, function: Callable[..., Any], salt: int) -> Report:
    torch.set_default_dtype(torch.float32)
    exercise = find(name)
    with salted(salt):
        return exercise.check(guarded(function, exercise.uses))
