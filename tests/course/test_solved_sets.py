"""The lessons' own solutions have all points, graded as submissions are: from whole notebooks."""

from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader")

from hmr_edu.course.grading.release import problem_sets, with_graded_cells
from hmr_edu.course.grading.restore import graded_call
from hmr_edu.course.grading.sandbox import Sandbox

SETS = problem_sets(Path(__file__).parents[2] / "notebooks")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", SETS)
def test_the_solution_of_every_exercise_has_all_points(name, sandbox):
    told = {}
    for path in SETS[name]:
        cells = with_graded_cells(nbformat.read(path, as_version=4)).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        for cell in cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                check, function = graded_call(cell.source)
                text, score = sandbox.judge(code, check, function, 5)
                if score < 1:
                    told[function] = text
    assert told == {}
