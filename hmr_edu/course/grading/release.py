"""From the lessons to what is handed out: a learner's copy, the instructor's, and a zip.

Problem set N is lesson N with its exercises graded, and the problems of `notebooks/problems`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from hmr_edu.course.exercises.registry import find
from hmr_edu.course.grading.handout import LOCAL_LINK, README, readme
from hmr_edu.course.grading.statements import Statement, statements
from hmr_edu.course.grading.stub import has_solution, without_check
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

WAITS = "raises-exception"
WHAT_TO_DO = """\
> **{points} points.** Write your functions where a cell says `raise NotImplementedError`. The cell
> below each checks it, says what is wrong, and ends with the points that you have. Every part of it
> counts: half a solution is worth something.
>
> "Run All Cells" goes past what is still open. A cell that begins with `# Waits for:` shows an
> error until those functions are written. Add cells of your own where you like; a function may use
> whatever is defined above it. Before you hand in, restart the kernel and run all cells, or press
> nbgrader's *Validate*. Keep the file's name. `README.md` beside this file helps when you are
> stuck."""


def problem_sets(lessons: Path) -> dict[str, list[Path]]:
    """Notebooks of each problem set, by its name: ps1, ps2, ...; lessons with exercises only."""
    sets: dict[str, list[Path]] = {}
    for path in sorted(lessons.glob("[0-9][0-9]_*.ipynb")):
        if not any(has_solution(cell.source) for cell in nbformat.read(path, as_version=4).cells):
            continue
        problems = sorted((lessons / "problems").glob(f"{path.name[:2]}_*.ipynb"))
        sets[f"ps{int(path.name[:2])}"] = [path, *problems]
    if not sets:
        raise DataError(f"{lessons}: no lessons here; say where they are with --lessons")
    return sets


def with_graded_cells(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook, solutions still in it, with a graded cell behind each exercise.

    What to do stands below its title. Raises DataError at a check that no exercise has.
    """
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LOCAL_LINK.sub(r"\1", cell.source)
        cells.append(cell)
        if cell.cell_type == "code" and has_solution(cell.source):
            cell.source, check, function = without_check(cell.source)
            cells.append(_graded_cell(cell, check, function, find(check).points))
    mark_waiting(cells)
    points = sum(cell.metadata.get("nbgrader", {}).get("points", 0) for cell in cells)
    cells.insert(1, new_markdown_cell(WHAT_TO_DO.format(points=points)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03d}"
    notebook.cells = cells
    return notebook


def _graded_cell(exercise: NotebookNode, check: str, function: str, points: int) -> NotebookNode:
    name = exercise.metadata.nbgrader.grade_id + "_points"
    about = {"grade": True, "grade_id": name, "locked": True, "points": points}
    about |= {"schema_version": 3, "solution": False, "task": False}
    source = f"""\
# {points} points. This cell belongs to the course: it checks your function, and it is graded.
from hmr_edu.course.exercises import {check}
from hmr_edu.course.grading.grade import grade

grade({check}, {function}, points={points})"""
    return new_code_cell(source, metadata={"nbgrader": about})


def mark_waiting(cells: Sequence[NotebookNode]) -> None:
    """Say of cells that use an open exercise that they wait for it, and let the run go past them.

    No other cell may raise: a learner sees the error that is no exercise's.
    """
    waiting: dict[str, tuple[str, ...]] = {}  # a name, and the exercises that it waits for
    for cell in cells:
        if cell.cell_type != "code" or "grade_id" in cell.metadata.get("nbgrader", {}):
            if cell.cell_type == "code" and has_solution(cell.source):
                name = cell.metadata.nbgrader.grade_id
                waiting |= {made: (name,) for s in statements(cell.source) for made in s.sets}
            continue
        exercises = _waits_for(statements(cell.source), waiting)
        if exercises:
            cell.source = f"# Waits for: {', '.join(dict.fromkeys(exercises))}\n{cell.source}"
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), WAITS]


def _waits_for(cell: Sequence[Statement], waiting: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the exercises a cell waits for; what it makes waits from then on, or no longer."""
    exercises: list[str] = []
    for statement in cell:
        reads = statement.now | statement.later
        mine = [exercise for name in waiting if name in reads for exercise in waiting[name]]
        if not statement.is_function:  # a function waits only where it is called
            exercises += mine
        for name in statement.sets:
            if mine or exercises:
                waiting[name] = tuple(mine or exercises)
            elif statement.replaces:
                waiting.pop(name, None)
    return exercises


def write_zip(folder: Path, path: Path) -> Path:
    """Pack a folder's notebooks and README, in a folder of that name; the same bytes each time."""
    with (
        atomic_write(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for file in sorted([*folder.glob("*.ipynb"), *folder.glob(README)]):
            entry = zipfile.ZipInfo(f"{folder.name}/{file.name}")
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return path


def write_source(paths: Sequence[Path], folder: Path) -> None:
    """Write the instructor's notebooks of a problem set, and the README for everybody."""
    text = readme(paths[0].parent.parent / "docs", folder.name, [path.name for path in paths])
    with atomic_write(folder / README) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for path in paths:
        notebook = with_graded_cells(nbformat.read(path, as_version=4))
        with atomic_write(folder / path.name) as temporary:
            nbformat.write(notebook, temporary)
