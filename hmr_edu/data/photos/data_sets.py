"""The data sets of photographs that can be read: by name, from a path on the user's disk.

A data set is one file in `sets/` with two functions, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_edu.data.photos.index import indexed
from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.sets import by_name, coco
from hmr_edu.data.photos.table import PeopleTable, check_table
from hmr_edu.io.errors import DataError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class DataSet:
    """How a data set is found and read.

    Args:
        find: function of the user's path and a split, "train" or "test"; returns the `Layout`.
            Raises FileNotFoundError that says what should be there.
        read: function of the layout that returns everybody. Raises DataError that names the file.
        help: what it is and in which layout; one line.
    """

    find: Callable[[Path, str], Layout]
    read: Callable[[Layout], PeopleTable]
    help: str


DATA_SETS: dict[str, DataSet] = {
    "coco": DataSet(
        coco.find, coco.read, "COCO's person keypoints, or COCO-WholeBody's: their folder or a JSON"
    ),
    "json": DataSet(
        by_name.find, by_name.read, "pictures beside a JSON of keypoints by name, or in COCO's form"
    ),
}


def open_data_set(name: str, path: str | Path, split: str = "train") -> PeopleTable:
    """Return the people of a data set; the first reading writes an index, later ones use it.

    Raises FileNotFoundError that says which file is missing, DataError that names the file and what
    is wrong with it, or lists the known names.
    """
    if name not in DATA_SETS:
        raise DataError(f"no data set is called {name!r:.60}; {', '.join(DATA_SETS)} are")
    if split not in SPLITS:
        raise DataError(f"a split is {' or '.join(SPLITS)}, not {split!r:.60}")
    data_set = DATA_SETS[name]
    layout = data_set.find(Path(path).expanduser(), split)

    def read() -> PeopleTable:
        table = data_set.read(layout)
        try:
            check_table(table)
        except DataError as error:
            raise DataError(f"{layout.annotations[0]}: {error}") from None
        return table

    return indexed(name, layout, read)


def read_test_split(words: str, most: int, least_keypoints: int) -> PeopleTable:
    """Return people of a test split, evenly taken; `words` are NAME=PATH.

    Raises as `open_data_set`, and DataError where nobody has so many keypoints.
    """
    name, _, path = words.partition("=")
    people = open_data_set(name, path, "test").usable(least_keypoints)
    if not len(people):
        raise DataError(f"{words}: nobody in it has {least_keypoints} keypoints")
    step = max(1, len(people) / most)
    return people.select((np.arange(min(most, len(people))) * step).astype(int))
