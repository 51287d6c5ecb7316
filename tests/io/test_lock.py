"""Locks: one process holds one, and a killed process holds none."""

import os
import signal

import pytest

from hmr_edu.io.errors import DataError
from hmr_edu.io.lock import lock


def test_one_process_at_a_time_and_none_after_a_kill(tmp_path):
    path = tmp_path / "new folder" / ".lock"
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with lock(path, "busy"):
                os.write(told, b"held")
                signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(heard, 4) == b"held"
        with pytest.raises(DataError, match=r"^run 7 is busy$"), lock(path, "run 7 is busy"):
            raise AssertionError("two processes hold it")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with lock(path, "busy"):
        pass
    with lock(path, "busy"):  # and it is free again
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    words = "is a file, where a folder should be"
    with pytest.raises(DataError, match=words), lock(tmp_path / "file" / ".lock", "busy"):
        pass
