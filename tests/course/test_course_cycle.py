"""The whole cycle: release, submissions of every kind, grades, feedback, CSV."""

import copy
import csv
import re
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader")

from hmr_edu.cli.course import grade
from hmr_edu.course.grading import classroom, preprocessors
from hmr_edu.course.grading.release import WAITS, mark_waiting
from hmr_edu.course.grading.stub import STUB, has_solution
from hmr_edu.io.errors import DataError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSON = "01_rodrigues.ipynb"
SECONDS = 4

pytestmark = pytest.mark.slow

# What somebody writes instead of `skew` (4 or fewer points), and what feedback must say of it.
HOSTILE = {
    "endless": ("    while True:\n        pass", "stopped "),
    "sleeper": ("    import time\n    time.sleep(600)", "stopped "),
    "hog": ("    return torch.zeros(10**11)", "allocate memory"),
    "gigabyte": ("    print('x' * 10**9)\n    return v", "skew"),
    "reader": (
        "    import inspect\n    from hmr_edu.course import exercises\n"
        "    raise ValueError(inspect.getsource(exercises.check_skew))",
        "it calls",
    ),
    "importer": ("    return hat_of_the_package(v)", "it calls hmr_edu.rotations"),
    "killer": ("    import os\n    os.kill(os.getppid(), 9)", "it calls posix"),
    "leaver": ("    raise SystemExit", "SystemExit"),
    "typo": ("    return v +", "not Python"),
}

# What a link in a submission leads to: such a submission is not graded, and stops no other.
LINKS = {"link_to_a_file": "solutions.txt", "link_to_a_folder": ".", "link_to_nothing": "lost"}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    zips = classroom.release(folder, NOTEBOOKS, ["ps1"])
    assert [path.name for path in zips] == ["ps1.zip"]
    return folder


def cells_of(path):
    return nbformat.read(path, as_version=4)


def exercise(notebook, name):
    marks = (cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells)
    return list(marks).index(name)


def answered(notebook, name, body, before=""):
    """The notebook with the body of one exercise replaced by this one."""
    notebook = copy.deepcopy(notebook)
    cell = notebook.cells[exercise(notebook, name)]
    head = cell.source[: cell.source.index('"""')]
    cell.source = before + head.rstrip() + "\n" + body
    return notebook


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory):
    """Grade one submission of every kind; returns the course folder."""
    folder = tmp_path_factory.mktemp("submissions")
    perfect = cells_of(course / "source" / "ps1" / LESSON)
    blank = cells_of(course / "release" / "ps1" / LESSON)
    kinds = {"perfect": perfect, "blank": blank}
    kinds["partial"] = answered(perfect, "rodrigues", PARTIAL)
    deleted = copy.deepcopy(perfect)
    del deleted.cells[exercise(deleted, "skew_points")]
    kinds["deleted"] = deleted
    both = copy.deepcopy(perfect)
    for name in ("skew_points", "skew"):
        del both.cells[exercise(both, name)]
    kinds["deleted_both"] = both
    cheat = copy.deepcopy(blank)
    for cell in cheat.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "100.0"
            cell.metadata.nbgrader.points = 100
    kinds["regraded"] = cheat
    for name, (body, _) in HOSTILE.items():
        before = "from hmr_edu.rotations import axis_angle_to_matrix as hat_of_the_package\n"
        kinds[name] = answered(perfect, "skew", body, before * (name == "importer"))
    for student, notebook in kinds.items():
        path = folder / student / "ps1" / LESSON
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    broken = folder / "broken" / "ps1" / LESSON
    broken.parent.mkdir(parents=True)
    broken.write_text("{this is no notebook")
    secret = tmp_path_factory.mktemp("secret")
    (secret / "solutions.txt").write_text("the exam")
    for student, target in LINKS.items():
        path = folder / student / "ps1"
        path.mkdir(parents=True)
        nbformat.write(perfect, path / LESSON)
        (path / "notes").symlink_to(secret / target)
    preprocessors.sandbox.cache_clear()
    preprocessors.sandbox().seconds = SECONDS
    failed = classroom.grade(course, folder, lambda line: None)
    preprocessors.sandbox().close()
    assert [line.split()[0] for line in failed] == ["broken", *LINKS]
    assert all("notes is a link" in line for line in failed[1:])
    classroom.feedback(course)
    classroom.export(course, course / "grades.csv")
    return course


