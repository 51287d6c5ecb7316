"""What a person has in each column of a `PeopleTable`, and checks of the shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from hmr_edu.io.errors import DataError, first_meaning

# Labels in 3D that a table may lack, and the shape of one person's.
LABELS = {"keypoints3d": (19, 3), "pose": (72,), "betas": (10,)}
SHAPES = {"crops": (3,), "keypoints2d": (19, 2), "visible": (19,), **LABELS}
_ORDER = "give the 19 keypoints of COCO+ in its order (`mapping` in hmr_edu/keypoints.py)"
REMEDIES = {
    "crops": "give the centre x, y and the side",
    "keypoints2d": _ORDER,
    "visible": _ORDER,
    "keypoints3d": f"{_ORDER}, NaN where one is not known",
    "pose": "give the axis-angle of SMPL's 24 joints, flattened to 72 numbers: pose.reshape(72)",
    "betas": "give the first 10 of SMPL",
}


def one_row(name: str, value: Any, who: str) -> Float32[np.ndarray, "..."]:
    """Return what one person has in a column, as an array.

    Raises DataError that names the column, the shape and what to do.
    """
    if name not in SHAPES:
        raise DataError(f"{who}: no label is called {name!r}; {', '.join(LABELS)} are")
    try:
        row = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: `{name}` is no array of numbers: {first_meaning(error)}") from None
    if row.shape != SHAPES[name]:
        raise DataError(f"{who}: {_misfit(name, row.shape, SHAPES[name])}")
    return row


def check_columns(columns: Mapping[str, np.ndarray], people: int) -> None:
    """Raise DataError unless each column has a row of the right shape for each person."""
    for name, column in columns.items():
        if len(column) != people:
            raise DataError(f"{len(column)} rows of {name} for {people} people")
        wanted = (people, *SHAPES.get(name, column.shape[1:]))
        if column.shape != wanted:
            raise DataError(_misfit(name, column.shape, wanted))


def check_all_or_none(parts: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Raise DataError where a label was given for some people only: its rows would be others'."""
    counts: dict[str, int] = {}
    for part in parts:
        for name, rows in part.items():
            counts[name] = counts.get(name, 0) + len(rows)
    for name, count in counts.items():
        if count != counts["picture"]:
            raise DataError(
                f"`{name}` was given for {count} of {counts['picture']} people: give it for every "
                "person, NaN where it is unknown, or for none"
            )


def _misfit(name: str, shape: Sequence[int], wanted: Sequence[int]) -> str:
    axis = ", without an axis before it" if tuple(shape) == (1, *wanted) else ""
    return f"`{name}` has shape {list(shape)}, not {list(wanted)}{axis}: {REMEDIES[name]}"
