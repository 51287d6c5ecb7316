"""Many annotated people in a few arrays: half a million take a few hundred megabytes.

Every reader of a data set returns a `PeopleTable`. As a sequence it holds an
`AnnotatedPerson` for each of them, made when it is asked for.
"""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64, Integer, Shaped
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.data.photos.annotations import AnnotatedPerson, annotated_person
from hmr_edu.data.photos.described import Described
from hmr_edu.data.photos.rows import LABELS, check_all_or_none, check_columns, one_row
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.files import is_there, printable
from hmr_edu.keypoints import COCOPLUS

UNKNOWN = float("nan")
# People of whom the rows are joined at a time.
PART = 10_000
# Bytes of the longest path of Linux.
LONGEST_NAME = 4096


class _Mapped(NamedTuple):
    """An array that lies in a file."""

    file: str | Path


def _is_mapped(value: Any) -> bool:
    """Return whether an array is all of a file; parts of one have a base that is an array."""
    return isinstance(value, np.memmap) and isinstance(value.base, mmap.mmap)


@dataclass
class PeopleTable(Sequence):
    """Annotated people of a data set, a row each; arrays may lie in a file (`index.py`).

    All pixels are those of the upright picture, counted from 0 at the centres of pixels. What is
    known in 3D is in the camera's frame (x right, y down, z away), in metres and radians.

    Args:
        folder: the pictures' folder.
        files: names of the pictures in it, as UTF-8 bytes.
        sizes: width and height that the data set records of each picture, or 0.
        picture: the number of each person's picture in `files`.
        crops: centre x, y and side of the square crop around each person, padding included.
        keypoints2d: COCO+ order, pixels.
        visible: 1 where a keypoint is annotated, or a confidence in (0, 1]; 0 where it is not.
        keypoints3d: NaN where a keypoint is not known; None when there are none at all.
        pose: axis-angle of the 24 joints; a row of NaN where it is not known; None as above.
        betas: of SMPL's own shape space; NaN where they are not known; None as above.
        outlines: the first and last + 1 of the rows of `outline_points` that are the person's mask
            (`outlines.py`); None when there are no masks.
        outline_points: corners of polygons, pixels.
        left_out: how many people of the data set are not in the table, by reason.
    """

    folder: Path
    files: Shaped[np.ndarray, " pictures"]
    sizes: Int32[np.ndarray, "pictures 2"]
    picture: Int32[np.ndarray, " people"]
    crops: Float32[np.ndarray, "people 3"]
    keypoints2d: Float32[np.ndarray, "people 19 2"]
    visible: Float32[np.ndarray, "people 19"]
    keypoints3d: Float32[np.ndarray, "people 19 3"] | None = None
    pose: Float32[np.ndarray, "people 72"] | None = None
    betas: Float32[np.ndarray, "people 10"] | None = None
    outlines: Int64[np.ndarray, "people 2"] | None = None
    outline_points: Float32[np.ndarray, "points 2"] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.picture)

    @overload
    def __getitem__(self, index: int) -> AnnotatedPerson: ...
    @overload
    def __getitem__(self, index: slice) -> PeopleTable: ...
    def __getitem__(self, index: int | slice) -> AnnotatedPerson | PeopleTable:
        """Return one person, or the table of some."""
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        return AnnotatedPerson(
            self.path(index),
            CropBox(*self.crops[index].tolist()),
            torch.tensor(self.keypoints2d[index]),
            torch.tensor(self.visible[index]),
        )

    def path(self, index: int) -> Path:
        """Return the picture of a person."""
        return self.folder / os.fsdecode(self.files[self.picture[index]])

    def size(self, index: int) -> tuple[int, int] | None:
        """Return the recorded width and height of a person's picture; None where there are none."""
        width, height = self.sizes[self.picture[index]].tolist()
        return (width, height) if width and height else None

    def select(self, rows: Integer[np.ndarray, " n"] | Shaped[np.ndarray, " n"]) -> PeopleTable:
        """Return the table of some people: row numbers, or a mask."""
        people = {name: value[rows] for name, value in self.arrays().items()}
        return replace(self, **people)

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to a worker: of an array that lies in a file, the file's name."""
        return {
            name: _Mapped(value.filename) if _is_mapped(value) else value
            for name, value in vars(self).items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the arrays of a file again: all processes share its memory."""
        for name, value in state.items():
            here = np.load(value.file, mmap_mode="r") if isinstance(value, _Mapped) else value
            object.__setattr__(self, name, here)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays with a row for each person."""
        names = ("picture", "crops", "keypoints2d", "visible", *LABELS, "outlines")
        return {k: v for k in names if (v := getattr(self, k)) is not None}

    def tensors(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return copies of all numbers of some people; NaN where a kind of label is not known."""
        known = self.arrays()
        known.pop("outlines", None)
        chosen = np.asarray(rows, np.int64)
        return {k: torch.from_numpy(np.array(v[chosen])) for k, v in known.items()} | {
            k: torch.full((len(rows), *shape), UNKNOWN)
            for k, shape in LABELS.items()
            if k not in known
        }

    def outline(self, index: int) -> Float32[np.ndarray, "points 2"] | None:
        """Return the corners of a person's mask, NaN between polygons; None where there is none."""
        if self.outlines is None or self.outline_points is None:
            return None
        first, end = self.outlines[index]
        return self.outline_points[first:end] if end > first else None

    def usable(self, least: int) -> PeopleTable:
        """Return the people of whom at least so many keypoints are known."""
        keep = (self.visible > 0).sum(1) >= least
        lost = int((~keep).sum())
        if not lost:
            return self
        reason = f"fewer than {least} keypoints"
        counted = Counter(self.left_out) + Counter({reason: lost})
        return replace(self.select(np.flatnonzero(keep)), left_out=dict(counted))

    def on_disk(self) -> PeopleTable:
        """Return the people whose picture is on the disk, of a data set that is there in part."""
        paths = map(self.path, range(len(self)))
        rows = [row for row, path in enumerate(paths) if is_there(path) and path.is_file()]
        return self.select(np.array(rows, dtype=int))

    @classmethod
    def of(cls, people: Iterable[AnnotatedPerson]) -> PeopleTable:
        """Make a table of people who were read one by one."""
        builder = TableBuilder(Path())
        for person in people:
            crop = (person.crop.x, person.crop.y, person.crop.size)
            builder.add(str(person.path), None, crop, person.keypoints2d, person.visible)
        return builder.table()


class TableBuilder:
    """Collect people one by one into a table.

    Args:
        folder: the pictures' folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers: dict[str, int] = {}
        self.sizes: list[tuple[int, int]] = []
        self.columns: dict[str, list[np.ndarray]] = {}
        self.parts: list[dict[str, np.ndarray]] = []
        self.left_out: Counter[str] = Counter()

    def describe(self, person: Described, **labels: Any) -> None:
        """Add a person as a file describes one; without a box, the box is around the keypoints.

        Raises DataError that names the place in the file.
        """
        _, crop, keypoints2d, visible = annotated_person(self.folder, person)
        place = (crop.x, crop.y, crop.size)
        with naming(person.where):
            self.add(person.file, person.size, place, keypoints2d, visible, **labels)

    def add(
        self,
        file: str,
        size: tuple[int, int] | None,
        crop: Sequence[float | int],
        keypoints2d: Any,
        visible: Any,
        **labels: Any,
    ) -> None:
        """Add a person: arrays, tensors or lists of one row of the table's columns.

        Raises DataError that names the picture, the label and its shape, where it cannot be.

        Args:
            file: name of the picture in the folder.
            size: its recorded width and height.
            crop: centre x, y and side of the crop.
            keypoints2d: COCO+ order, pixels.
            visible: 1, a confidence, or 0 for each keypoint.
            labels: `keypoints3d`, `pose` and `betas`, for every person, NaN where unknown, or for
                none.
        """
        row = {"crops": crop, "keypoints2d": keypoints2d, "visible": visible, **labels}
        rows = {name: one_row(name, value, file) for name, value in row.items()}
        number = self.numbers.setdefault(file, len(self.numbers))
        if number == len(self.sizes):
            self.sizes.append(size or (0, 0))
        for name, value in rows.items():
            self.columns.setdefault(name, []).append(value)
        self.columns.setdefault("picture", []).append(np.asarray(number, np.int32))
        if len(self.columns["picture"]) == PART:
            self._join()

    def _join(self) -> None:
        """Put the last rows into arrays: each alone takes several times as much memory."""
        if self.columns:
            self.parts.append({name: np.stack(rows) for name, rows in self.columns.items()})
            self.columns = {}

    def table(self) -> PeopleTable:
        """Return the table of all people.

        Raises DataError when there is nobody, and on a label that only some of them have.
        """
        if not self.numbers:
            raise DataError("nobody in it has a keypoint")
        self._join()
        check_all_or_none(self.parts)
        names = self.parts[0].keys()
        return PeopleTable(
            folder=self.folder,
            files=names_as_bytes(self.numbers),
            sizes=np.array(self.sizes, np.int32),
            left_out=dict(self.left_out),
            **{name: np.concatenate([part[name] for part in self.parts]) for name in names},
        )


def names_as_bytes(names: Iterable[str]) -> Shaped[np.ndarray, " names"]:
    """Return names as an array of UTF-8 bytes, as short as the longest allows.

    Raises DataError on a name that is no text, which JSON may hold, or longer than any path.
    """
    try:
        encoded = [os.fsencode(name) for name in names]
        longest = max(map(len, encoded), default=0)
        if longest > LONGEST_NAME:  # each name takes as much as the longest
            raise DataError(f"a picture's name has {longest:,} bytes, more than {LONGEST_NAME:,}")
        return np.array(encoded)
    except UnicodeEncodeError as error:
        name = printable(error.object)
        raise DataError(f"a picture's name is no text: {name!r:.80}") from None


def check_table(table: PeopleTable) -> None:
    """Raise DataError on what no table can hold: other shapes, places not finite, no side."""
    n = len(table)
    if n == 0:
        raise DataError("nobody in it has a keypoint")
    check_columns(table.arrays(), n)
    if not (np.isfinite(table.crops).all() and (table.crops[:, 2] > 0).all()):
        row = int(np.argmin(np.isfinite(table.crops).all(1) & (table.crops[:, 2] > 0)))
        raise DataError(f"person {row} has no box: {table.crops[row].tolist()}")
    if not ((table.visible >= 0) & (table.visible <= 1)).all():
        raise DataError("confidences must lie in [0, 1]")
    known = table.visible > 0
    if not np.isfinite(table.keypoints2d[known]).all():
        row = int(np.argmax((known & ~np.isfinite(table.keypoints2d).all(2)).any(1)))
        keypoint = int(np.argmax(known[row] & ~np.isfinite(table.keypoints2d[row]).all(1)))
        raise DataError(f"person {row}: {COCOPLUS[keypoint]} lies nowhere, but counts as known")
    if table.picture.min() < 0 or table.picture.max() >= len(table.files):
        raise DataError("people of pictures that are not listed")
