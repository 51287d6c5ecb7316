"""What nbgrader does to a notebook of ours, where its own way does not fit.

`course_config` is the whole configuration; `nbgrader_config.py` of a course folder calls it, so
that nbgrader's own commands do the same as ours.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output, upgrade
from nbgrader import preprocessors as nbgrader
from nbgrader.api import Gradebook
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

from hmr_edu.course.grading.points import credit, salt_of
from hmr_edu.course.grading.restore import (
    OURS,
    POINTS,
    Wanted,
    defines,
    graded_call,
    notes,
    restore,
)
from hmr_edu.course.grading.sandbox import Sandbox
from hmr_edu.course.grading.stub import STUB, open_exercise

BELOW = "{} is defined further down; that counts, but move it up, so that all cells run in order"
HEADING = re.compile(r"^#+[ \t]+(.*\S)", re.MULTILINE)  # of a card
COURSE_ID = "hmr_edu"  # nbgrader hands nothing out, nor collects, without one


class OpenExercises(nbgrader.NbGraderPreprocessor):
    """Solutions become stubs: the stub of the documentation, except that it raises."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        """Open one exercise."""
        if cell.cell_type == "code":
            cell.source = open_exercise(cell.source, STUB)
        return cell, resources


class RestoreCells(nbgrader.NbGraderPreprocessor):
    """Cells of the assignment that a submission has lost come back, empty ones for exercises.

    nbgrader's own repair stops at a submission that lost an exercise with its graded cell, and at
    one that holds a cell twice.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Put every cell of the assignment in, with its metadata."""
        about, nb = resources["nbgrader"], upgrade(nb)  # so that every cell has an id
        with Gradebook(about["db_url"]) as gradebook:
            source = gradebook.find_notebook(about["notebook"], about["assignment"])
            points = {cell.name: cell.max_score for cell in source.grade_cells}
            restore(nb, [_wanted(cell, points.get(cell.name)) for cell in source.source_cells])
        return nb, resources


def _wanted(cell: Any, points: float | int | None) -> Wanted:
    return Wanted(cell.name, cell.source, cell.locked, cell.checksum, points)


class GradeInSandbox(nbgrader.NbGraderPreprocessor):
    """Instead of running the notebook: each graded cell in a process of its own, outputs filled in.

    Outputs of other cells stay empty.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Fill in report and points of every graded cell."""
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        cells, told = [cell.source for cell in code], dict(notes(nb))
        salt = salt_of(resources["nbgrader"]["student"])
        for number, cell in enumerate(code):
            if not is_grade(cell):
                continue
            check, function = graded_call(cell.source)
            text, score = sandbox().judge(cells, check, function, salt)
            points = credit(score, float(cell.metadata.nbgrader.points))
            name = cell.metadata.nbgrader.grade_id
            said = [told.get(name, ""), told.get(name.removesuffix(POINTS), "")]
            if any(defines(source, function) for source in cells[number + 1 :]):
                said.append(BELOW.format(function))
            lines = [text, *(f"note: {note}" for note in dict.fromkeys(said) if note)]
            cell.outputs = [
                new_output("stream", name="stdout", text="\n".join(lines) + "\n"),
                new_output("execute_result", {"text/plain": f"{points:g}"}, execution_count=1),
            ]
        return nb, resources


class OnlyExercises(nbgrader.NbGraderPreprocessor):
    """A feedback page shows the title and the exercises, each with its statement and report."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Leave the rest of the lesson out; call each exercise what its card calls it."""
        kept, titles = [], dict[str, str]()
        for number, cell in enumerate(nb.cells):
            after = nb.cells[number + 1 : number + 2]
            stated = cell.cell_type == "markdown" and any(is_solution(c) for c in after)
            if stated:
                heading = HEADING.search(cell.source)
                name = after[0].metadata.nbgrader.grade_id
                titles[name] = f"{heading[1]} ({name})" if heading else name
            if is_grade(cell):
                name = cell.metadata.nbgrader.grade_id.removesuffix(POINTS)
                cell.metadata[OURS] = {"title": titles.get(name, name)}
            if number == 0 or is_solution(cell) or is_grade(cell) or stated:
                kept.append(cell)
        nb.cells = kept
        return nb, resources


@cache
def sandbox() -> Sandbox:
    """Return the sandbox of this process; it ends with the process."""
    return Sandbox()


def course_config(root: str) -> Config:
    """Nbgrader's configuration of a course folder, for our commands, its own and JupyterLab."""
    _programs_can_be_found()
    config = Config()
    config.CourseDirectory.root = root
    config.CourseDirectory.course_id = COURSE_ID
    config.GenerateAssignment.preprocessors = [
        nbgrader.LockCells,
        OpenExercises,
        nbgrader.ClearOutput,
        nbgrader.CheckCellMetadata,
        nbgrader.ComputeChecksums,
        nbgrader.SaveCells,
        nbgrader.CheckCellMetadata,
    ]
    config.Autograde.sanitize_preprocessors = [
        nbgrader.ClearOutput,
        RestoreCells,
        nbgrader.OverwriteKernelspec,
        nbgrader.OverwriteCells,
        nbgrader.CheckCellMetadata,
    ]
    config.Autograde.autograde_preprocessors = [
        GradeInSandbox,
        nbgrader.SaveAutoGrades,
        nbgrader.AssignLatePenalties,
        nbgrader.CheckCellMetadata,
    ]
    config.HTMLExporter.template_name = "feedback"  # formgrader asks for this name
    config.HTMLExporter.extra_template_basedirs = [str(Path(__file__).parent / "templates")]
    config.GenerateFeedback.preprocessors = [
        nbgrader.GetGrades,
        OnlyExercises,
        CSSHTMLHeaderPreprocessor,
    ]
    return config


def _programs_can_be_found() -> None:
    """Nbgrader starts `alembic` by name, and a virtual environment may not be on the path."""
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = programs + os.pathsep + os.environ.get("PATH", "")
