"""Read npz files of plain arrays; every problem of a file is one clear error.

The headers are read first. Nothing is unpacked before they say that it fits: three megabytes can
hold three gigabytes of zeros.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input

# Bytes that the arrays of a file may have in memory, unless its format says something else.
LARGEST = 2**30
_MAGIC = b"\x93NUMPY"


class Header(NamedTuple):
    """Shape and type of an array that has not been read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def array_names(path: str | Path) -> set[str]:
    """Return the names of the arrays in an npz file; none when it is no archive.

    Raises FileNotFoundError when there is no such file, DataError when it is no file.
    """
    path = check_input(path, "such file:")
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except Exception:  # `read_arrays` says what is wrong with it
        return set()


def read_arrays(
    path: str | Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    check: Callable[[Mapping[str, Header]], None] | None = None,
    largest: int = LARGEST,
) -> dict[str, np.ndarray]:
    """Read the named arrays of an npz file; nothing in the file is executed (no pickle).

    Raises FileNotFoundError when there is no such file, DataError (naming the file and the array)
    when it is not an npz, is cut short or damaged, lacks a required array, or is too large.

    Args:
        path: the file.
        required: names of the arrays that it must hold.
        optional: names of the arrays that it may hold.
        check: called with the headers before anything is unpacked; raises DataError.
        largest: bytes that the named arrays may have in memory.
    """
    path = check_input(path, "such file:")
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                raise DataError("a single array, not an npz archive of named arrays")
            with zipfile.ZipFile(file) as archive:
                return _read(archive, required, optional, check, largest)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    # A damaged file fails in zipfile, zlib, numpy or Python's own tokenizer, each in its own way.
    except Exception as error:
        reason = first_meaning(error)
        raise DataError(f"{path}: damaged, or not an npz of plain arrays ({reason})") from None


def _read(
    archive: zipfile.ZipFile,
    required: Sequence[str],
    optional: Sequence[str],
    check: Callable[[Mapping[str, Header]], None] | None,
    largest: int,
) -> dict[str, np.ndarray]:
    """Read an open archive; see `read_arrays`. Errors do not name the file."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    missing = [key for key in required if key not in members]
    if missing:
        held = ", ".join(members) or "nothing"
        raise DataError(f"the array {missing[0]!r} is missing (found: {held:.200})")
    wanted = [key for key in (*required, *optional) if key in members]
    headers = {}
    for key in wanted:
        with archive.open(members[key]) as member:
            headers[key] = read_header(member, key)
            if member.tell() + headers[key].nbytes != members[key].file_size:
                raise DataError(f"the array {key!r} is damaged: its size is not that of its shape")
    total = sum(header.nbytes for header in headers.values())
    if total > largest:
        raise DataError(
            f"its arrays have {total / 2**20:,.0f} MiB, such a file at most "
            f"{largest / 2**20:,.0f} MiB"
        )
    if check is not None:
        check(headers)
    arrays = {}
    for key in wanted:
        with archive.open(members[key]) as member:
            arrays[key] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


def read_header(member: Any, key: str, objects: bool = False) -> Header:
    """Read the header of an npy member; raise DataError where it is no plain array.

    `objects` allows Python's own objects, which follow as a pickle.
    """
    try:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        shape, fortran, dtype = (read if major == 1 else np.lib.format.read_array_header_2_0)(
            member
        )
    except (ValueError, OSError, TypeError, RecursionError, MemoryError, SyntaxError) as error:
        raise DataError(f"{key!r} is no array ({first_meaning(error)})") from None
    if dtype.hasobject and not objects:
        raise DataError(f"the array {key!r} holds Python objects, which are not read (no pickle)")
    if any(n < 0 for n in shape):
        raise DataError(f"the array {key!r} has the shape {shape}")
    return Header(shape, dtype, fortran)
