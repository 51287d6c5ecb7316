"""nbgrader's gradebook: scores, what a new grading takes back, and the table of grades."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from hmr_edu.course.grading.converters import plainly_named
from hmr_edu.course.grading.names import Register, shown
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("ID number", "Email address")
NUMBERED = re.compile(r".+_(\d{2,})")  # how `collect` names a student of Canvas


@contextmanager
def opened(folder: Path) -> Generator[Gradebook]:
    """Open the gradebook of a course folder."""
    if not (folder / "gradebook.db").is_file():
        raise DataError(f"{folder}: no course here; begin with `hmr-edu course release`")
    with (
        plainly_named(folder) as root,
        Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook,
    ):
        yield gradebook


def score(folder: Path, name: str, student: str) -> str:
    """Return a student's points in a problem set: "20 of 32"."""
    with opened(folder) as gradebook:
        submission = gradebook.find_submission(name, student)
        return f"{submission.score:g} of {submission.max_score:g}"


def take_back(folder: Path, name: str, student: str, withdrawn: bool = False) -> None:
    """Take back what an earlier grading gave: a new one begins from what is there now.

    Points that were given by hand stay, unless the submission was `withdrawn`.
    """
    for step in ("autograded", "feedback"):
        shutil.rmtree(folder / step / student / name, ignore_errors=True)
    with opened(folder) as gradebook:
        try:
            if withdrawn:
                gradebook.remove_submission(name, student)
            else:
                for notebook in gradebook.find_submission(name, student).notebooks:
                    for grade in notebook.grades:
                        grade.auto_score = None
                gradebook.db.commit()
        except MissingEntry:
            pass


def export(folder: Path, path: Path) -> Path:
    """Write the grades as CSV: a row a student; the columns that Canvas and Moodle look for.

    Where a submission was not graded, or was withdrawn, the field is empty.
    """
    register = Register(folder)
    with opened(folder) as gradebook:
        sets = sorted(str(assignment.name) for assignment in gradebook.assignments)
        rows = []
        known = {str(student.id): student for student in gradebook.students}
        for written in sorted({*known, *register.students}):
            scores = [_of(gradebook, folder, name, written) for name in sets]
            rows.append((written, known.get(written), scores))
        with (
            atomic_write(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow([*CANVAS, *MOODLE, *sets])
            for written, student, scores in rows:
                own = shown(register.name(written))
                names = (student.last_name, student.first_name) if student else ()
                name = ", ".join(str(part) for part in names if part)
                number = NUMBERED.fullmatch(own)
                canvas = [name or own, number[1] if number else "", own, own, ""]
                writer.writerow([*canvas, own, (student and student.email) or "", *scores])
    return path


def _of(gradebook: Gradebook, folder: Path, name: str, student: str) -> str:
    # nbgrader writes a submission down, with 0, before it grades it.
    if not (folder / "autograded" / student / name).is_dir():
        return ""
    try:
        return f"{gradebook.find_submission(name, student).score:g}"
    except MissingEntry:
        return ""
