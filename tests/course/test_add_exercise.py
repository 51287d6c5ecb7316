"""`hmr-edu course add`: what it writes, what it refuses; a toy exercise from there to a grade."""

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from hmr_edu.cli.course import add
from hmr_edu.course import new_exercise
from hmr_edu.course.grading.release import with_graded_cells
from hmr_edu.course.grading.stub import has_solution, without_check
from hmr_edu.io.errors import DataError

ROOT = Path(__file__).parents[2]
PROBLEMS = Path("notebooks/problems/01_problems.ipynb")
TOY = Path("hmr_edu/course/exercises/lesson_01/toy.py")


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The part of a clone that the command works in, and the current folder."""
    for path in ("notebooks/01_rodrigues.ipynb", "notebooks/07_claims_on_trial.ipynb", PROBLEMS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    folder = "hmr_edu/course/exercises"
    shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    """Map every file to a digest of what is in it; Python's caches are none."""
    paths = [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).digest() for p in paths}


def touched(before, after):
    return sorted(path for path in before | after if before.get(path) != after.get(path))


# What it writes.


def test_a_file_and_two_cells(clone, capsys):
    before = nbformat.read(PROBLEMS, as_version=4)
    add("01_problems", "toy", stars=3, minutes=25)
    assert "POINTS = 6" in TOY.read_text()
    after = nbformat.read(PROBLEMS, as_version=4)
    nbformat.validate(after)
    *old, card, cell = after.cells
    assert [c.id for c in old] == [c.id for c in before.cells]
    changed = [c.source for c, b in zip(old, before.cells, strict=True) if c.source != b.source]
    assert len(changed) == 1
    assert "import check_mean_rotation, check_mirror_pose, check_toy\n" in changed[0] + "\n"
    assert "### Problem" in card.source
    assert "★★★ · 25 minutes" in card.source
    neighbour = next(c for c in old if "exercise" in c.metadata.get("tags", []))
    wanted = neighbour.metadata.nbgrader | {"grade_id": "toy"}
    assert cell.metadata == neighbour.metadata | {"nbgrader": wanted}
    assert has_solution(cell.source)
    assert without_check(cell.source)[1:] == ("check_toy", "toy")
    said = capsys.readouterr().out
    assert str(TOY) in said
    assert f"hmr-edu course execute {PROBLEMS}" in said


def test_a_lesson_that_has_no_exercises_yet(clone):
    add("7", "toy")
    folder = Path("hmr_edu/course/exercises/lesson_07")
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "toy.py"]
    cells = nbformat.read("notebooks/07_claims_on_trial.ipynb", as_version=4).cells
    assert any("exercises import check_toy" in cell.source for cell in cells)
    assert "### Exercise" in cells[-2].source


def test_many_checks_are_imported_a_line_each():
    cell = nbformat.v4.new_code_cell(
        "import torch\nfrom hmr_edu.course.exercises import (\n    check_a,\n    check_c,\n)\nx = 1"
    )
    new_exercise._import_check([cell], "check_" + "b" * 60)
    assert cell.source.splitlines()[1:-1] == [
        "from hmr_edu.course.exercises import (",
        "    check_a,",
        f"    check_{'b' * 60},",
        "    check_c,",
        ")",
    ]


# What it refuses: one line, and nothing is written.


@pytest.mark.parametrize(
    ("lesson", "name", "said"),
    [
        ("1", "skew", r"lesson_01/skew\.py exists already"),
        ("01_problems", "shape_blend", r"lesson_02/shape_blend\.py exists already"),
        ("01", "hat", "01_rodrigues.ipynb defines hat already"),
        ("1", "Toy", "'Toy' cannot be the name"),
        ("1", "to-y", "'to-y' cannot be the name"),
        ("1", "_toy", "'_toy' cannot be the name"),
        ("1", "lambda", "'lambda' cannot be the name"),
        ("1", "../toy", "cannot be the name"),
        ("1", "check_toy", "name the learner's function"),
        ("9", "toy", "no notebook '9'; there are 01_rodrigues, 07_claims_on_trial, 01_problems"),
        ("rotations", "toy", "no notebook 'rotations'"),
    ],
)
def test_refusals(clone, lesson, name, said):
    before = files(clone)
    with pytest.raises(DataError, match=said) as error:
        add(lesson, name)
    assert "\n" not in str(error.value)
    assert files(clone) == before


def test_folders_that_are_not_there(clone):
    with pytest.raises(DataError, match="none; say where they are with --lessons"):
        add("1", "toy", lessons=Path("lessons"))
    with pytest.raises(DataError, match="say where it is with --exercises"):
        add("1", "toy", exercises=Path("exercises"))


@pytest.mark.parametrize("lesson", ["1", "7"])
def test_a_full_disk_leaves_nothing(clone, lesson, monkeypatch):
    before = files(clone)

    def full(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(nbformat, "write", full)
    with pytest.raises(OSError, match="no space left"):
        add(lesson, "toy")
    assert files(clone) == before


def test_a_check_that_no_exercise_has_is_named():
    cell = nbformat.v4.new_code_cell(
        "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n\n\ncheck_f(f)"
    )
    with pytest.raises(DataError, match="no check_f in"):
        with_graded_cells(nbformat.v4.new_notebook(cells=[cell]))


# The whole way, by the commands: begin it, solve it, run it, release it, grade it.


def command(clone, *arguments):
    """Run `hmr-edu course ...` with the package of the clone; return what it says."""
    result = subprocess.run(
        [sys.executable, "-m", "hmr_edu.cli", "course", *arguments],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def answer(path, target, body):
    """Write the notebook with this answer to the toy in it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.source.startswith("def toy("):
            cell.source = re.sub(r"raise NotImplementedError\(.*\)", body, cell.source)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


@pytest.mark.slow
def test_a_toy_exercise_from_nothing_to_a_grade(clone):
    pytest.importorskip("nbgrader")
    shutil.copytree(
        ROOT / "hmr_edu",
        clone / "hmr_edu",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
    before = files(clone)
    command(clone, "add", "01_problems", "toy")
    answer(clone / PROBLEMS, clone / PROBLEMS, "return 2 * x")
    command(clone, "execute", str(PROBLEMS))
    (toy,) = [c for c in nbformat.read(PROBLEMS, 4).cells if c.source.startswith("def toy(")]
    assert "toy: 1 of 1, well done" in str(toy.outputs)
    changes = touched(before, files(clone))
    print(f"files touched for an exercise: {len(changes)}: {', '.join(changes)}")
    assert changes == sorted(map(str, (TOY, PROBLEMS)))

    command(clone, "release", "ps1")
    source, release = (clone / "course" / kind / "ps1" for kind in ("source", "release"))
    released = (release / PROBLEMS.name).read_text()
    assert "check_toy" in released
    assert "return 2 * x" not in released
    for student, body in (("right", "return 2 * x"), ("wrong", "return x.square()")):
        target = clone / "submissions" / student / "ps1"
        answer(release / PROBLEMS.name, target / PROBLEMS.name, body)
        shutil.copy(source / "01_rodrigues.ipynb", target)
    command(clone, "grade", "submissions")
    command(clone, "export")
    with (clone / "grades.csv").open() as file:
        grades = {row["SIS Login ID"]: float(row["ps1"]) for row in csv.DictReader(file)}
    # The lesson is solved, its problems are open: 22 points, and 2 for the toy.
    assert grades == {"right": 24, "wrong": 22}
    graded = (clone / "course/autograded/wrong/ps1" / PROBLEMS.name).read_text()
    assert "that is the square: double it" in graded
