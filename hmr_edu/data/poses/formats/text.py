"""Text files of motion, read line by line: nothing of them is trusted before it is counted."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input

# Bytes of the largest file, and of its longest line.
LARGEST = 2**27
LONGEST = 2**18


class Lines:
    """The lines of a text file, without blanks, comments and what stands around the words."""

    def __init__(self, path: Path, what: str, comment: str = "#") -> None:
        self.path = check_input(path, what)
        size = self.path.stat().st_size
        if size > LARGEST:
            raise DataError(f"{path}: {size:,} bytes; at most {LARGEST:,} are read")
        self.comment, self.number = comment, 0

    def __iter__(self) -> Iterator[str]:
        # Any byte is a letter of Latin-1; what has no business here fails as a word.
        with self.path.open(encoding="latin-1") as file:
            while line := file.readline(LONGEST):
                self.number += 1
                if len(line) == LONGEST:
                    raise self.error(f"a line of more than {LONGEST:,} characters")
                text = line.strip()
                if text and not text.startswith(self.comment):
                    yield text

    def error(self, reason: str) -> DataError:
        """Return the error that names the file and the line that was read last."""
        return DataError(f"{self.path}: line {self.number}: {reason}")

    def numbers(self, words: list[str], count: int, what: str) -> list[float]:
        """Return `count` finite numbers; raise DataError where there are others."""
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != count or not np.isfinite(values).all():
            said = " ".join(words)
            raise self.error(f"{what} needs {count} numbers, found {said!r:.60}")
        return values


def read_table(lines: Lines, rest: Iterator[str], columns: int) -> Float64[np.ndarray, "T columns"]:
    """Read the numbers that are left as rows of `columns`; NaN may be among them."""
    if not columns:
        raise lines.error("there are no channels")
    numbers = array("d")
    for line in rest:
        try:
            numbers.extend([float(word) for word in line.split()])
        except ValueError:
            raise lines.error(f"numbers were expected, found {line!r:.60}") from None
    if len(numbers) % columns:
        raise lines.error(f"{len(numbers):,} numbers are no rows of {columns}; the file is cut?")
    return np.frombuffer(numbers, np.float64).reshape(-1, columns)
