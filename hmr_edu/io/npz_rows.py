"""Read the arrays of an npz a few rows at a time: files that are larger than the memory."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hmr_edu.io.errors import DataError, first_meaning, naming
from hmr_edu.io.files import check_input
from hmr_edu.io.npz import Header, read_header
from hmr_edu.io.pickles import read_pickled_array

# Bytes of all named arrays together, unpacked, and of one that must be read as a whole.
LARGEST = 2**32
LARGEST_WHOLE = 2**30


class NpzRows:
    """Arrays of one length in an open npz.

    Args:
        path: the file.
        members: the open files of the arrays, after their headers.
        headers: shapes and types of the arrays.
    """

    def __init__(self, path: Path, members: dict[str, Any], headers: dict[str, Header]) -> None:
        self.path, self._members, self.headers = path, members, headers
        self.count = next(iter(headers.values())).shape[0]

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def blocks(self, rows: int) -> Iterator[dict[str, np.ndarray]]:
        """Yield all arrays, so many rows at a time; once only. Raises DataError on damage."""
        whole: dict[str, np.ndarray] = {}
        for start in range(0, self.count, rows):
            n = min(rows, self.count - start)
            with _faults(self.path):
                block = {}
                for name, header in self.headers.items():
                    if header.dtype.hasobject or (header.fortran and header.ndim > 1):
                        if name not in whole:
                            whole[name] = self._whole(name)
                        block[name] = whole[name][start : start + n]
                    else:
                        block[name] = self._next(name, n)
            yield block

    def _next(self, name: str, rows: int) -> np.ndarray:
        header = self.headers[name]
        shape = (rows, *header.shape[1:])
        content = self._members[name].read(math.prod(shape) * header.dtype.itemsize)
        return np.frombuffer(content, header.dtype).reshape(shape)

    def _whole(self, name: str) -> np.ndarray:
        header = self.headers[name]
        if header.dtype.hasobject:
            array = read_pickled_array(self._members[name])
            if array.shape != header.shape:
                raise DataError(f"the array {name!r} has another shape than its header says")
            return array
        if header.nbytes > LARGEST_WHOLE:
            raise DataError(f"the array {name!r} is too large for its order (Fortran's)")
        content = self._members[name].read(header.nbytes)
        return np.frombuffer(content, header.dtype).reshape(header.shape, order="F")


@contextmanager
def open_rows(
    path: str | Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    objects: Sequence[str] = (),
) -> Generator[NpzRows]:
    """Open the named arrays of an npz, all of one length; nothing in the file is executed.

    Raises FileNotFoundError when there is no such file, DataError, which names the file, on every
    fault of it.

    Args:
        path: the file.
        required: names of the arrays that it must hold.
        optional: names of the arrays that it may hold.
        objects: names of those that may be text in Python's own objects, as numpy pickles it.
    """
    path = check_input(path, "such file:")
    with ExitStack() as stack:
        with _faults(path):
            file = stack.enter_context(path.open("rb"))
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if missing := [key for key in required if key not in members]:
                held = ", ".join(members) or "nothing"
                raise DataError(f"the array {missing[0]!r} is missing (found: {held:.200})")
            wanted = [key for key in (*required, *optional) if key in members]
            opened = {key: stack.enter_context(archive.open(members[key])) for key in wanted}
            headers = {key: read_header(opened[key], key, key in objects) for key in wanted}
            _check(headers, {key: members[key].file_size - opened[key].tell() for key in wanted})
        yield NpzRows(path, opened, headers)


def array_names(path: str | Path) -> list[str]:
    """Return the names of the arrays in an npz. Raises as `open_rows`."""
    path = check_input(path, "such file:")
    with _faults(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


@contextmanager
def _faults(path: Path) -> Generator[None]:
    """Turn every fault of a file into a DataError that names it."""
    try:
        with naming(path):
            yield
    except DataError:
        raise
    # A damaged file fails in zipfile, zlib, numpy or Python's own tokenizer, each in its own way.
    except Exception as error:
        reason = first_meaning(error)
        raise DataError(f"{path}: damaged, or not an npz of plain arrays ({reason})") from None


def _check(headers: dict[str, Header], sizes: dict[str, int]) -> None:
    """Raise DataError on arrays that are not as long as they say, or as each other."""
    name, first = next(iter(headers.items()))
    for key, header in headers.items():
        if header.ndim == 0:
            raise DataError(f"the array {key!r} is a single value")
        if not header.dtype.hasobject and header.nbytes != sizes[key]:
            raise DataError(f"the array {key!r} is damaged: its size is not that of its shape")
        if header.shape[0] != first.shape[0]:
            raise DataError(f"{first.shape[0]} rows of {name!r}, but {header.shape[0]} of {key!r}")
    total = sum(header.nbytes for header in headers.values())
    if total > LARGEST:
        raise DataError(f"its arrays have {total / 2**20:,.0f} MiB, more than is read")
