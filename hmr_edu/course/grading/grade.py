"""Points for a learner's function: a check, partial credit, and the rule that the work is its own.

`grade` stands in the graded cells of a released notebook. `Sandbox.judge` does the same for a
submission, from its cells.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from hmr_edu.course.check import Report
from hmr_edu.course.exercises.registry import find
from hmr_edu.course.grading.guard import guarded
from hmr_edu.course.grading.points import credit


def grade(check: Callable[..., Report], function: Callable[..., Any], points: float | int) -> float:
    """Check a function, print the report and return the points: each part counts the same."""
    report = check(guarded(function, find(getattr(check, "__name__", "")).uses))
    # Of a graded cell, nbgrader's "Validate" shows what went to standard error and nothing else.
    validating = os.environ.get("NBGRADER_EXECUTION") == "validate"
    print(report, file=sys.stderr if validating and not report.passed else sys.stdout)
    mine = credit(report.score, points)
    # nbgrader reads a plain number.
    return mine if "NBGRADER_EXECUTION" in os.environ else _Points(mine, points)


class _Points(float):
    """Points out of so many, as a notebook shows them."""

    most: float

    def __new__(cls, mine: float, most: float) -> _Points:
        points = super().__new__(cls, mine)
        points.most = most
        return points

    def __repr__(self) -> str:
        return f"{float(self):g} of {self.most:g} points"
