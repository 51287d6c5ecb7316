"""Cells that lost their metadata, were copied, split, merged or moved are found again.

nbgrader's own validator says whether the metadata are right.
"""

import copy
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from helpers import odd_class
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader")

from nbgrader.nbgraderformat import MetadataValidator

from hmr_edu.course.grading.release import with_graded_cells
from hmr_edu.course.grading.restore import Wanted, defines, notes, restore
from hmr_edu.course.grading.slices import needed

LESSON = Path(__file__).parents[2] / "notebooks" / odd_class.LESSON
NAMES = [name for name in odd_class.POINTS if name not in ("mirror_pose", "mean_rotation")]


@pytest.fixture(scope="module")
def lesson():
    return with_graded_cells(nbformat.read(LESSON, 4))


@pytest.fixture(scope="module")
def assignment(lesson):
    marked = [cell for cell in lesson.cells if "nbgrader" in cell.metadata]
    return [
        Wanted(about["grade_id"], cell.source, about["locked"], "0" * 32, about.get("points"))
        for cell, about in ((cell, cell.metadata.nbgrader) for cell in marked)
    ]


def at(notebook, name):
    return odd_class.exercise(notebook, name)


def as_text(notebook):
    for name in NAMES:
        cell = notebook.cells[at(notebook, name)]
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]


def renamed(notebook):
    """All say that they are the same cell."""
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id = "skew"


def nonsense(notebook):
    for number, cell in enumerate(notebook.cells):
        cell.metadata["nbgrader"] = [7, {"grade_id": 3}, {"schema_version": 99}, None][number % 4]
        cell.metadata["hmr_edu"] = {"note": "I have all points"}


def in_one_cell(notebook):
    source = "\n\n".join(notebook.cells[at(notebook, name)].source for name in NAMES)
    for name in NAMES:
        del notebook.cells[at(notebook, name)]
    notebook.cells.append(new_code_cell(source))


def graded_only_gone(notebook):
    for name in NAMES:
        del notebook.cells[at(notebook, f"{name}_points")]


def twice(notebook):
    notebook.cells += copy.deepcopy(notebook.cells)


def backwards(notebook):
    notebook.cells.reverse()


def cheated(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "100.0"
            cell.metadata.nbgrader.points = 100


CHANGES = [odd_class.stripped, odd_class.retyped, odd_class.moved, odd_class.copied]
CHANGES += [odd_class.split, odd_class.merged, odd_class.magical, as_text, renamed, nonsense]
CHANGES += [in_one_cell, graded_only_gone, twice, backwards, cheated]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_cell_is_there_once_and_every_function_is_found(change, lesson, assignment):
    mine = copy.deepcopy(lesson)
    change(mine)
    restore(mine, assignment)
    marked = [cell for cell in mine.cells if "nbgrader" in cell.metadata]
    ids = Counter(cell.metadata.nbgrader.grade_id for cell in marked)
    assert ids == Counter(wanted.name for wanted in assignment)
    MetadataValidator().validate_nb(mine)
    nbformat.validate(mine)
    assert len({cell.id for cell in mine.cells}) == len(mine.cells)
    for wanted in assignment:
        if wanted.points is not None:
            cell = mine.cells[at(mine, wanted.name)]
            assert (cell.source, cell.metadata.nbgrader.points) == (wanted.source, wanted.points)
    code = [cell.source for cell in mine.cells if cell.cell_type == "code"]
    for name in ("skew", "rodrigues"):
        source = needed(code, name)
        assert f"def {name}" in source
        assert source.count("raise NotImplementedError") == 0
    assert "I have all points" not in dict(notes(mine)).values()


def test_what_was_done_is_said(lesson, assignment):
    same = copy.deepcopy(lesson)
    restore(same, assignment)
    assert dict(notes(same)) == {}
    mine = copy.deepcopy(lesson)
    graded_only_gone(mine)
    mine.cells[at(mine, "skew")].metadata = NotebookNode()
    restore(mine, assignment)
    said = dict(notes(mine))
    assert set(said) == {"skew", *(f"{name}_points" for name in NAMES)}
    assert "recognised by its name" in said["skew"]
    assert "put back" in said["skew_points"]


def test_a_missing_exercise_comes_back_empty_where_it_was(lesson, assignment):
    mine = copy.deepcopy(lesson)
    for name in ("skew", "skew_points"):
        del mine.cells[at(mine, name)]
    restore(mine, assignment)
    assert "missing" in mine.cells[at(mine, "skew")].source
    assert at(mine, "rotate_point_points") < at(mine, "skew") < at(mine, "skew_points")


DEFINES = {
    "def f(x): pass": True,
    "    async  def f (x): pass": True,
    "f = lambda x: x": True,
    "f: Callable = g": True,
    ">>> def f(x): pass": True,
    "def ff(x): pass": False,
    "f == 3": False,
    "x.f = 3": False,
    "print(f)": False,
    "# def f": False,
}


@pytest.mark.parametrize("source", DEFINES)
def test_a_definition_is_seen_without_parsing(source):
    assert defines(f"x = 1\n{source}", "f") is DEFINES[source]
