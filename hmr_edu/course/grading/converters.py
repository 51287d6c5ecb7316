"""Running nbgrader's converters on one submission, with one line of error."""

from __future__ import annotations

import errno
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning

from hmr_edu.course.grading.preprocessors import course_config
from hmr_edu.io.errors import DataError, first_meaning


def run(converter: type, folder: Path, name: str, student: str, submitted: str = "") -> None:
    """Run a converter on one problem set; DataError when it fails, whatever it raises.

    What is no fault of a notebook stays what it was: KeyboardInterrupt on Ctrl-C, where nbgrader
    says that it is cancelled and exits, and OSError on a full disk.

    Args:
        converter: nbgrader's class.
        folder: the course folder.
        name: the problem set.
        student: as nbgrader writes the student down, or "*".
        submitted: the folder in the course folder that holds what was handed in.
    """
    with plainly_named(folder) as root:
        config = course_config(str(root))
        if submitted:
            config.CourseDirectory.submitted_directory = submitted
        course = CourseDirectory(config=config)
        course.assignment_id, course.student_id = name, student
        app = converter(coursedir=course, config=config, force=True)
        app.log = logging.getLogger("hmr_edu.course")
        app.log.addHandler(logging.NullHandler())
        app.log.propagate = False
        app.log.disabled = False  # as other programs' set-up of logging may leave it
        said = _Said()
        app.log.addHandler(said)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SAWarning)  # nbgrader's order of adding rows
                app.start()
        except (Exception, SystemExit) as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # nbgrader ends on Ctrl-C
                raise KeyboardInterrupt from None
            raise _failure(first_meaning(said.last or error)) from error
        finally:
            app.log.removeHandler(said)


@contextmanager
def plainly_named(folder: Path) -> Generator[Path]:
    """Lead nbgrader to a course folder by a path that it takes for no pattern and no address."""
    folder = folder.resolve()
    if not re.search(r"[*?\[\]%]", str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        link = Path(temporary) / "course"
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _failure(told: str) -> Exception:
    """Return the error that a converter's last words tell of."""
    system = re.match(r"OSError: \[Errno (\d+)\]", told)
    if system or "(sqlite3.OperationalError) database or disk is full" in told:
        number = int(system[1]) if system else errno.ENOSPC
        return OSError(number, os.strerror(number))
    return DataError(told)


class _Said(logging.Handler):
    """Keeps the reason that a converter gives when it fails: the error of a traceback."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        if record.levelno >= logging.ERROR and (not self.last or text.startswith("Traceback")):
            # A traceback's last part: places, which are indented, then the error. More may follow.
            *_, last = text.split("Traceback (most recent call last):\n")
            lines = last.splitlines()
            traced = text.startswith("Traceback")
            self.last = next((s for s in lines if traced and s[:1] != " "), lines[-1])
