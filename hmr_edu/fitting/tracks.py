"""The people who are followed through a video: their numbers, their boxes, who is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.fitting.people_search import MARGIN, overlap

# Left, upper, right and lower edge of a box, in pixels of the picture.
Edges = tuple[float, float, float, float]

# Share of the way that a box goes to the new keypoints: less trembles less, more follows faster.
FOLLOW = 0.6
# A person is lost with a smaller share of the keypoints in the crop, a longer side of their box, in
# half-crops, outside this range, or a smaller score of the heat-maps.
INSIDE, EXTENT, SCORE = 0.5, (0.35, 3.0), 0.2
# Boxes with this overlap (IoU) are one person, seen again.
SAME = 0.2
# Keypoints of two bodies that are on average so near, in longer sides of their box, are one person.
TWICE = 0.08
# Frames until a lost person is forgotten: who comes back then is somebody new.
FORGOTTEN = 60


class Tracked(NamedTuple):
    """A person in a frame: the number, theta in units of the crop, the crop, and how sure it is.

    `score` is that of the heat-maps, or the mean confidence of keypoints; None without either.
    """

    number: int
    theta: Float[Tensor, "85"]
    crop: CropBox
    score: float | None


@dataclass
class Track:
    """A person who is followed: the last box (edges, pixels), and for how many frames lost."""

    number: int
    box: Edges
    missed: int = 0

    def follow(self, box: Edges) -> None:
        """Move the box towards a new one."""
        x0, y0, x1, y1 = (a + FOLLOW * (b - a) for a, b in zip(self.box, box, strict=True))
        self.box = x0, y0, x1, y1


class Tracks:
    """The people who are followed. `state` and `restore` let a killed run continue."""

    def __init__(self, everybody: bool) -> None:
        self.everybody = everybody
        self.tracks: list[Track] = []
        self.newest = 0

    def state(self) -> dict[str, Any]:
        """Return what is remembered from frame to frame, as JSON can hold it."""
        tracks = [[track.number, *track.box, track.missed] for track in self.tracks]
        return {"tracks": tracks, "newest": self.newest}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.tracks = [Track(int(n), tuple(box), int(m)) for n, *box, m in state["tracks"]]
        self.newest = int(state["newest"])

    def assign(self, box: Edges, taken: set[int]) -> Track | None:
        """Return the track of a box: of those not taken the one that overlaps most, or a new one.

        One person alone is always the same one.
        """
        free = [track for track in self.tracks if track.number not in taken]
        best = max(free, key=lambda track: iou(track.box, box), default=None)
        if best is not None and (not self.everybody or iou(best.box, box) > SAME):
            return best
        if self.tracks and not self.everybody:
            return None
        self.newest += 1
        self.tracks.append(Track(self.newest, box))
        return self.tracks[-1]

    def forget(self, seen: set[int]) -> None:
        """Count who was not seen; forget who has been lost for long."""
        for track in self.tracks:
            track.missed = 0 if track.number in seen else track.missed + 1
        if self.everybody:
            self.tracks = [track for track in self.tracks if track.missed <= FORGOTTEN]


def box_of(points: Float[Tensor, "n 2"], width: int, height: int) -> Edges | None:
    """Return the box around a body's keypoints, as far as it lies in the picture; None outside.

    Args:
        points: pixels, counted from the picture's edge.
        width: of the picture.
        height: of the picture.
    """
    low, high = points.amin(0), points.amax(0)
    margin = MARGIN * (high - low).max()
    x0, y0 = (low - margin).clamp_min(0).tolist()
    x1, y1 = torch.minimum(high + margin, points.new_tensor((width, height))).tolist()
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= 1 else None


def is_plausible(
    keypoints2d: Float[Tensor, "19 2"], camera: Float[Tensor, " 3"], score: float | None
) -> bool:
    """Return whether a body recovered in a crop is that of the person in it.

    Args:
        keypoints2d: of the body, in crop units.
        camera: of the body.
        score: of the heat-maps, if there are some.
    """
    inside = float((keypoints2d.abs() <= 1).all(1).float().mean())
    extent = float((keypoints2d.amax(0) - keypoints2d.amin(0)).max())
    least, most = EXTENT
    there = score is None or score >= SCORE
    return there and float(camera[0]) > 0 and inside >= INSIDE and least <= extent <= most


def is_twice(points: Float[Tensor, "n 2"], other: Float[Tensor, "n 2"]) -> bool:
    """Return whether two bodies are one person: their keypoints agree."""
    longer = float((other.amax(0) - other.amin(0)).max())
    return float((points - other).norm(dim=-1).mean()) < TWICE * longer


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes."""
    return overlap(torch.tensor(one), torch.tensor(other))
