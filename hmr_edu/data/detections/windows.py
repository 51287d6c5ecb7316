"""Find everybody in a picture with a detector that finds one person at a time.

The detector looks through overlapping windows of several sizes. Where it finds somebody it looks
again, twice, at a window around this person: a true one is found there again, in the same place; an
invented one moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

# Longer sides of the picture by the side of a window.
SCALES = (1.0, 1.5, 2.2, 3.3)
# The window around a person, by the longer side of the box around the keypoints.
AROUND = 1.6
LOOKS = 2
# Pixels of the smallest window.
SMALLEST = 24
# A keypoint less sure than this is no part of a person's box.
SEEN = 0.3
# The fewest of those that a person has.
FEWEST = 4
# How far, by the size of a person, the keypoints of a true one move at the last look, and how far
# apart those of two people are at least.
STILL = 0.2
APART = 0.25
# The mean confidence of people inside the box of a surer one; less sure ones are parts of it.
INSIDE = 0.8

Photo = UInt8[np.ndarray, "height width 3"]


class Found(NamedTuple):
    """A person: COCO+ keypoints in pixels, and their confidences."""

    keypoints2d: Float[Tensor, "19 2"]
    confidence: Float[Tensor, " 19"]

    @property
    def sure(self) -> float:
        """Mean confidence."""
        return float(self.confidence.mean())

    def box(self) -> tuple[float, float, float, float] | None:
        """Return the box around what was seen; None where it is too little."""
        seen = self.keypoints2d[self.confidence > SEEN]
        if len(seen) < FEWEST:
            return None
        (x0, y0), (x1, y1) = seen.amin(0).tolist(), seen.amax(0).tolist()
        return (x0, y0, x1, y1) if max(x1 - x0, y1 - y0) > 0 else None


# Finds at most one person in a picture.
FindOne = Callable[[Photo], Found | None]


def find_everybody(find_one: FindOne, photo: Photo) -> list[Found]:
    """Return everybody whom a detector of one person finds, the surest first."""
    people = []
    for window in _windows(*photo.shape[:2]):
        person = _look(find_one, photo, window)
        distance = 0.0
        for _ in range(LOOKS):
            box = person and person.box()
            if person is None or box is None:
                break
            again = _look(find_one, photo, _around(box))
            distance = _distance(person, again) if again else np.inf
            person = again
        if person and person.box() and distance < STILL:
            people.append(person)
    return _without_doubles(people)


def _windows(height: int, width: int) -> Iterator[tuple[float, float, float]]:
    """Yield centre and side of windows that overlap by half and fill the picture."""
    longer = max(height, width)
    for scale in SCALES:
        side = longer / scale
        columns, rows = (
            np.linspace(side / 2, length - side / 2, int(np.ceil(2 * length / side - 1)))
            if length > side
            else [length / 2]
            for length in (width, height)
        )
        yield from ((float(x), float(y), side) for y in rows for x in columns)


def _around(box: tuple[float, float, float, float]) -> tuple[float, float, float]:
    x0, y0, x1, y1 = box
    return (x0 + x1) / 2, (y0 + y1) / 2, max(AROUND * max(x1 - x0, y1 - y0), SMALLEST)


def _look(find_one: FindOne, photo: Photo, window: tuple[float, float, float]) -> Found | None:
    """Look through one window; the part of it that lies outside the picture is left out."""
    height, width = photo.shape[:2]
    x, y, side = window
    left, right = (min(max(round(x + sign * side / 2), 0), width) for sign in (-1, 1))
    top, bottom = (min(max(round(y + sign * side / 2), 0), height) for sign in (-1, 1))
    if right - left < 2 or bottom - top < 2:
        return None
    found = find_one(np.ascontiguousarray(photo[top:bottom, left:right]))
    if found is None:
        return None
    points = found.keypoints2d + found.keypoints2d.new_tensor((left, top))
    # What lies outside the picture nobody saw.
    inside = ((points > -1) & (points < points.new_tensor((width, height)))).all(1)
    return Found(points, found.confidence * inside)


def _distance(a: Found, b: Found) -> float:
    """Return the mean distance of two people's keypoints, by the larger one's size."""
    weight = torch.minimum(a.confidence, b.confidence)
    boxes = [box for box in (a.box(), b.box()) if box]
    if not boxes or not float(weight.sum()) > 0:
        return np.inf
    size = max(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes)
    away = (a.keypoints2d - b.keypoints2d).norm(dim=1)
    return float((weight * away).sum() / weight.sum()) / size


def _without_doubles(people: Sequence[Found]) -> list[Found]:
    """Keep the surest of those who are one person, and leave out parts of other people."""
    kept: list[Found] = []
    for person in sorted(people, key=lambda person: -person.sure):
        if any(_distance(person, other) < APART for other in kept):
            continue
        if person.sure < INSIDE and any(_lies_inside(person, other) for other in kept):
            continue
        kept.append(person)
    return kept


def _lies_inside(person: Found, other: Found) -> bool:
    """Return whether most of a person's keypoints lie in the box of another one."""
    box = other.box()
    if box is None:
        return False
    seen = person.keypoints2d[person.confidence > SEEN]
    low, high = seen.new_tensor(box[:2]), seen.new_tensor(box[2:])
    return float(((seen >= low) & (seen <= high)).all(1).float().mean()) > 0.75
