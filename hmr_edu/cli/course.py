"""`hmr-edu course`: execute lessons, add an exercise; release, collect, grade problem sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

COURSE = Path("course")
EXERCISES = Path("hmr_edu/course/exercises")


def execute(notebooks: Annotated[tuple[Path, ...], tyro.conf.Positional]) -> None:
    """Run notebooks from top to bottom and save them with their outputs, ready to commit.

    Args:
        notebooks: the .ipynb files.
    """
    from hmr_edu.course.notebooks import execute_all

    for path in notebooks:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such notebook")
    execute_all(notebooks)


def add(
    lesson: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="LESSON")],
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    stars: Literal[1, 2, 3] = 1,
    minutes: int = 10,
    lessons: Path = Path("notebooks"),
    exercises: Path = EXERCISES,
) -> None:
    """Begin a new exercise: a file with its check, and a tagged cell at the end of its notebook.

    File and cell hold a small exercise to be replaced by yours. Run this in a clone of the
    repository.

    Args:
        lesson: a lesson's number (1), or a notebook's name (01_rodrigues, 01_problems).
        name: the function that learners write; its check is called check_NAME.
        stars: how hard it is; a star is worth two points.
        minutes: how long it takes.
        lessons: the folder of the notebooks.
        exercises: the folder of the exercises.
    """
    from hmr_edu.course.new_exercise import add_exercise

    file, notebook = add_exercise(lesson, name, lessons, exercises, stars, minutes)
    print(f"{file}: write the check, and the mistakes that you expect")
    print(f"{notebook}, the last two cells: write the card and the solution, move them")
    print(f"then: hmr-edu course execute {notebook}")


def release(
    sets: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    course: Path = COURSE,
    lessons: Path = Path("notebooks"),
) -> None:
    """Make problem sets: the learners' copies, the instructor's, and a zip to hand out.

    Args:
        sets: ps1, ps2, ...; all by default.
        course: the course folder, made when it does not exist.
        lessons: the folder of the solved lessons.
    """
    classroom = _classroom()
    for path in classroom.release(course, lessons, sets):
        print(path)


def collect(
    download: Annotated[Path, tyro.conf.Positional],
    out: Path = Path("submissions"),
    course: Path = COURSE,
    replace: bool = False,
) -> None:
    """Sort a download of Canvas or Moodle into STUDENT/ps1/NOTEBOOK.ipynb, and say what went where.

    Args:
        download: the platform's zip of all submissions, or the folder that it was unpacked to.
        out: the folder of submissions, for `grade`.
        course: the course folder, which says what was handed out.
        replace: write over files of an earlier download; otherwise they stay, and are named.
    """
    from hmr_edu.io.errors import DataError

    failed = _classroom().collect(download, course, out, replace)
    if failed:
        raise DataError(f"{len(failed)} could not be sorted:\n" + "\n".join(failed))


def grade(
    submissions: Annotated[Path, tyro.conf.Positional],
    course: Path = COURSE,
) -> None:
    """Grade STUDENT/ps1/*.ipynb in a folder, each function in a process of its own.

    Whatever lies in the folder is graded or named.

    Args:
        submissions: the folder; `submitted` of the course folder, or any other.
        course: the course folder.
    """
    import sys

    from hmr_edu.io.errors import DataError

    if sys.platform != "linux":
        raise DataError(
            "grading limits what submissions may do by means that only Linux has: run it in a "
            "container, as docs/instructor.md shows"
        )
    failed = _classroom().grade(course, submissions)
    if failed:
        raise DataError(f"{len(failed)} could not be graded:\n" + "\n".join(failed))


def feedback(
    sets: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    course: Path = COURSE,
) -> None:
    """Write a page for every graded notebook: points, what was wrong, hints.

    Args:
        sets: ps1, ps2, ...; all by default.
        course: the course folder.
    """
    print(_classroom().feedback(course, sets))


def export(
    out: Annotated[Path, tyro.conf.Positional] = Path("grades.csv"), course: Path = COURSE
) -> None:
    """Write the grades as CSV, a row a student, with the columns that Canvas and Moodle read.

    Args:
        out: the file.
        course: the course folder.
    """
    print(_classroom().export(course, out))


def _classroom():
    try:
        from hmr_edu.course.grading import classroom
    except ModuleNotFoundError as error:
        from hmr_edu.io.errors import DataError

        if not (error.name or "").startswith("nbgrader"):
            raise
        raise DataError("this needs nbgrader: pip install 'hmr_edu[course]'") from error
    return classroom


COMMANDS = {
    "execute": execute,
    "add": add,
    "release": release,
    "collect": collect,
    "grade": grade,
    "feedback": feedback,
    "export": export,
}


def command(args: Sequence[str]) -> None:
    """Run lessons, add exercises; hand out problem sets, grade them, export the grades."""
    tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="hmr-edu course", args=args)  # ty: ignore[no-matching-overload]
