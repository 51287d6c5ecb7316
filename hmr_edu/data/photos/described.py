"""What an annotation file says of a person, and checks of the values in such files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hmr_edu.io.big_json import Entries
from hmr_edu.io.errors import DataError

# Largest coordinate, in pixels; every picture is smaller.
FARTHEST = 1e9


class Described(NamedTuple):
    """A person as a file describes one.

    `file` is the picture's name, `size` its recorded width and height, `box` is (x0, y0, x1, y1) in
    pixels, `named` holds the keypoints by name, `where` is the place in the file.
    """

    file: str
    size: tuple[int, int] | None
    box: Sequence[float] | None
    named: Mapping[str, Sequence[float]]
    where: str


def finite_numbers(values: Any, count: int, what: str) -> list[float]:
    """Return a list of finite numbers; raise DataError that says what was expected."""
    numbers = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < FARTHEST for v in values
    )
    if not numbers or len(values) != count:
        raise DataError(f"{what} must be {count} finite numbers, not {values!r:.60}")
    return [float(value) for value in values]


def plain(values: Any) -> Any:
    """Return numbers as JSON has them: tuples, arrays and tensors as lists; the rest as it is."""
    if hasattr(values, "tolist"):
        return values.tolist()
    return [plain(value) for value in values] if isinstance(values, list | tuple) else values


def picture_size(width: Any, height: Any, where: str) -> tuple[int, int]:
    """Return a recorded size; raise DataError unless it is two positive whole numbers."""
    width, height = finite_numbers([width, height], 2, f"{where}: `width` and `height`")
    if min(width, height) < 1 or width % 1 or height % 1:
        raise DataError(
            f"{where}: `width` and `height` must be positive whole numbers, not "
            f"{width:g} and {height:g}"
        )
    return int(width), int(height)


def objects(values: Any, what: str) -> Sequence[dict[str, Any]]:
    """Return a list of JSON objects; raise DataError that names what is not one."""
    if not isinstance(values, list | Entries):
        raise DataError(f"{what} must be a list, not {values!r:.60}")
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            raise DataError(f"{what}: entry {number} is not an object")
    return values


def check_keys(value: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raise DataError that names a key which a format of our own does not have."""
    unknown = [key for key in value if key not in known]
    if unknown:
        listed = ", ".join(f"`{key}`" for key in known)
        raise DataError(f"{where}: {unknown[0]!r:.60} is not known; {listed} are")
