"""Every wrong answer that the tests of the lessons know, in one table.

`python tests/mutants.py` prints exercise, wrong answer, share of the points, hint, as Markdown.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import torch

sys.path.insert(0, str(Path(__file__).parent))

import test_lesson_01
import test_lesson_02
import test_lesson_03
import test_lesson_04
import test_lesson_05
import test_lesson_06
import test_problems

from hmr_edu.course import checks
from hmr_edu.course.release import problem_sets
from hmr_edu.course.slices import needed
from hmr_edu.course.stub import has_solution, without_check

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


class Mutant(NamedTuple):
    exercise: str
    wrong: Callable[..., Any]
    hint: str


class Exercise(NamedTuple):
    notebook: Path
    name: str
    check: Callable[..., Any]


def exercises() -> dict[str, Exercise]:
    """Every graded exercise and problem, by the name of its function."""
    found = {}
    for path in (path for paths in problem_sets(NOTEBOOKS).values() for path in paths):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and has_solution(cell.source):
                _, check, name = without_check(cell.source)
                found[name] = Exercise(path, name, getattr(checks, check))
    return found


def solution(exercise: Exercise) -> Callable[..., Any]:
    """The lesson's own answer, run as grading runs a submission."""
    cells = nbformat.read(exercise.notebook, as_version=4).cells
    source = needed([cell.source for cell in cells if cell.cell_type == "code"], exercise.name)
    names: dict[str, Any] = {}
    exec(source, names)
    torch.set_default_dtype(torch.float32)  # lesson 03 changes it
    return names[exercise.name]


def of_lessons() -> Iterator[Mutant]:
    for name, wrong, hint in (
        *test_lesson_01.MISTAKES,
        *test_lesson_03.SLIPS.values(),
        *test_lesson_04.WRONG,
        *test_lesson_05.MISTAKES,
        *test_lesson_06.MISTAKES,
        *test_problems.MISTAKES,
    ):
        yield Mutant(name, wrong, hint)
    for check, wrong, hint in test_lesson_02.WRONG:
        yield Mutant(check.__name__.removeprefix("check_"), wrong, hint)


def nothing_right(*arguments, **options):
    """Zeros of the shape of the first tensor: what a desperate learner hands in."""
    return next((torch.zeros_like(a) for a in arguments if isinstance(a, torch.Tensor)), 0)


# Two that every exercise must refuse, and a few for exercises with few of their own.
MORE = [
    Mutant("half_turn_axis", lambda R: test_lesson_01.half_turn()(R.mT)[..., [1, 0, 2]], ""),
    Mutant("half_turn_axis", lambda R: torch.linalg.eigh(R)[1][..., 0], ""),
    Mutant(
        "correction_cosines",
        lambda s: (
            -torch.stack(
                [
                    torch.cosine_similarity(test_lesson_04.moves(s)[0], m, dim=1).mean()
                    for m in test_lesson_04.moves(s)[1:]
                ]
            )
        ),
        "",
    ),
    Mutant(
        "affine_residual",
        lambda x, y: test_lesson_05.lstsq_residual(test_lesson_05.with_ones(x), y).norm(),
        "",
    ),
]


def bank() -> list[Mutant]:
    names = exercises()
    return [*of_lessons(), *MORE, *(Mutant(name, nothing_right, "") for name in names)]


def table() -> Iterator[str]:
    yield "| exercise | wrong answer | points | hint |"
    yield "|---|---|---|---|"
    known = exercises()
    for number, mutant in enumerate(sorted(bank(), key=lambda m: list(known).index(m.exercise))):
        report = known[mutant.exercise].check(mutant.wrong)
        hints = [part.hint or part.detail for part in report.parts if not part.passed]
        hint = next((h for h in hints if mutant.hint and mutant.hint in h), (hints or ["-"])[0])
        what = getattr(mutant.wrong, "__name__", "").strip("<>")
        yield f"| {mutant.exercise} | {number}: {what} | {report.score:.0%} | {hint[:110]} |"


if __name__ == "__main__":
    print("\n".join(table()))
