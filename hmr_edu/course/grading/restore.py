"""A submission's cells get back what nbgrader knows them by, from the gradebook alone.

Cells are lost, copied, split, merged, moved and typed again, and some programs drop the metadata.
A graded cell is recognised by its `grade_id` or by its call of `grade`, an exercise by its
`grade_id` or by its function's name. What a submission says of itself counts for nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from hmr_edu.course.grading.stub import STUB

OURS = "hmr_edu"  # metadata in which a note travels to the grading
MISSING = "# This cell was missing."
POINTS = "_points"  # what the name of a graded cell ends with
WAS_MISSING = "this cell was missing and has been put back"
WAS_CHANGED = "this cell had been changed; it is graded as it was handed out"
WAS_UNKNOWN = "this cell had lost its metadata and was recognised by its call"
NAMED = "{} was recognised by its name: its cell had lost its metadata"


@dataclass(frozen=True)
class Wanted:
    """A cell of the assignment that was handed out; `points` of a graded cell only."""

    name: str
    source: str
    locked: bool
    checksum: str
    points: float | int | None = None

    @property
    def exercise(self) -> str:
        """The name of the exercise that a graded cell belongs to."""
        return self.name.removesuffix(POINTS)

    @cached_property
    def function(self) -> str:
        """The function that a graded cell grades."""
        return graded_call(self.source)[1]

    def about(self) -> dict[str, object]:
        """Return what nbgrader keeps in the metadata of the cell."""
        graded = self.points is not None
        about: dict[str, object] = {"grade_id": self.name, "locked": self.locked}
        about |= {"grade": graded, "solution": not graded, "task": False}
        about |= {"checksum": self.checksum, "schema_version": 3, "cell_type": "code"}
        return about | ({"points": self.points} if graded else {})


def graded_call(source: str) -> tuple[str, str]:
    """Return check and function of a graded cell, `grade(check, function, points=...)`.

    Raises ValueError when there is no such call.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "grade":
            check, function = (ast.unparse(argument) for argument in node.args)
            return check, function
    raise ValueError(f"no call of grade in a graded cell:\n{source}")


def defines(source: str, function: str) -> bool:
    """Whether a cell seems to define a function: the source of a stranger, which is not parsed."""
    name = re.escape(function)
    pattern = rf"^[ \t>.]*((async[ \t]+)?def[ \t]+{name}\b|{name}[ \t]*(:[^=\n]*)?=(?!=))"
    return re.search(pattern, source, re.MULTILINE) is not None


def restore(notebook: NotebookNode, assignment: Sequence[Wanted]) -> None:
    """Put every cell of the assignment into the notebook, and its metadata right."""
    cells, names = notebook.cells, {wanted.name for wanted in assignment}
    claims: dict[str, list[NotebookNode]] = {name: [] for name in names}
    for cell in cells:
        about = cell.metadata.pop("nbgrader", None)
        cell.metadata.pop(OURS, None)
        name = about.get("grade_id") if isinstance(about, dict) else None
        if isinstance(name, str) and name in names:
            claims[name].append(cell)
    for wanted in [w for w in assignment if w.points is not None]:
        _graded(cells, wanted, claims)
    taken = [cell for cell in cells if "nbgrader" in cell.metadata]
    for wanted in [w for w in assignment if w.points is None]:
        function = next((w.function for w in assignment if w.exercise == wanted.name != w.name), "")
        others = _ids(taken)
        free = [cell for cell in cells if id(cell) not in others]
        taken.append(_exercise(cells, wanted, function, claims[wanted.name], free))
    _put_in_order(cells, assignment)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03d}"


def _ids(cells: Iterable[NotebookNode]) -> set[int]:
    """Two cells may be equal and not the same."""
    return {id(cell) for cell in cells}


def notes(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield the name of each cell that something had to be done to, and what."""
    for cell in notebook.cells:
        note = cell.metadata.get(OURS, {}).get("note", "")
        if note:
            yield cell.metadata.get("nbgrader", {}).get("grade_id", ""), note


def _mark(cell: NotebookNode, wanted: Wanted, note: str) -> NotebookNode:
    cell.metadata["nbgrader"] = NotebookNode(wanted.about())
    if note:
        cell.metadata[OURS] = NotebookNode({"note": note})
    return cell


def _as_code(cell: NotebookNode) -> None:
    if cell.cell_type != "code":
        cell.pop("attachments", None)
        cell.update(cell_type="code", outputs=[], execution_count=None)


def _graded(
    cells: list[NotebookNode], wanted: Wanted, claims: dict[str, list[NotebookNode]]
) -> None:
    """Find a graded cell, or leave it to be put back; what else stands in it is kept beside it."""
    mine, note = claims[wanted.name], ""
    if not mine:
        check, function = graded_call(wanted.source)
        call = re.compile(rf"^grade\(\s*{check}\s*,\s*{function}\b", re.MULTILINE)
        claimed = _ids(cell for claim in claims.values() for cell in claim)
        code = [c for c in cells if c.cell_type == "code" and id(c) not in claimed]
        mine, note = [cell for cell in code if call.search(cell.source)], WAS_UNKNOWN
    if not mine:
        return
    cell = mine[-1]
    _as_code(cell)
    if cell.source.strip() != wanted.source.strip():
        place = next(number for number, other in enumerate(cells) if other is cell)
        cells.insert(place, new_code_cell(cell.source))
        note = WAS_CHANGED
    cell.source = wanted.source
    _mark(cell, wanted, note)


def _exercise(
    cells: list[NotebookNode],
    wanted: Wanted,
    function: str,
    mine: list[NotebookNode],
    free: list[NotebookNode],
) -> NotebookNode:
    """Find the cell of an exercise, the last that is written; or make one, to be put in order."""
    for cell in mine:
        _as_code(cell)
    code = [cell for cell in free if cell.cell_type == "code"]
    found = [cell for cell in code if function and defines(cell.source, function)]
    written = [cell for cell in found if STUB not in cell.source]
    can, does = _ids(free), _ids(found)
    mine = [cell for cell in mine if id(cell) in can]
    best = (written or [c for c in mine if id(c) in does] or found or mine)[-1:]
    if not best:
        best = [new_code_cell(MISSING)]
        cells.append(best[0])
        return _mark(best[0], wanted, WAS_MISSING)
    note = "" if id(best[0]) in _ids(mine) else NAMED.format(function)
    return _mark(best[0], wanted, note)


def _put_in_order(cells: list[NotebookNode], assignment: Sequence[Wanted]) -> None:
    """Move what was made into its place, and put graded cells that are missing below theirs."""

    def place(name: str) -> int | None:
        ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in cells]
        return ids.index(name) if name in ids else None

    for wanted in assignment:
        if wanted.points is None:
            now = place(wanted.name)
            assert now is not None
            if cells[now].source != MISSING:
                continue
            cell = cells.pop(now)
            graded = place(wanted.name + POINTS)
            before = [place(w.name) for w in assignment[: list(assignment).index(wanted)]]
            last = max((number for number in before if number is not None), default=-1)
            cells.insert(last + 1 if graded is None else graded, cell)
        elif place(wanted.name) is None:
            exercise = place(wanted.exercise)
            cell = _mark(new_code_cell(wanted.source), wanted, WAS_MISSING)
            cells.insert(len(cells) if exercise is None else exercise + 1, cell)
