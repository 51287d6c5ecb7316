"""Begin a new exercise: its file from a template, and a tagged cell at the end of its notebook."""

from __future__ import annotations

import keyword
import re
from contextlib import suppress
from pathlib import Path
from string import Template

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from hmr_edu.course.card import rules
from hmr_edu.course.exercises.registry import CHECK
from hmr_edu.course.grading.statements import statements
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

POINTS_A_STAR = 2
NAME = re.compile(r"[a-z][a-z0-9_]*")
FACE = "hmr_edu.course.exercises"
IMPORT = re.compile(rf"^from {re.escape(FACE)} import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
WIDTH = 100  # characters of a line of code

LESSON = '"""Exercises of lesson $number."""\n'
EXERCISE = '''\
"""Exercise of lesson $number, `$name`: say what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = $points


def check_$name(function: Asked) -> Report:
    """Check `$name(x [N]) -> [N]`: every number, doubled."""
    check = Check("$name", function)
    with check.part("by hand: 1, 2, 3 become 2, 4, 6"):
        mistakes = {"that is the square: double it": tensor([1.0, 4.0, 9.0])}
        compare(check.call(tensor([1.0, 2.0, 3.0])), tensor([2.0, 4.0, 6.0]), 1e-12, mistakes)
    return check.report()


MISTAKES = [
    # A wrong answer, words of the hint that it must get, and its share of the points.
    Mistake(lambda x: x.square(), "double it", 0.0),
]
'''
CARD = """\
### $kind: say what is to be written

$stars · $minutes minutes

Say what goes in and what comes out, with shapes: `[N]` numbers go in, each doubled comes out.

*Example:* $$1, 2, 3$$ become $$2, 4, 6$$.

$rules

<details><summary>Hint 1: the idea</summary>

What to think of first, without code.
</details>

<details><summary>Hint 2: in code</summary>

One step of the way.
</details>"""
CELL = '''\
def $name(x: torch.Tensor) -> torch.Tensor:
    """Say what it returns: x [N] -> [N]."""
    ### BEGIN SOLUTION
    raise NotImplementedError("write the solution")
    ### END SOLUTION


check_$name($name)'''


def add_exercise(
    lesson: str, name: str, lessons: Path, exercises: Path, stars: int = 1, minutes: int = 10
) -> tuple[Path, Path]:
    """Write the file of a new exercise and its cells; return the file and the notebook.

    Nothing is written unless both can be. Raises DataError at a name that is taken or cannot be
    one, and where there is no such notebook or no folder of exercises.

    Args:
        lesson: a lesson's number, "1" or "01", or a notebook's name, "01_problems".
        name: what the learner's function is called; the check is called `check_<name>`.
        lessons: the folder of the notebooks.
        exercises: the folder that holds `lesson_01`, `lesson_02`, ...
        stars: how hard it is; a star is worth two points.
        minutes: how long it takes.
    """
    notebook = find_notebook(lesson, lessons)
    _check_name(name)
    if not exercises.is_dir():
        raise DataError(f"{exercises}: no such folder; say where it is with --exercises")
    for taken in exercises.glob(f"lesson_*/{name}.py"):
        raise DataError(f"{taken} exists already: choose another name")
    words: dict[str, object] = {
        "number": notebook.stem[:2],
        "name": name,
        "stars": "★" * stars,
        "minutes": minutes,
    }
    words |= {"kind": "Problem" if notebook.parent.name == "problems" else "Exercise"}
    words |= {"points": POINTS_A_STAR * stars}
    changed = _with_cells(notebook, words)
    folder = exercises / f"lesson_{notebook.stem[:2]}"
    file = folder / f"{name}.py"
    begun = [path for path in (folder / "__init__.py", file) if not path.exists()]
    try:
        for path in begun:
            with atomic_write(path) as temporary:
                template = EXERCISE if path == file else LESSON
                temporary.write_text(Template(template).substitute(words), encoding="utf-8")
        with atomic_write(notebook) as temporary:
            nbformat.write(changed, temporary)
    except BaseException:
        for path in begun:
            path.unlink(missing_ok=True)
        raise
    return file, notebook


def find_notebook(lesson: str, lessons: Path) -> Path:
    """Return the notebook of this number or name. Raises DataError when there is none."""
    paths = [*sorted(lessons.glob("[0-9][0-9]_*.ipynb")), *sorted(lessons.glob("problems/*.ipynb"))]
    known = {path.stem[:2]: path for path in reversed(paths)} | {path.stem: path for path in paths}
    key = lesson.zfill(2) if lesson.isdigit() else lesson
    if key not in known:
        names = ", ".join(path.stem for path in paths) or "none; say where they are with --lessons"
        raise DataError(f"{lessons}: no notebook {lesson!r}; there are {names}")
    return known[key]


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise DataError(
            f"{name!r} cannot be the name of an exercise: use small letters, digits and _, "
            "as in rotate_point"
        )
    if name.startswith(CHECK):
        raise DataError(f"{name}: name the learner's function; its check is {CHECK} and that name")


def _with_cells(path: Path, words: dict[str, object]) -> NotebookNode:
    """Return the notebook with the import of the check, a card and a tagged cell."""
    notebook, name = nbformat.read(path, as_version=4), str(words["name"])
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(name in _defined(cell.source) for cell in code):
        raise DataError(f"{path} defines {name} already: choose another name")
    _import_check(code, CHECK + name)
    about: dict[str, object] = {"grade": False, "grade_id": name, "locked": False}
    about |= {"schema_version": 3, "solution": True, "task": False}
    cell = Template(CELL).substitute(words)
    words |= {"rules": rules(cell, f"lesson_{words['number']}")}
    card = Template(CARD).substitute(words)
    notebook.cells += [
        new_markdown_cell(card, id=f"card-{name}"[:64]),
        new_code_cell(
            cell, id=f"cell-{name}"[:64], metadata={"nbgrader": about, "tags": ["exercise"]}
        ),
    ]
    return notebook


def _defined(source: str) -> frozenset[str]:
    """Return the names that a cell defines; none if it is no Python."""
    with suppress(SyntaxError):
        return frozenset[str]().union(*(statement.sets for statement in statements(source)))
    return frozenset()


def _import_check(code: list[NotebookNode], check: str) -> None:
    """Add the check to the cell that imports checks, or an import to the first cell."""
    for cell in code:
        found = IMPORT.search(cell.source)
        if found:
            old = re.findall(r"\w+", found[1] or found[2])
            line = _import_line(sorted({*old, check}))
            cell.source = cell.source[: found.start()] + line + cell.source[found.end() :]
            return
    if code:
        code[0].source += f"\n{_import_line([check])}"


def _import_line(names: list[str]) -> str:
    """Import the names, on one line where they fit on it."""
    line = f"from {FACE} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {FACE} import (", *(f"    {name}," for name in names), ")"])
