"""Make arrays of the lists that a file holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmr_edu.io.errors import DataError


def as_numbers(value: Any, what: str) -> np.ndarray:
    """Return an array of numbers, or of lists of numbers; an array of anything stays what it is.

    Raises DataError, which begins with `what`, where something else is among them: in an array of
    texts each takes as many bytes as the longest, gigabytes for a file of a hundred kilobytes.
    """
    if isinstance(value, np.ndarray):
        return value
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, list | tuple):
            left.extend(part)
        elif not isinstance(part, int | float | np.number | np.bool_ | np.ndarray) or (
            isinstance(part, np.ndarray) and part.dtype.kind not in "biuf"
        ):
            raise DataError(f"{what} must hold numbers, not {type(part).__name__}")
    try:
        return np.array(value)
    except ValueError:
        raise DataError(f"{what} is no array: its rows differ in length") from None
