"""Unpacking a zip by a stranger: bounded, and never outside of its folder."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hmr_edu.io.errors import DataError

MEMBERS, MEMBER_BYTES, TOTAL_BYTES = 2000, 100 * 2**20, 500 * 2**20
LONGEST = 200  # bytes of a name


def unpack(path: Path, folder: Path, total: int = TOTAL_BYTES, members: int = MEMBERS) -> int:
    """Unpack a zip of at most `total` bytes and `members` files into an empty folder.

    Returns the bytes that came out.

    Raises DataError, and leaves nothing, where it is damaged, locked or too large, or where a
    member is a link or would land outside of the folder. The sizes that it states are checked
    first; what comes out is never more than it stated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            checked = _checked(archive.infolist(), total, members)
            for member, inside in checked:
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file)
                with suppress(ValueError, OverflowError, OSError):
                    seconds = time.mktime((*member.date_time, 0, 0, -1))
                    os.utime(target, (seconds, seconds))
            return sum(member.file_size for member, _ in checked)
    except DataError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # zipfile, zlib, lzma and the disk have many kinds
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError(f"cannot be unpacked: {error or type(error).__name__}") from error


def _checked(
    members: list[zipfile.ZipInfo], total: int, most: int
) -> list[tuple[zipfile.ZipInfo, Path]]:
    """Return the files to unpack, and where to, after a look at all of them."""
    if len(members) > most:
        raise DataError(f"holds {len(members):,} files, more than {most:,}")
    size = sum(member.file_size for member in members)
    largest = max((member.file_size for member in members), default=0)
    if size > total or largest > MEMBER_BYTES:
        raise DataError(f"would unpack to {size / 2**20:,.0f} MiB, which is too much")
    found: dict[Path, zipfile.ZipInfo] = {}
    for member in members:
        name = member.filename.replace("\\", "/")
        inside = PurePosixPath(name)
        mode = member.external_attr >> 16
        if inside.is_absolute() or ".." in inside.parts or re.match(r"[A-Za-z]:", name):
            raise DataError(f"holds {name!r}, which leads out of its folder")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{name!r} in it is a link, or no regular file")
        if member.flag_bits & 1:
            raise DataError("is locked with a password")
        if any(len(part.encode("utf-8", "replace")) > LONGEST for part in inside.parts):
            raise DataError("holds a name that is too long")
        if member.is_dir() or name.endswith("/") or not inside.parts:
            continue
        if Path(*inside.parts) in found:
            raise DataError(f"holds {name!r} twice")
        found[Path(*inside.parts)] = member
    return [(member, inside) for inside, member in found.items()]
