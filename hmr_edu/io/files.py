"""Write files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from hmr_edu.io.errors import DataError

# The suffixes that a drawn picture may have.
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def check_output(path: Path | None, endings: Collection[str] | None = None) -> None:
    """Raise DataError where a file cannot be written; call it before hours of work.

    `endings` are the suffixes that the file may have. A `path` of None means no file, and passes.
    """
    if path is None:
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it")
    check_folder(path.parent)
    if endings is not None and path.suffix.lower() not in endings:
        raise DataError(f"{path}: the name must end in {', '.join(endings)}")


def check_folder(path: Path) -> None:
    """Raise DataError where a folder cannot be made or written to."""
    while not path.exists():
        path = path.parent
    if not path.is_dir():
        raise DataError(f"{path} is a file, where a folder should be")
    if not os.access(path, os.W_OK):
        raise DataError(f"{path}: nothing may be written there")


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` when the block succeeds.

    The bytes reach the disk before the rename, so a crash at any moment leaves the old file
    or the new one, never a mixture. The temporary file keeps the suffix of `path`, because
    several writers choose their format by it. Parent folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a run's records are as readable as any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb+") as written:  # Windows flushes only what may be written
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
