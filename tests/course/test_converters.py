"""nbgrader's errors, which may have a hundred lines: their first meaning, once."""

import errno
import logging
import shutil
import sys

import pytest

pytest.importorskip("nbgrader")

from helpers.released import release

from hmr_edu.course.grading import classroom, preprocessors
from hmr_edu.course.grading.converters import run
from hmr_edu.io.errors import DataError


class Fails:
    """A converter that fails as some of nbgrader's do."""

    log = None
    error: BaseException = ValueError("\n".join(["", "the gradebook is locked", *["more"] * 99]))
    logged = ""

    def __init__(self, **options):
        self.options = options

    def start(self):
        if self.logged:
            self.log.error(self.logged)
        raise self.error


class FailsAloud(Fails):
    error = SystemExit(1)
    logged = "Traceback (most recent call last):\n  a line\nOSError: no such notebook"


class FailsInSilence(Fails):
    error = KeyError()


@pytest.mark.parametrize(
    ("converter", "told"),
    [
        (Fails, "the gradebook is locked"),
        (FailsAloud, "OSError: no such notebook"),
        (FailsInSilence, "KeyError"),
    ],
)
def test_an_error_is_one_line(tmp_path, converter, told):
    logging.getLogger("hmr_edu.course").disabled = True  # as `logging.config.fileConfig` does
    with pytest.raises(DataError) as caught:
        run(converter, tmp_path, "ps1", "ada")
    assert str(caught.value) == told


class IsCancelled(Fails):
    """As nbgrader does on Ctrl-C."""

    def start(self):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.log.error("Canceled")
            sys.exit(1)


def test_ctrl_c_is_no_fault_of_a_submission(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(IsCancelled, tmp_path, "ps1", "ada")


class FindsADiskFull(Fails):
    error = SystemExit(1)
    logged = "Traceback (most recent call last):\n  a line\nOSError: [Errno 28] No space left"


class FindsAGradebookFull(Fails):
    error = ValueError("There was an error accessing the nbgrader database.")
    logged = (
        "Traceback (most recent call last):\n  a line\nsqlalchemy.exc.OperationalError: "
        "(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT]\n(Background: https)"
    )


@pytest.mark.parametrize("converter", [FindsADiskFull, FindsAGradebookFull])
def test_a_full_disk_is_no_fault_of_a_submission(tmp_path, converter):
    with pytest.raises(OSError, match="No space left on device") as caught:
        run(converter, tmp_path, "ps1", "ada")
    assert caught.value.errno == errno.ENOSPC


def test_a_grading_ends_where_the_disk_is_full(tmp_path, monkeypatch):
    course, handed = release(tmp_path / "course", "ps1"), tmp_path / "handed"
    (course / "gradebook.db").touch()
    preprocessors.course_config(str(course))  # nbgrader then finds its programs
    for student in ("ada", "bob"):
        shutil.copytree(course / "release" / "ps1", handed / student / "ps1")
    tried = []

    def full(converter, folder, name, student, submitted):
        tried.append(student)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(classroom, "run", full)
    with pytest.raises(OSError, match="No space left"):
        classroom.grade(course, handed, say=lambda line: None)
    assert tried == ["ada"]
