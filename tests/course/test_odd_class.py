"""Two gradings of a class with odd submissions among them: the marks are those by hand."""

import csv
import os
import shutil
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader")

from helpers.odd_class import LESSON, PROBLEMS, class_of, second, write

from hmr_edu.course.grading import classroom, preprocessors

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

pytestmark = pytest.mark.slow


def marks(course):
    path = classroom.export(course, course / "grades.csv")
    with path.open(encoding="utf-8") as file:
        return {row["SIS Login ID"]: row["ps1"] for row in csv.DictReader(file)}


def graded(course, folder):
    """Grade a folder; return all that is said, and what failed."""
    said = []
    failed = classroom.grade(course, folder, said.append)
    return "\n".join(said), failed


# Thirty take ten minutes on a slow machine: `HMR_EDU_CLASS=30` grades so many.
@pytest.mark.parametrize("number", [int(os.environ.get("HMR_EDU_CLASS", "14"))])
def test_two_gradings_of_a_class(number, tmp_path):
    course, folder = tmp_path / "course [2026] %20", tmp_path / "handed in"
    classroom.release(course, NOTEBOOKS, ["ps1"])
    solved, blank = (
        {name: nbformat.read(course / step / "ps1" / name, 4) for name in (LESSON, PROBLEMS)}
        for step in ("source", "release")
    )
    students = class_of(number, solved, blank)
    assert len(students) == number
    for name, student in students.items():
        write(folder / name, student.files)
    said, failed = graded(course, folder)
    assert marks(course) == {name: student.marks for name, student in students.items()}
    for student in students.values():
        assert [line for line in student.named if line not in said] == []
    assert {line.split()[0] for line in failed} == {"no_notebook", "unreadable", "bomb"}
    assert not list(tmp_path.rglob("escape.ipynb"))
    # The second time: some handed in again, others took back what they had.
    shutil.rmtree(folder)
    wanted = {}
    for name, files, mark in second(students):
        if files:
            write(folder / name, files)
        wanted[name] = mark
    shutil.rmtree(folder / "stripped")
    wanted["stripped"] = ""
    said, failed = graded(course, folder)
    assert marks(course) == wanted
    assert "stripped ps1: withdrawn" in said
    assert {line.split()[0] for line in failed} == {"no_notebook"}
    preprocessors.sandbox().close()
    classroom.feedback(course)
    assert not (course / "feedback" / "stripped" / "ps1").exists()
