"""Ranges of options, written beside their definitions: `threads: Annotated[int, Range(0)]`.

The training core runs where only PyTorch and its companions are installed, so this module does
without pydantic.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
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
        """Return whether a number, or each number of a tuple, lies in the range.

        NaN and the infinite never do.
        """
        if value is None:
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if isinstance(value, tuple):
            in_order = not self.ordered or all(a <= b for a, b in pairwise(value))
            return in_order and all(map(self.allows, value))
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        """Describe in words what the option must be."""
        if self.high == math.inf:
            words = f"more than {_end(self.low)}" if self.open_low else f"{_end(self.low)} or more"
        elif self.open_low or self.open_high:
            low = "above" if self.open_low else "at least"
            high = "below" if self.open_high else "at most"
            words = f"{low} {_end(self.low)} and {high} {_end(self.high)}"
        else:
            words = f"between {_end(self.low)} and {_end(self.high)}"
        return f"two numbers, each {words}, the smaller first" if self.ordered else words


def _end(value: float | int) -> str:
    """Write an end of a range: whole numbers in full."""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:g}"


# Whole numbers from 1 on, as many as a machine can have of it, and shares of 1.
Count = Annotated[int, Range(1)]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, open_low=True)]
Probability = Annotated[float, Range(0, 1)]
# Relative to the default, which is 1.
Strength = Annotated[float, Range(0, 10)]
# The seeds of test sets begin above.
Seed = Annotated[int, Range(0, 2**32 - 1)]
# 0 leaves the number to PyTorch. More than this no machine starts.
Threads = Annotated[int, Range(0, 1024)]
# Pictures, people, poses.
Many = Annotated[int, Range(1, 10_000_000)]


def check_ranges(config: Any, prefix: str = "") -> None:
    """Check every option of a dataclass, nested ones included, against its range.

    Raises DataError that names the first option outside its range, its value and the range.
    `prefix` is put before the option's name; after "--" the name is as on the command line.
    """
    hints = get_type_hints(type(config), include_extras=True)
    for option in fields(config):
        value = getattr(config, option.name)
        name = prefix + option.name
        if is_dataclass(value):
            check_ranges(value, f"{name}.")
            continue
        _check(name, value, hints[option.name])


def ranged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the arguments of a command against the ranges beside them, before it runs.

    Raises DataError that names the first option outside its range, its value and the range.
    """
    hints = get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        for name, value in inspect.signature(function).bind(*args, **options).arguments.items():
            _check(f"--{name}", value, hints.get(name))
        return function(*args, **options)

    return checked


def _check(name: str, value: Any, annotation: Any) -> None:
    for range_ in getattr(annotation, "__metadata__", ()):
        if isinstance(range_, Range) and not range_.allows(value):
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            finite = "" if range_.high < math.inf or not _endless(value) else " and finite"
            said = name.replace("_", "-") if name.startswith("--") else name
            raise DataError(f"{said} must be {range_}{finite}, not {shown:.60}")


def _endless(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)
