"""Read MATLAB's files of version 5 to 7.2; every problem of a file is one clear error.

The files are compressed: a few megabytes can hold gigabytes. Their size is counted first.
"""

from __future__ import annotations

import math
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
INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16
SIMPLE = (*range(1, 8), 9, 12, 13, 16, 17, 18)
# The classes of values.
CELLS, STRUCTURES, TEXT, SPARSE, NUMBERS, OPAQUE = 1, 2, 4, 5, range(6, 16), 17
COMPLEX = 1 << 11
# What scipy can hold, and what is enough for every data set.
MOST_DIMENSIONS, MOST_FIELDS, LONGEST_NAME = 32, 1000, 64
# Letters that a text may have without a byte, and the values in values of a small file.
SHORT, FEW = 2**16, 100_000
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
            _check(path, names)
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


def _check(path: Path, names: Sequence[str]) -> None:
    """Raise DataError on HDF5, on what is no MATLAB file, on too much or too deep content."""
    length = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(HEADER)
        if header[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in header:
            raise DataError(
                "a MATLAB file of version 7.3 (HDF5), which is not read: save it with -v7"
            )
        # A zero at the beginning is version 4 to scipy.
        if len(header) < HEADER or header[126:128] not in (b"IM", b"MI") or 0 in header[:4]:
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
            total += _Variable(content, order, max(FEW, 4 * length)).walk(names, size)
            if total > LARGEST:
                raise DataError(f"it unpacks to more than {LARGEST:,} bytes")


class _Part:
    """The bytes of one variable, unpacked piece by piece."""

    def __init__(self, file: Any, size: int, compressed: bool) -> None:
        self.file, self.left = file, size
        self.unpack = zlib.decompressobj() if compressed else None
        # Unpacked bytes, and how many of them were read: to cut off eight of a million each time
        # would take minutes.
        self.ready, self.at, self.compressed = b"", 0, compressed

    def read(self, count: int) -> bytes:
        """Return so many bytes, or what there is of them."""
        parts = [self.ready[self.at : self.at + count]]
        self.at += len(parts[0])
        have = len(parts[0])
        while have < count and (piece := self._piece(count - have)):
            parts.append(piece[: count - have])
            self.ready, self.at = piece, len(parts[-1])
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


class _Variable:
    """Walks through one variable as scipy reads it, and trusts nothing.

    scipy looks types up by the file's numbers without a check, and reserves what a file asks for.

    Args:
        content: the bytes of the variable.
        order: "little" or "big".
        most: matrices that it may have; empty ones take a thousand times less in the file.
    """

    def __init__(self, content: _Part, order: Any, most: int) -> None:
        self.content, self.order, self.most = content, order, most
        self.place, self.matrices = 0, 0

    def walk(self, names: Sequence[str], size: int) -> int:
        """Return the bytes that were passed; of a variable with another name, only its header's.

        Raises DataError where it is damaged, too large or too deep.

        Args:
            names: of the variables that will be read.
            size: of an uncompressed variable.
        """
        if self.content.compressed:
            kind, size, _ = self._tag()
            if kind != MATRIX:
                raise DataError(f"damaged: a part of kind {kind}")
        self._matrix(size, names, 0)
        self.content.finish()
        return self.place

    def _matrix(self, size: int, names: Sequence[str] | None, depth: int) -> None:
        """Pass over a matrix after its tag; `names` only for a whole variable."""
        self.matrices += 1
        if depth > DEEPEST:
            raise DataError(f"values nested deeper than {DEEPEST}")
        if self.matrices > self.most:
            raise DataError(f"more than {self.most:,} values in values")
        if size == 0:
            return
        flags = self._part(4, 2, kinds=(UINT32,))
        if len(flags) != 2:
            raise DataError("damaged: a value without a type")
        kind, imaginary = flags[0] & 255, bool(flags[0] & COMPLEX)
        if kind == OPAQUE and names is not None:  # neither shape nor name: it is not read
            return
        sizes = self._part(4, MOST_DIMENSIONS, kinds=(INT32, UINT32))
        name = bytes(self._part(1, LONGEST_NAME, kinds=(INT8, UTF8)))
        if names is not None and name.decode("latin1") not in names:
            return
        numbers = math.prod(sizes)
        if not sizes or max(sizes) >= 2**31 or numbers > LARGEST:
            raise DataError(f"damaged: a value of the shape {sizes}")
        if kind in NUMBERS:
            for _ in range(1 + imaginary):
                self._part(1, 0)
        elif kind == TEXT:
            before = self.place
            self._part(1, 0)
            if numbers > max(self.place - before, SHORT):
                raise DataError(f"damaged: a text of {numbers:,} letters without them")
        elif kind == SPARSE:
            for _ in range(3 + imaginary):
                self._part(1, 0)
        elif kind in (CELLS, STRUCTURES):
            fields = self._fields() if kind == STRUCTURES else 1
            if numbers > self.most:  # structures without fields take no bytes, but places
                raise DataError(f"more than {self.most:,} values in values")
            for _ in range(numbers * fields):
                inner, size, small = self._tag()
                if inner != MATRIX or small:
                    raise DataError(f"damaged: a part of kind {inner}, where a value should be")
                self._matrix(size, None, depth + 1)
        else:
            raise DataError(f"it holds an object or a function (kind {kind})")

    def _fields(self) -> int:
        """Return the number of a structure's fields."""
        lengths = self._part(4, 1, kinds=(INT32, UINT32))
        names = self._part(1, MOST_FIELDS * LONGEST_NAME, kinds=(INT8, UTF8))
        if len(lengths) != 1 or not 0 < lengths[0] <= LONGEST_NAME or len(names) % lengths[0]:
            raise DataError("damaged: a structure whose fields have no names")
        return len(names) // lengths[0]

    def _tag(self) -> tuple[int, int, bytes]:
        """Return the kind and the size of a part, and its bytes where they are in the tag."""
        tag = self.content.read(8)
        self.place += len(tag)
        if len(tag) < 8:
            raise DataError("it is cut short")
        kind, size = (int.from_bytes(part, self.order) for part in (tag[:4], tag[4:]))
        if not kind >> 16:
            return kind, size, b""
        if kind >> 16 > 4:
            raise DataError("damaged: a small part that is not small")
        return kind & 0xFFFF, kind >> 16, tag[4:]

    def _part(self, width: int, most: int, kinds: Sequence[int] = SIMPLE) -> list[int]:
        """Pass over a part; return at most so many whole numbers of it.

        Args:
            width: bytes of a number.
            most: numbers that it may have, where they are read.
            kinds: of which it may be.
        """
        kind, size, small = self._tag()
        if kind not in kinds:
            raise DataError(f"damaged: a part of kind {kind}")
        if most and size > width * most:
            raise DataError(f"damaged: {size:,} bytes where there are {width * most:,} at most")
        if small:
            content = small[:size]
        else:
            content = self.content.read(size) if most else b""
            rest = size - len(content) + -size % 8
            if self.place + size > LARGEST:
                raise DataError(f"it unpacks to more than {LARGEST:,} bytes")
            passed = len(content) + self.content.skip(rest)
            self.place += passed
            # The last part of a variable may lack the bytes that fill it up.
            if passed < size:
                raise DataError("it is cut short")
        starts = range(0, len(content) - width + 1, width) if most else ()
        return [int.from_bytes(content[i : i + width], self.order) for i in starts]
