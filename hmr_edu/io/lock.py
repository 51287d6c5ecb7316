"""One process at a time: a lock that the system frees when its process ends, killed or not."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder


@contextmanager
def lock(path: Path, busy: str) -> Generator[None]:
    """Hold a lock while the block runs.

    `path` is an empty file, made where there is none, which stays. Raises DataError with the text
    `busy` where another process holds the lock.
    """
    check_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(path).acquire(blocking=False)
    except Timeout:
        raise DataError(busy) from None
    with held:
        yield
