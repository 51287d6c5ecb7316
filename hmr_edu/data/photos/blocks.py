"""Build a `PeopleTable` from arrays of people: a block at a time, without a loop over people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer, Real, Shaped

from hmr_edu.crop import PADDING
from hmr_edu.data.photos.described import FARTHEST
from hmr_edu.data.photos.table import UNKNOWN, PeopleTable, names_as_bytes
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, mapping

# Confidences above 1 count as 1: OpenPose's reach 1.1. A number above this is none.
MOST_SURE = 10
NOTHING = "nothing of them is known"
NO_BOX = "without a box"
# SPIN's unit of sizes in pixels: https://github.com/nkolot/SPIN/blob/master/utils/imutils.py.
# MPII's is the same.
SCALE = 200


class Joints(NamedTuple):
    """Joints of some people as a data set has them, 2D or 3D.

    `known` is 1, a confidence, or 0 for each joint; places where it is 0 may be anything.
    """

    places: Real[np.ndarray, "people joints dims"]
    known: Shaped[np.ndarray, "people joints"]
    names: Sequence[str]


class BlockBuilder:
    """Collect people in blocks into a table.

    People of whom nothing is known, or without a box, are left out and counted.

    Args:
        folder: the pictures' folder.
        most: at least as many people as will be added.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.people, self.added = folder, most, 0, 0
        self.numbers: dict[str, int] = {}
        self.sizes: dict[int, tuple[int, int]] = {}
        self.columns: dict[str, np.ndarray] = {}
        self.left_out: Counter[str] = Counter()

    def add(
        self,
        files: Sequence[str],
        keypoints: Sequence[Joints],
        crops: Real[np.ndarray, "people 3"] | None = None,
        sizes: Integer[np.ndarray, "people 2"] | None = None,
        keypoints3d: Sequence[Joints] = (),
        pose: Real[np.ndarray, "people 72"] | None = None,
        betas: Real[np.ndarray, "people 10"] | None = None,
        first: int | None = None,
    ) -> None:
        """Add people, a row of each array for each of them.

        Raises DataError that numbers the first person with a number that cannot be.

        Args:
            files: names of the pictures in the folder.
            keypoints: in pixels; of two sets that know a keypoint the first one counts.
            crops: centre x, y and side; without them, around the known keypoints.
            sizes: recorded width and height of the pictures.
            keypoints3d: metres, camera frame; as `keypoints`.
            pose: axis-angle of the 24 joints, camera frame; a row of NaN where it is not known.
            betas: likewise.
            first: number of the first person in the file; by default as many as were added.
        """
        first, self.added = self.added if first is None else first, self.added + len(files)
        keypoints2d, visible = in_cocoplus(keypoints, 2, len(files), first)
        row: dict[str, np.ndarray] = {"keypoints2d": keypoints2d, "visible": visible}
        row["crops"] = crops_around(keypoints2d, visible) if crops is None else crops
        keep = visible.any(1)
        if keypoints3d:
            places, known = in_cocoplus(keypoints3d, 3, len(files), first)
            row["keypoints3d"] = np.where(known[..., None] > 0, places, UNKNOWN)
            keep = keep | known.any(1)
        for name, value in (("pose", pose), ("betas", betas)):
            if value is not None:
                _check_labels(value, name, first)
                row[name] = value
        if pose is not None:
            keep = keep | ~np.isnan(pose[:, 0])
        _check(np.asarray(np.isfinite(row["crops"]).all(1) | ~keep), "has no finite box", first)
        boxed = row["crops"][:, 2] > 0
        self._count(NOTHING, np.logical_not(keep))
        self._count(NO_BOX, keep & ~boxed)
        chosen = np.flatnonzero(keep & boxed)
        row["picture"] = self._pictures(files, chosen, sizes)
        start, self.people = self.people, self.people + len(chosen)
        for name, value in row.items():
            column = self._column(name, value, start)
            column[start : self.people] = value if name == "picture" else value[chosen]
        for name in self.columns.keys() - row.keys():
            self.columns[name][start : self.people] = UNKNOWN

    def leave_out(self, reason: str, count: int) -> None:
        """Count people who were not even added."""
        if count:
            self.left_out[reason] += count

    def table(self) -> PeopleTable:
        """Return the table of all people. Raises DataError when there is nobody."""
        if not self.people:
            why = "".join(f"; {count} {reason}" for reason, count in self.left_out.items())
            raise DataError(f"nobody in it has a keypoint{why}")
        return PeopleTable(
            folder=self.folder,
            files=names_as_bytes(self.numbers),
            sizes=np.array([self.sizes.get(n, (0, 0)) for n in range(len(self.numbers))], np.int32),
            left_out=dict(self.left_out),
            **{name: column[: self.people] for name, column in self.columns.items()},
        )

    def _count(self, reason: str, mask: Bool[np.ndarray, " people"]) -> None:
        self.leave_out(reason, int(mask.sum()))

    def _pictures(
        self, files: Sequence[str], chosen: np.ndarray, sizes: np.ndarray | None
    ) -> Integer[np.ndarray, " n"]:
        """Give each picture a number, in the order in which they come."""
        numbers, new = self.numbers, len(self.numbers)
        pictures = [numbers.setdefault(files[row], len(numbers)) for row in chosen.tolist()]
        if sizes is not None:
            for row, number in zip(chosen.tolist(), pictures, strict=True):
                if number >= new and number not in self.sizes:
                    self.sizes[number] = tuple(sizes[row].tolist())
        return np.array(pictures, np.int32)

    def _column(self, name: str, value: np.ndarray, start: int) -> np.ndarray:
        """Return the array of a column; it takes no memory before it is filled."""
        if name not in self.columns:
            kind = np.int32 if name == "picture" else np.float32
            self.columns[name] = np.empty((self.most, *value.shape[1:]), kind)
            self.columns[name][:start] = 0 if name == "picture" else UNKNOWN
        return self.columns[name]


