"""Every wrong answer that the tests of the lessons know, in one table.

`python tests/mutants.py` prints exercise, wrong answer, share of the points, hint, as Markdown.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import torch

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "lessons")]

import test_lesson_00
import test_lesson_01
import test_lesson_02
import test_lesson_03
import test_lesson_04
import test_lesson_05
import test_lesson_06
import test_lesson_08
from helpers import problem_mistakes

from hmr_edu.course import checks
from hmr_edu.course.grading.slices import needed
from hmr_edu.course.grading.stub import has_solution, without_check

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LONGEST = 110  # characters of a column


class Mutant(NamedTuple):
    exercise: str
    wrong: Callable[..., Any]
    hint: str
    written: str  # as it stands in the tests


class Exercise(NamedTuple):
    notebook: Path
    name: str
    check: Callable[..., Any]


def exercises() -> dict[str, Exercise]:
    """Every exercise of the lessons and every problem, by the name of its function."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("0*.ipynb")) + sorted(NOTEBOOKS.glob("problems/*.ipynb")):
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


MODULES = (
    test_lesson_00,
    test_lesson_01,
    test_lesson_02,
    test_lesson_03,
    test_lesson_04,
    test_lesson_05,
    test_lesson_06,
    test_lesson_08,
    problem_mistakes,
)


def of_lessons() -> Iterator[Mutant]:
    for module in MODULES:
        mistakes = module.MISTAKES
        mistakes = mistakes.values() if isinstance(mistakes, dict) else mistakes
        for mistake, text in zip(mistakes, written(module), strict=True):
            yield Mutant(*mistake, text)


def written(module: Any) -> list[str]:
    """The wrong answers of a module, as its source has them; by their names where it has names."""
    for node in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MISTAKES":
            if isinstance(node.value, ast.Dict):
                return [ast.literal_eval(key) for key in node.value.keys]
            return [ast.unparse(mistake.elts[1]) for mistake in node.value.elts]
    raise LookupError(module.__name__)


def nothing_right(*arguments, **options):
    """Zeros of the shape of the first tensor: what a desperate learner hands in."""
    return next((torch.zeros_like(a) for a in arguments if isinstance(a, torch.Tensor)), 0)


def given_back(argument, *more, **options):
    """The first argument, as it came."""
    return argument


# A few more for exercises with few of their own.
MORE = [
    Mutant(
        "half_turn_axis",
        lambda R: test_lesson_01.half_turn()(R.mT)[..., [1, 0, 2]],
        "",
        "x and y exchanged",
    ),
    Mutant(
        "half_turn_axis",
        lambda R: torch.linalg.eigh(R)[1][..., 0],
        "",
        "eigenvector of the least eigenvalue",
    ),
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
        "the other sign",
    ),
    Mutant(
        "affine_residual",
        lambda x, y: test_lesson_05.lstsq_residual(test_lesson_05.with_ones(x), y).norm(),
        "",
        "length of the residual",
    ),
]


def bank() -> list[Mutant]:
    names = exercises()
    for_all = {nothing_right: "zeros", given_back: "the first argument"}
    everywhere = [
        Mutant(name, wrong, "", text) for name in names for wrong, text in for_all.items()
    ]
    return [*of_lessons(), *MORE, *everywhere]


def table() -> Iterator[str]:
    yield "| exercise | wrong answer | points | hint |"
    yield "|---|---|---|---|"
    known = exercises()
    for mutant in sorted(bank(), key=lambda m: list(known).index(m.exercise)):
        report = known[mutant.exercise].check(mutant.wrong)
        hints = [part.hint or part.detail for part in report.parts if not part.passed]
        hint = next((h for h in hints if mutant.hint and mutant.hint in h), (hints or ["-"])[0])
        wrong = mutant.written.replace("|", "\\|")[:LONGEST]
        yield f"| {mutant.exercise} | `{wrong}` | {report.score:.0%} | {hint[:LONGEST]} |"


if __name__ == "__main__":
    print("\n".join(table()))
