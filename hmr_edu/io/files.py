"""Write files so that a reader never sees half of one."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from hmr_edu.io.errors import DataError

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

# The suffixes that a drawn picture may have.
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
# What is found where a file should be, by its kind. To open a named pipe is to wait for ever.
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Names of the files that are being written, and the seconds for which nobody else touches them.
_WRITING = ".writing-"
_OURS = re.compile(rf"{re.escape(_WRITING)}[a-z0-9_]{{8}}(\.\w+)?")
_FRESH = 60 if fcntl else 86_400
# The longest name of a file or folder, in bytes.
_LONGEST_NAME = 200


def check_input(path: str | Path, what: str = "file") -> Path:
    """Return the path of a file that can be read; call it before a file is opened.

    Raises FileNotFoundError that says `what` is missing, DataError when something else is there: a
    folder, a named pipe, a device, a link to itself.
    """
    path = Path(path)
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"no {what} {path}") from None
    except (OSError, ValueError) as error:  # a link to itself, a name too long, a zero in it
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    if kind != stat.S_IFREG:
        raise DataError(f"{path}: {KINDS.get(kind, 'something else')}, where a file should be")
    return path


def is_there(path: Path) -> bool:
    """Return whether a path exists. A file may name what no disk can hold: that is nowhere."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be read
        return False


def check_name(name: str, option: str) -> None:
    """Raise DataError, naming the option, where a name is no name of one file or folder."""
    windows = PureWindowsPath(name)
    parts = {*PurePosixPath(name).parts, *windows.parts, windows.name}
    if parts != {name} or name in (".", "..") or not name.isprintable() or not name.strip():
        raise DataError(f"{option} must be the name of one file or folder, not {name!r:.60}")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise DataError(f"{option} must have at most {_LONGEST_NAME} bytes, not {len(name)}")


def printable(text: str) -> str:
    """Replace what no UTF-8 file can hold.

    A file's name may be any bytes, and JSON may name half of a character: Python keeps both.
    """
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


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
    several writers choose their format by it. Parent folders are made. What earlier writers
    left when they were killed is removed.

    Raises OSError that names `path` where the disk is full, whatever the block raised.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    handle, name = tempfile.mkstemp(prefix=_WRITING, suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        if fcntl:
            with suppress(OSError):  # some network file systems know no locks
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.close(handle)
        try:
            yield temporary
        except Exception as error:
            _explain_full_disk(temporary, path, error)
            raise
        # mkstemp makes private files; a run's records are as readable as any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb+") as written:  # Windows flushes only what may be written
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        if fcntl:
            os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove what `atomic_write` left in a folder when its process was killed.

    A file that somebody still writes is locked, or has changed in the last minute; it stays. A file
    from the future is of a clock that was set back since.
    """
    for path in folder.glob(f"{_WRITING}*"):
        with suppress(OSError):
            if not _OURS.fullmatch(path.name) or not stat.S_ISREG(path.lstat().st_mode):
                continue
            if abs(time.time() - path.lstat().st_mtime) < _FRESH:
                continue
            if fcntl:
                with path.open("rb") as left:
                    fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _explain_full_disk(temporary: Path, path: Path, error: Exception) -> None:
    """Raise the file system's own error where it takes no more bytes.

    PyTorch and safetensors hide it in messages of their own, with up to 30 lines.
    """
    try:
        with temporary.open("ab") as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as full:
        raise OSError(full.errno, f"cannot be written, {full.strerror}", str(path)) from None
    # safetensors gives the space back before it fails, and only says why.
    said = re.search(r"\(os error (\d+)\)", str(error))
    number = error.errno if isinstance(error, OSError) else said and int(said[1])
    if number and getattr(error, "filename", None) is None:
        reason = f"cannot be written, {os.strerror(number)}"
        raise OSError(number, reason, str(path)) from None
