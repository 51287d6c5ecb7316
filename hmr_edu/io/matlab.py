"""Read MATLAB's files of version 5 to 7.2; every problem of a file is one clear error.

The files are compressed: a few megabytes can hold gigabytes. Their size is counted first.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy import io

from hmr_edu.io.errors import DataError, first_meaning, naming
from hmr_edu.io.files import check_input

# Bytes of all that a file holds, unpacked; values within values.
LARGEST = 2**31
DEEPEST = 50
# The file's header, and the types of its parts: https://www.mathworks.com/help/pdf_doc/matlab/
# matfile_format.pdf.
HEADER = 128
MATRIX, COMPRESSED = 14, 15
PART = 2**20


def read_matlab(path: str | Path, what: str, names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a file: arrays; structures as dicts; cells as arrays of objects or lists.

    Dimensions of size 1 are dropped where they are in structures.

    Raises FileNotFoundError that says `what` is missing, DataError that names the file when it is
    damaged, lacks a variable, is too large, or is of version 7.3 (HDF5).
    """
    path = check_input(path, what)
    with naming(path):
        try:
            _check(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd but readable variables
                content = io.loadmat(str(path), variable_names=list(names), simplify_cells=True)
        except DataError:
            raise
        # A damaged file fails anywhere in scipy, each in its own way.
        except (Exception, RecursionError) as error:
            reason = first_meaning(error)
            raise DataError(f"damaged, or no MATLAB file of {what} ({reason})") from None
        if missing := [name for name in names if name not in content]:
            held = ", ".join(name for name in content if not name.startswith("__")) or "nothing"
            raise DataError(f"the variable {missing[0]!r} is missing (found: {held:.200})")
    return content


def _check(path: Path) -> None:
    """Raise DataError on HDF5, on what is no MATLAB file, on too much or too deep content."""
    length = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(HEADER)
        if header[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in header:
            raise DataError(
                "a MATLAB file of version 7.3 (HDF5), which is not read: save it with -v7"
            )
        if len(header) < HEADER or header[126:128] not in (b"IM", b"MI"):
            raise DataError("not a MATLAB file of version 5 to 7.2")
        order = "little" if header[126:128] == b"IM" else "big"
        total = 0
        while tag := file.read(8):
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            if kind not in (MATRIX, COMPRESSED):
                raise DataError(f"damaged: a part of kind {kind}")
            if file.tell() + size > length:
                raise DataError("it is cut short")
            content = _Part(file, size, kind == COMPRESSED)
            total = _walk(content, order, total)


class _Part:
    """The bytes of one variable, unpacked piece by piece."""

    def __init__(self, file: Any, size: int, compressed: bool) -> None:
        self.file, self.left = file, size
        self.unpack = zlib.decompressobj() if compressed else None
        self.ready, self.compressed = b"", compressed

    def read(self, count: int) -> bytes:
        """Return so many bytes, or what there is of them."""
        parts, have = [self.ready[:count]], min(count, len(self.ready))
        self.ready = self.ready[count:]
        while have < count and (piece := self._piece(count - have)):
            parts.append(piece[: count - have])
            self.ready = piece[count - have :]
            have += len(parts[-1])
        return b"".join(parts)

    def skip(self, count: int) -> int:
        """Pass over bytes, and return how many there were."""
        passed = 0
        while passed < count and (piece := self.read(min(PART, count - passed))):
            passed += len(piece)
        return passed

    def finish(self) -> None:
        """Go to the end of the variable in the file."""
        self.file.seek(self.left, 1)
        self.left = 0

    def _piece(self, wanted: int) -> bytes:
        while True:
            if self.unpack is None:
                content = self.file.read(min(self.left, max(wanted, 1)))
                self.left -= len(content)
                return content
            if self.unpack.unconsumed_tail:
                packed = self.unpack.unconsumed_tail
            else:
                packed = self.file.read(min(self.left, PART))
                self.left -= len(packed)
            if not packed:
                return b""
            if content := self.unpack.decompress(packed, PART):
                return content
            if self.unpack.eof:
                return b""


def _walk(content: _Part, order: Any, total: int) -> int:
    """Return the size with that of one variable; DataError where it is too large, or too deep.

    A matrix of cells or structures holds matrices. Of all others the parts are passed over.
    """
    ends: list[int] = []  # where the open matrices end
    place = 0
    if content.compressed:
        tag = content.read(8)
        place += len(tag)
        if len(tag) == 8:
            ends.append(place + int.from_bytes(tag[4:], order))
    else:
        ends.append(content.left)
    while ends:
        if place >= ends[-1]:
            ends.pop()
            continue
        tag = content.read(8)
        place += len(tag)
        if len(tag) < 8:
            break
        kind = int.from_bytes(tag[:4], order)
        if kind >> 16:  # a small part: its bytes are in the tag
            continue
        size = int.from_bytes(tag[4:], order)
        if kind == MATRIX:
            ends.append(place + size)
            if len(ends) > DEEPEST:
                raise DataError(f"values nested deeper than {DEEPEST}")
            continue
        size += -size % 8
        if total + place + size > LARGEST:
            raise DataError(f"it unpacks to more than {LARGEST:,} bytes")
        passed = content.skip(size)
        place += passed
        if passed < size:
            break
    content.finish()
    return total + place
