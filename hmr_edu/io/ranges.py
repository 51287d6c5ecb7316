"""Ranges of options, written beside their definitions: `threads: Annotated[int, Range(0)]`.

The training core runs where only PyTorch and its companions are installed, so this module does
without pydantic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Annotated, Any, get_type_hints

from hmr_edu.io.errors import DataError


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`.

    An end is part of the range unless it is open. A tuple is in the range when all its numbers are.
    None is an option that is not set, and is always allowed.

    Args:
        low: the lower end.
        high: the upper end.
        open_low: whether `low` itself is excluded.
        open_high: whether `high` itself is excluded.
        ordered: whether the numbers of a tuple must also be in ascending order.
    """

    low: float | int
    high: float | int = math.inf
    open_low: bool = False
    open_high: bool = False
    ordered: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a number, or each number of a tuple, lies in the range; NaN never does."""
        if value is None:
            return True
        if isinstance(value, tuple):
            in_order = not self.ordered or all(a <= b for a, b in pairwise(value))
            return in_order and all(map(self.allows, value))
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high or self.high == math.inf else value <= self.high
        return above and below

    def __str__(self) -> str:
        """Describe in words what the option must be."""
        if self.high == math.inf:
            words = f"more than {self.low:g}" if self.open_low else f"{self.low:g} or more"
        elif self.open_low or self.open_high:
            low = "above" if self.open_low else "at least"
            high = "below" if self.open_high else "at most"
            words = f"{low} {self.low:g} and {high} {self.high:g}"
        else:
            words = f"between {self.low:g} and {self.high:g}"
        return f"two numbers, each {words}, the smaller first" if self.ordered else words


Count = Annotated[int, Range(1)]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, open_low=True)]
Probability = Annotated[float, Range(0, 1)]


def check_ranges(config: Any, prefix: str = "") -> None:
    """Check every option of a dataclass, nested ones included, against its range.

    Raises DataError that names the first option outside its range, its value and the range.
    `prefix` is put before the option's name.
    """
    hints = get_type_hints(type(config), include_extras=True)
    for option in fields(config):
        value = getattr(config, option.name)
        name = prefix + option.name
        if is_dataclass(value):
            check_ranges(value, f"{name}.")
            continue
        for range_ in getattr(hints[option.name], "__metadata__", ()):
            if isinstance(range_, Range) and not range_.allows(value):
                shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
                raise DataError(f"{name} must be {range_}, not {shown}")