def in_cocoplus(
    sets: Sequence[Joints], dims: int, people: int, first: int = 0
) -> tuple[Float[np.ndarray, "people 19 dims"], Float[np.ndarray, "people 19"]]:
    """Return joints in COCO+ order, and what is known of each; 0 where nothing is.

    Raises DataError that numbers the first person with a place or a confidence that cannot be.
    """
    places = np.zeros((people, len(COCOPLUS), dims), np.float32)
    known = np.zeros((people, len(COCOPLUS)), np.float32)
    for joints in sets:
        to = mapping(joints.names, COCOPLUS)
        source, target = list(to.source), list(to.target)
        with np.errstate(over="ignore"):  # too large for float32 is infinite
            sure = np.asarray(joints.known)[:, source].astype(np.float32)
        good = ((sure >= 0) & (sure <= MOST_SURE)).all(axis=1)
        _check(np.asarray(good), "has a confidence that is no number from 0 to 1", first)
        found = np.asarray(joints.places)[:, source]
        good = (np.abs(found) < FARTHEST).all(2) | (sure == 0)  # NaN is not below
        _check(good.all(1), "has a joint that lies nowhere, but counts as known", first)
        take = (known[:, target] == 0) & (sure > 0)
        places[:, target] = np.where(take[..., None], found, places[:, target])
        known[:, target] = np.where(take, sure.clip(0, 1), known[:, target])
    return places, known


def crops_around(
    keypoints2d: Float[np.ndarray, "people joints 2"], visible: Real[np.ndarray, "people joints"]
) -> Float[np.ndarray, "people 3"]:
    """Return the square around each person's known keypoints, padded; side 0 where there is none.

    As `CropBox.around_keypoints`, for many.
    """
    known = (visible > 0)[..., None]
    low = np.where(known, keypoints2d, np.inf).min(1)
    high = np.where(known, keypoints2d, -np.inf).max(1)
    nobody = np.logical_not((visible > 0).any(1))
    low[nobody], high[nobody] = 0, 0
    return np.concatenate([(low + high) / 2, PADDING * (high - low).max(1, keepdims=True)], 1)


def crops_of_boxes(boxes: Real[np.ndarray, "people 4"]) -> Float[np.ndarray, "people 3"]:
    """Return the padded square around each box x0, y0, x1, y1, given by pixel edges.

    As `CropBox.around_box`, for many; side 0 where a box is empty.
    """
    boxes = np.asarray(boxes, np.float64)
    extent = boxes[:, 2:] - boxes[:, :2]
    side = np.where((extent > 0).all(1) | np.isnan(extent).any(1), extent.max(1), 0)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5
    return np.concatenate([middle, PADDING * side[:, None]], 1)


def _check_labels(value: np.ndarray, name: str, first: int) -> None:
    good = (np.abs(value) < FARTHEST).all(1) | np.isnan(value).all(1)
    _check(np.asarray(good), f"has a {name} that is no number", first)


def _check(good: Bool[np.ndarray, " people"], what: str, first: int) -> None:
    if not good.all():
        raise DataError(f"person {first + int(np.argmin(good))} {what}")


def check_shape(array: Any, shape: Sequence[int | None], what: str) -> None:
    """Raise DataError unless an array has a shape, None for any number, and holds numbers."""
    fits = len(array.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in "biuf":
        wanted = " x ".join("N" if n is None else str(n) for n in shape)
        have = " x ".join(map(str, array.shape)) or "one value"
        raise DataError(f"{what} must be {wanted} numbers, not {have} of {array.dtype}")
