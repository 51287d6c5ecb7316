"""A course folder and the four things done with it: release, grade, feedback, export.

The folder is nbgrader's: `source` (the instructor's notebooks), `release` (the learners'),
`submitted`, `autograded`, `feedback`, `gradebook.db`. nbgrader's own commands work in it.
"""

from __future__ import annotations

import csv
import logging
import shutil
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from hmr_edu.course.grading.preprocessors import course_config, sandbox
from hmr_edu.course.grading.release import problem_sets, write_source, write_zip
from hmr_edu.course.grading.sandbox import says
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("ID number", "Email address")
CONFIG = '''\
"""nbgrader's configuration of this course; written by `hmr-edu course release`."""

from pathlib import Path

from hmr_edu.course.grading.preprocessors import course_config

c = get_config()  # noqa: F821 - nbgrader provides it
c.merge(course_config(str(Path(__file__).parent)))
'''


def release(folder: Path, lessons: Path, names: Sequence[str] = ()) -> list[Path]:
    """Make the named problem sets, or all: returns the zips to hand out."""
    sets = problem_sets(lessons)
    unknown = [name for name in names if name not in sets]
    if unknown:
        raise DataError(f"no problem set {unknown[0]!r}; there are {', '.join(sets)}")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nbgrader_config.py"
    if not config.exists():  # the instructor may have added to it
        with atomic_write(config) as temporary:
            temporary.write_text(CONFIG)
    zips = []
    for name in tqdm(names or sets, unit="set"):
        write_source(sets[name], folder / "source" / name)
        _run(GenerateAssignment, folder, name, "*")
        zips.append(write_zip(folder / "release" / name, folder / "handout" / f"{name}.zip"))
    return zips


def grade(folder: Path, submissions: Path, say: Callable[[str], None] = print) -> list[str]:
    """Grade `submissions/STUDENT/PS/*.ipynb`; returns what could not be graded, and why.

    Raises DataError where there is nothing to grade, and on systems without Linux's limits.
    """
    found = sorted({path.parent for path in submissions.glob("*/*/*.ipynb")})
    if not found:
        raise DataError(f"{submissions}: nothing like STUDENT/ps1/NOTEBOOK.ipynb in it")
    say(f"submissions run in {says(sandbox().kind)}")
    failed = []
    for number, path in enumerate(found, 1):
        student, name = path.parent.name, path.name
        if not (folder / "release" / name).is_dir():
            failed.append(f"{student} {name}: no such problem set was released")
            continue
        try:
            _collect(path, folder / "submitted" / student / name)
            _run(Autograde, folder, name, student)
            say(f"[{number}/{len(found)}] {student} {name}: {_score(folder, name, student)}")
        except (DataError, OSError) as error:  # shutil.Error is an OSError
            failed.append(f"{student} {name}: {error}")
            say(f"[{number}/{len(found)}] {failed[-1]}")
    return failed


def _collect(path: Path, mine: Path) -> None:
    """Copy a submission to where nbgrader grades it.

    Raises DataError at a link: what it leads to would be copied, and shown in the feedback. Raises
    DataError at what is neither a file nor a folder, too: reading it may never end.
    """
    for found in (path.parent, path, *path.rglob("*")):
        if found.is_symlink() or not (found.is_file() or found.is_dir()):
            what = "a link" if found.is_symlink() else "no regular file"
            raise DataError(f"{found.name} is {what}; hand in files and folders only")
    if mine.resolve() != path.resolve():
        shutil.copytree(path, mine, dirs_exist_ok=True, symlinks=True)


def feedback(folder: Path, names: Sequence[str] = ()) -> Path:
    """Write a page for every graded notebook; returns their folder.

    Raises DataError where nothing was graded, in the whole course or of a set that is named.
    """
    graded = sorted((folder / "autograded").glob("*/*"))
    missing = sorted(set(names) - {path.name for path in graded})
    if missing or not graded:
        what = f"no submission of {missing[0]!r}" if missing else "nothing"
        raise DataError(f"{folder}: {what} was graded; begin with `hmr-edu course grade`")
    for path in tqdm([p for p in graded if not names or p.name in names], unit="submission"):
        _run(GenerateFeedback, folder, path.name, path.parent.name)
    return folder / "feedback"


def export(folder: Path, path: Path) -> Path:
    """Write the grades as CSV: a row a student; the columns that Canvas and Moodle look for."""
    with _gradebook(folder) as gradebook:
        sets = sorted(str(assignment.name) for assignment in gradebook.assignments)
        rows = []
        for student in gradebook.students:
            scores = [_of(gradebook, folder, name, str(student.id)) for name in sets]
            rows.append((student, scores))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*CANVAS, *MOODLE, *sets])
        for student, scores in rows:
            name = ", ".join(str(part) for part in (student.last_name, student.first_name) if part)
            canvas = [name or student.id, "", student.id, student.id, ""]
            writer.writerow([*canvas, student.id, student.email or "", *scores])
    return path


def _of(gradebook: Gradebook, folder: Path, name: str, student: str) -> str:
    # nbgrader writes a submission down, with 0, before it grades it.
    if not (folder / "autograded" / student / name).is_dir():
        return ""
    try:
        return f"{gradebook.find_submission(name, student).score:g}"
    except MissingEntry:
        return ""


def _score(folder: Path, name: str, student: str) -> str:
    with _gradebook(folder) as gradebook:
        submission = gradebook.find_submission(name, student)
        return f"{submission.score:g} of {submission.max_score:g}"


@contextmanager
def _gradebook(folder: Path) -> Generator[Gradebook]:
    path = folder / "gradebook.db"
    if not path.is_file():
        raise DataError(f"{folder}: no course here; begin with `hmr-edu course release`")
    with Gradebook(f"sqlite:///{path.resolve()}") as gradebook:
        yield gradebook


def _run(converter: type, folder: Path, name: str, student: str) -> None:
    """Run one of nbgrader's converters on one problem set; DataError when it fails."""
    config = course_config(str(folder.resolve()))
    course = CourseDirectory(config=config)
    course.assignment_id, course.student_id = name, student
    app = converter(coursedir=course, config=config, force=True)
    app.log = logging.getLogger("hmr_edu.course")
    app.log.addHandler(logging.NullHandler())
    app.log.propagate = False
    said = _Said()
    app.log.addHandler(said)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's order of adding rows
            app.start()
    except (Exception, SystemExit) as error:
        raise DataError(said.last or str(error)) from error
    finally:
        app.log.removeHandler(said)


class _Said(logging.Handler):
    """Keeps the reason that a converter gives when it fails: the last line of a traceback."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        if record.levelno >= logging.ERROR and (not self.last or text.startswith("Traceback")):
            self.last = text.splitlines()[-1]
