"""What a committed lesson defines: its own functions, pulled out to be tested; its exercises."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import torch

from hmr_edu.course.grading.slices import needed
from hmr_edu.course.grading.stub import has_solution, without_check

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def definitions(path: Path, *names: str) -> dict[str, Any]:
    """Return the named functions (or constants) of a lesson, after running its imports.

    Only imports and the definitions asked for are run, in the lesson's order, so that one may
    use another. Raises KeyError when the lesson defines no such name.
    """
    cells = nbformat.read(path, as_version=4).cells
    found: dict[str, Any] = {}
    for cell in cells:
        if cell.cell_type != "code":
            continue
        for node in ast.parse(cell.source).body:
            wanted = isinstance(node, ast.Import | ast.ImportFrom)
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                wanted = node.name in names
            elif isinstance(node, ast.Assign):
                wanted = any(isinstance(t, ast.Name) and t.id in names for t in node.targets)
            if wanted:
                exec(compile(ast.Module([node], []), str(path), "exec"), found)
    missing = [name for name in names if name not in found]
    if missing:
        raise KeyError(f"{path.name} does not define {', '.join(missing)}")
    return found


class Solved(NamedTuple):
    """An exercise in a notebook."""

    notebook: Path
    function: str
    check: str
    stars: int  # on its card
    card: str  # the Markdown before it
    source: str


def code_of(path: Path) -> list[str]:
    """Return the sources of a notebook's code cells."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def solved_exercises() -> list[Solved]:
    """Return every exercise of the lessons, then every problem."""
    found = []
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) + sorted(NOTEBOOKS.glob("problems/*.ipynb")):
        stars, card = 0, ""
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                stars = len((re.findall(r"★+", cell.source) or ["★" * stars])[-1])
                card = cell.source
            elif has_solution(cell.source):
                _, check, function = without_check(cell.source)
                found.append(Solved(path, function, check, stars, card, cell.source))
    return found


def solution_of(solved: Solved) -> Callable[..., Any]:
    """Return an exercise's solution, made as grading makes a submission."""
    names: dict[str, Any] = {}
    exec(needed(code_of(solved.notebook), solved.function), names)
    torch.set_default_dtype(torch.float32)  # lesson 03 changes it
    return names[solved.function]