PARTIAL = """\
    K = hat(axis_angle)
    t = axis_angle.norm(dim=-1)[..., None, None] + 1e-8
    return (torch.eye(3).to(K) + t.sin() / t * K + (1 - t.cos()) / t**2 * (K @ K)).mT"""


def test_the_release_holds_no_solution(course):
    source = cells_of(course / "source" / "ps1" / LESSON)
    with zipfile.ZipFile(course / "handout" / "ps1.zip") as archive:
        text = archive.read(f"ps1/{LESSON}").decode()
    released = nbformat.reads(text, as_version=4)
    assert "BEGIN SOLUTION" not in text
    assert all(not cell.get("outputs") for cell in released.cells)
    seen = "\n".join(cell.source for cell in released.cells)
    code = "\n".join(cell.source for cell in released.cells if cell.cell_type == "code")
    solved = [cell.source for cell in source.cells if has_solution(cell.source)]
    assert seen.count(STUB) == len(solved) == 6
    for cell in solved:
        body = re.search(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell, re.DOTALL)[1]
        lines = [line.strip() for line in body.splitlines() if len(line.strip()) > 40]
        assert not [line for line in lines if line in code]  # a hint may tell a line
    assert seen.count("<details>") >= len(solved)  # the hints stay


def test_every_kind_gets_its_marks(graded):
    with (graded / "grades.csv").open() as file:
        marks = {row["SIS Login ID"]: row["ps1"] for row in csv.DictReader(file)}
    assert marks.pop("perfect") == marks.pop("deleted") == "22"
    assert marks.pop("blank") == marks.pop("regraded") == "0"
    assert marks.pop("broken") == ""  # no zero: nobody looked at it
    assert 16 < float(marks.pop("partial")) < 22  # a transposed matrix is not worth zero
    assert marks.pop("deleted_both") == "20"
    assert {marks.pop(name) for name in LINKS} == {""}
    assert marks == dict.fromkeys(HOSTILE, "20")


def test_nothing_behind_a_link_is_copied(graded):
    assert not [path for path in graded.rglob("*") if path.name in ("notes", "solutions.txt")]


def test_feedback_of_nothing_is_an_error(graded, tmp_path):
    with pytest.raises(DataError, match="nothing was graded"):
        classroom.feedback(tmp_path)
    with pytest.raises(DataError, match="ps9"):
        classroom.feedback(graded, ["ps1", "ps9"])


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_feedback_says_what_happened_and_no_test(graded, kind):
    page = (graded / "feedback" / kind / "ps1" / "01_rodrigues.html").read_text()
    assert HOSTILE[kind][1] in page
    assert "def check_skew" not in page
    assert "compare(check.call" not in page


def test_partial_feedback_teaches(graded):
    page = (graded / "feedback" / "partial" / "ps1" / "01_rodrigues.html").read_text()
    assert "transposed" in page or "a sign in K" in page
    assert len(page) < 2**20


def test_cells_that_use_an_open_exercise_say_so_and_stop_nobody():
    exercise = "def {}(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    sources = [
        exercise.format("f"),
        exercise.format("h"),
        "a = 1",
        "def g(x):\n    return f(h(x))",
        "for b in [1]:\n    b = g(a)",
        "print(b)",
        "for b in [2]:\n    print(b)",
        "b = h(2)",
        "b = 2",
        "print(b)",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell, name in zip(cells, "fh", strict=False):
        cell.metadata["nbgrader"] = {"grade_id": name}
    mark_waiting(cells)
    told = [cell.source.splitlines()[0].removeprefix("# Waits for: ") for cell in cells]
    assert told[4:8] == ["f, h", "f, h", "for b in [2]:", "h"]
    waits = [cell.source.startswith("# Waits for") for cell in cells]
    assert waits == [False] * 4 + [True, True, False, True, False, False]
    tagged = [WAITS in cell.metadata.get("tags", []) for cell in cells]
    assert tagged == waits  # an error where nothing waits is seen


def test_a_second_release_keeps_what_the_instructor_configured(course):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.CourseDirectory.course_id = 'hmr'\n")
    classroom.release(course, NOTEBOOKS, ["ps1"])
    assert "course_id = 'hmr'" in config.read_text()


def test_grading_says_where_it_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DataError, match="Linux"):
        grade(tmp_path, course=tmp_path)
