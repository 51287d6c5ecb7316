"""`hmr-edu course`: execute lessons; release, grade, feedback and export problem sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

COURSE = Path("course")


def execute(notebooks: Annotated[tuple[Path, ...], tyro.conf.Positional]) -> None:
    """Run notebooks from top to bottom and write them back, ready to be committed.

    Args:
        notebooks: the .ipynb files.
    """
    from hmr_edu.course.notebooks import execute_all

    for path in notebooks:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such notebook")
    execute_all(notebooks)


def release(
    sets: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    course: Path = COURSE,
    lessons: Path = Path("notebooks"),
) -> None:
    """Make problem sets: the learners' copies, the instructor's, and a zip to hand out.

    Args:
        sets: ps1, ps2, ...; all when left out.
        course: the course folder, made when it does not exist.
        lessons: the folder of the solved lessons.
    """
    classroom = _classroom()
    for path in classroom.release(course, lessons, sets):
        print(path)


def grade(
    submissions: Annotated[Path, tyro.conf.Positional],
    course: Path = COURSE,
) -> None:
    """Grade STUDENT/ps1/*.ipynb in a folder, each function in a process of its own.

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
        sets: ps1, ps2, ...; all when left out.
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
    "release": release,
    "grade": grade,
    "feedback": feedback,
    "export": export,
}


def command(args: Sequence[str]) -> None:
    """Run lessons; hand out problem sets, grade them, write feedback, export the grades."""
    tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="hmr-edu course", args=args)  # ty: ignore[no-matching-overload]
