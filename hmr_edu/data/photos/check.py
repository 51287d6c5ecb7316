"""Look through a data set on the user's disk: what there is, what is usable, what is wrong."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer
from tqdm import tqdm

from hmr_edu.data.photos.pictures import check_size, read_photo, upright_size
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import is_there
from hmr_edu.keypoints import COCOPLUS

MISSING = "picture is missing"
DAMAGED = "picture cannot be read"
RESIZED = "picture has another size than recorded"
OUTSIDE = "keypoint far outside the picture"
EMPTY = "box without any keypoint of its person"
SWAPPED = "left and right probably exchanged"
# How far outside of a picture a keypoint may be clicked, as a share of its larger side.
MARGIN = 0.1
# Two lines from right to left point against each other when the cosine is below this. A line counts
# when it is longer than this share of the distance from hips to shoulders.
AGAINST, LONG = -0.7, 0.3


class Problem(NamedTuple):
    """Something wrong: of which kind, in which picture, and what exactly."""

    kind: str
    file: str
    words: str


@dataclass
class PeopleReport:
    """What was found in a data set.

    Args:
        pictures: how many there are in the annotations.
        people: how many have anything known.
        with_3d: people with a 3D keypoint.
        with_pose: people with a pose.
        with_shape: people with betas.
        looked_at: pictures that were opened.
        usable: rows of the people who can be trained on.
        left_out: the others, by reason.
        problems: all of them.
    """

    pictures: int
    people: int
    with_3d: int
    with_pose: int
    with_shape: int
    looked_at: int = 0
    usable: Integer[np.ndarray, " usable"] = field(default_factory=lambda: np.zeros(0, int))
    left_out: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def first(self, count: int) -> list[Problem]:
        """Return so many problems by file name, of as many kinds as there are."""
        kinds: dict[str, list[Problem]] = {}
        for problem in sorted(self.problems, key=lambda problem: problem.file):
            kinds.setdefault(problem.kind, []).append(problem)
        turns = [(n, problem) for listed in kinds.values() for n, problem in enumerate(listed)]
        chosen = [problem for _, problem in sorted(turns, key=lambda turn: turn[0])[:count]]
        return sorted(chosen, key=lambda problem: problem.file)


def check_people(table: PeopleTable, least: int, pictures: int) -> PeopleReport:
    """Look through a table: all annotations, and so many of the pictures, evenly chosen.

    Args:
        table: from `open_data_set`.
        least: keypoints that a usable person must have.
        pictures: how many pictures are opened.
    """
    report = PeopleReport(
        pictures=len(table.files),
        people=len(table),
        with_3d=_known(table.keypoints3d),
        with_pose=_known(table.pose),
        with_shape=_known(table.betas),
    )
    there = np.array([is_there(path) for path in _bar(_paths(table), "looking for pictures")])
    for number in np.flatnonzero(~there).tolist():
        report.problems.append(Problem(MISSING, _name(table, number), MISSING))
    sizes = np.array(table.sizes)
    damaged = _open(table, report, np.flatnonzero(there), sizes, pictures)
    few = (table.visible > 0).sum(1) < least
    lost = ~there[table.picture]
    broken = np.isin(table.picture, damaged)
    _check_places(table, report, sizes)
    _check_boxes(table, report)
    _check_sides(table, report)
    left_out = Counter(table.left_out)
    left_out[f"fewer than {least} keypoints"] += int(few.sum())
    left_out[MISSING] += int((lost & ~few).sum())
    left_out[f"{DAMAGED} (of those opened)"] += int((broken & ~few & ~lost).sum())
    report.left_out = {reason: count for reason, count in left_out.items() if count}
    report.usable = np.flatnonzero(~(few | lost | broken))
    return report


def _known(labels: np.ndarray | None) -> int:
    if labels is None:
        return 0
    return int((~np.isnan(labels.reshape(len(labels), -1))).any(1).sum())


def _name(table: PeopleTable, number: int) -> str:
    return os.fsdecode(table.files[number])


def _paths(table: PeopleTable) -> list[Path]:
    return [table.folder / os.fsdecode(name) for name in table.files]


def _bar(items: list, words: str) -> tqdm:
    return tqdm(items, words, unit="picture", leave=False, disable=None)


def _open(
    table: PeopleTable,
    report: PeopleReport,
    there: Integer[np.ndarray, " there"],
    sizes: Integer[np.ndarray, "pictures 2"],
    count: int,
) -> list[int]:
    """Open some pictures, fill in their sizes, and return which are damaged."""
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    chosen = there[places].tolist() if len(there) else []
    report.looked_at, damaged = len(chosen), []
    for number in _bar(chosen, "opening pictures"):
        name = _name(table, number)
        path = table.folder / name
        try:
            read_photo(path)
        except (OSError, DataError) as error:
            report.problems.append(Problem(DAMAGED, name, str(error)))
            damaged.append(number)
            continue
        width, height = sizes[number].tolist()
        if width and height:
            try:
                check_size(path, (width, height), "the annotation")
            except DataError as error:
                report.problems.append(Problem(RESIZED, name, str(error)))
        sizes[number] = upright_size(path)
    return damaged


def _check_places(
    table: PeopleTable, report: PeopleReport, sizes: Integer[np.ndarray, "pictures 2"]
) -> None:
    """Find keypoints outside pictures whose size is known."""
    size = sizes[table.picture].astype(np.float32)[:, None]
    margin = MARGIN * size.max(2, keepdims=True)
    points = np.asarray(table.keypoints2d)
    out = ((points < -0.5 - margin) | (points > size - 0.5 + margin)).any(2)
    out &= (np.asarray(table.visible) > 0) & (size[..., 0] > 0)
    for row in np.flatnonzero(out.any(1)).tolist():
        k = int(np.argmax(out[row]))
        x, y = points[row, k]
        width, height = size[row, 0]
        words = f"{COCOPLUS[k]} at {x:.0f}, {y:.0f} of {width:.0f} x {height:.0f} pixels"
        report.problems.append(_of(table, row, OUTSIDE, words))


def _check_boxes(table: PeopleTable, report: PeopleReport) -> None:
    """Find boxes in which no keypoint is."""
    crops, points = np.asarray(table.crops), np.asarray(table.keypoints2d)
    known = np.asarray(table.visible) > 0
    inside = (np.abs(points - crops[:, None, :2]) <= crops[:, None, 2:] / 2).all(2) & known
    for row in np.flatnonzero(known.any(1) & ~inside.any(1)).tolist():
        x, y, side = crops[row]
        words = f"the box around {x:.0f}, {y:.0f}, {side:.0f} wide, holds none of its keypoints"
        report.problems.append(_of(table, row, EMPTY, words))


def _check_sides(table: PeopleTable, report: PeopleReport) -> None:
    """Find torsos that no human can twist: shoulders against hips, or eyes against shoulders."""
    points, known = np.asarray(table.keypoints2d), np.asarray(table.visible) > 0
    for part, other in (("shoulder", "hip"), ("eye", "shoulder")):
        wrong = twisted(points, known, part, other)
        for row in np.flatnonzero(wrong).tolist():
            words = f"the {part}s point against the {other}s"
            report.problems.append(_of(table, row, SWAPPED, words))


def twisted(
    points: Float[np.ndarray, "people 19 2"],
    known: Bool[np.ndarray, "people 19"],
    part: str,
    other: str,
) -> Bool[np.ndarray, " people"]:
    """Return of whom a line from right to left points against another one, in the picture."""
    left, right, left2, right2, ls, rs, lh, rh = (
        COCOPLUS.index(f"{side}_{name}")
        for name in (part, other, "shoulder", "hip")
        for side in ("left", "right")
    )
    torso = np.linalg.norm(points[:, [ls, rs]].mean(1) - points[:, [lh, rh]].mean(1), axis=1)
    first, second = points[:, left] - points[:, right], points[:, left2] - points[:, right2]
    a, b = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    cosine = (first * second).sum(1) / np.maximum(a * b, 1e-9)
    shortest = LONG * torso * (0.3 if part == "eye" else 1)
    needed = known[:, [left, right, left2, right2, ls, rs, lh, rh]].all(1)
    return needed & (cosine < AGAINST) & (a > shortest) & (b > LONG * torso)


def _of(table: PeopleTable, row: int, kind: str, words: str) -> Problem:
    return Problem(kind, _name(table, int(table.picture[row])), f"person {row}: {words}")
