"""nbgrader's errors, which may have a hundred lines: their first meaning, once."""

import logging
import sys

import pytest

pytest.importorskip("nbgrader")

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
