"""Keypoints that a person places on a picture: which is next, moves, removals, undo and redo."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.keypoints import COCOPLUS

Place = tuple[float, float]


class Snapshot(NamedTuple):
    """All that undo brings back. A keypoint without a place has confidence 0."""

    places: tuple[Place | None, ...]
    confidence: tuple[float, ...]
    chosen: int


class KeypointState:
    """The 19 COCO+ keypoints of one person in a picture, some of them without a place.

    Places are pixels, counted from 0 at pixel centres. Whatever a person places has confidence 1.
    `chosen` is the keypoint that keys act on; `next` is the one that a click places.

    Args:
        width: the picture's width, pixels.
        height: its height.
        keypoints2d: places to begin with, [19, 2]. Those outside of the picture are left out.
        confidence: of these places, [19] numbers in [0, 1], 0 where there is none; 1 by default
            where the place is finite.

    Raises ValueError on other shapes, on a confidence outside [0, 1], and where there is one
    without a place.
    """

    def __init__(
        self,
        width: int,
        height: int,
        keypoints2d: Float[Tensor, "*_"] | None = None,
        confidence: Float[Tensor, "*_"] | None = None,
    ) -> None:
        self.width, self.height = width, height
        nowhere = Snapshot((None,) * len(COCOPLUS), (0.0,) * len(COCOPLUS), 0)
        self._now = nowhere
        self._past: list[Snapshot] = []
        self._future: list[Snapshot] = []
        self._gesture: object = None
        if keypoints2d is not None:
            self._now = self._given(keypoints2d, confidence)
        elif confidence is not None:
            raise ValueError("confidence needs keypoints2d")

    @property
    def snapshot(self) -> Snapshot:
        """What there is now."""
        return self._now

    @property
    def keypoints2d(self) -> Float[Tensor, "19 2"]:
        """Places in pixels; NaN where there is none."""
        nowhere = (math.nan, math.nan)
        return torch.tensor([place or nowhere for place in self._now.places])

    @property
    def confidence(self) -> Float[Tensor, " 19"]:
        """0 where a keypoint has no place, 1 where a person placed it."""
        return torch.tensor(self._now.confidence)

    @property
    def placed(self) -> int:
        """How many keypoints have a place."""
        return sum(place is not None for place in self._now.places)

    @property
    def chosen(self) -> int:
        """The keypoint that keys act on."""
        return self._now.chosen

    @property
    def next(self) -> int | None:
        """The keypoint that a click places: the chosen one, or the first missing after it."""
        return _missing_from(self._now.places, self._now.chosen)

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to do again."""
        return bool(self._future)

    def place(self, x: float | int, y: float | int, gesture: object = None) -> int | None:
        """Place the next keypoint, choose the one after it, and return the placed one's number.

        Without a missing keypoint nothing happens. `gesture` is that of `move`.
        """
        index = self.next
        if index is None:
            return None
        after = self._with(index, self._inside(x, y), index)
        following = _missing_from(after.places, index)
        self._edit(after._replace(chosen=index if following is None else following), gesture)
        return index

    def move(self, index: int, x: float | int, y: float | int, gesture: object = None) -> None:
        """Give a keypoint another place, inside the picture.

        All moves of one `gesture`, a drag, are undone in one step.
        """
        self._check(index)
        same = gesture is not None and gesture == self._gesture
        chosen = self._now.chosen if same else index
        self._edit(self._with(index, self._inside(x, y), chosen), gesture)

    def nudge(self, index: int, dx: float | int, dy: float | int) -> None:
        """Move a keypoint by some pixels, if it has a place."""
        self._check(index)
        if place := self._now.places[index]:
            self.move(index, place[0] + dx, place[1] + dy)

    def remove(self, index: int) -> None:
        """Take a keypoint away: its confidence is 0."""
        self._check(index)
        self._edit(self._with(index, None, index))

    def clear(self) -> None:
        """Take all keypoints away."""
        nowhere = (None,) * len(COCOPLUS)
        self._edit(Snapshot(nowhere, (0.0,) * len(COCOPLUS), 0))

    def choose(self, index: int) -> None:
        """Choose a keypoint, with a place or without."""
        self._check(index)
        self._gesture = None
        self._now = self._now._replace(chosen=index)

    def step(self, by: int) -> None:
        """Choose the keypoint `by` numbers further on, round and round."""
        self.choose((self._now.chosen + by) % len(COCOPLUS))

    def skip(self) -> None:
        """Leave the next keypoint out for now: choose the missing one after it."""
        if self.next is not None:
            self.choose(_missing_from(self._now.places, self.next + 1) or 0)

    def undo(self) -> None:
        """Take the last change back, if there is one."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Make the change again that was taken back last, if there is one."""
        self._travel(self._future, self._past)

    def _travel(self, source: list[Snapshot], target: list[Snapshot]) -> None:
        self._gesture = None
        if source:
            target.append(self._now)
            self._now = source.pop()

    def _edit(self, after: Snapshot, gesture: object = None) -> None:
        """Remember what was, unless nothing changes or the gesture is still the same."""
        same = gesture is not None and gesture == self._gesture
        if after[:2] != self._now[:2]:
            if not same:
                self._past.append(self._now)
            self._future.clear()
        self._gesture = gesture
        self._now = after

    def _with(self, index: int, place: Place | None, chosen: int) -> Snapshot:
        places, confidence = list(self._now.places), list(self._now.confidence)
        places[index], confidence[index] = place, float(place is not None)
        return Snapshot(tuple(places), tuple(confidence), chosen)

    def _inside(self, x: float | int, y: float | int) -> Place:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"a place must be two finite numbers, not ({x}, {y})")
        return (
            min(max(float(x), -0.5), self.width - 0.5),
            min(max(float(y), -0.5), self.height - 0.5),
        )

    def _given(
        self, keypoints2d: Float[Tensor, "*_"], confidence: Float[Tensor, "*_"] | None
    ) -> Snapshot:
        n = len(COCOPLUS)
        finite = keypoints2d.isfinite().all(-1)
        confidence = finite.to(keypoints2d) if confidence is None else confidence
        if keypoints2d.shape != (n, 2) or confidence.shape != (n,):
            shapes = f"{list(keypoints2d.shape)} and {list(confidence.shape)}"
            raise ValueError(f"keypoints2d must be [{n}, 2] and confidence [{n}], got {shapes}")
        if not bool(((confidence >= 0) & (confidence <= 1)).all()):  # also of NaN
            raise ValueError("a confidence must be in [0, 1]")
        if bool(((confidence > 0) & ~finite).any()):
            raise ValueError("a keypoint with a confidence has a place that is NaN or infinite")
        corner = keypoints2d.new_tensor([self.width, self.height]) - 0.5
        known = (confidence > 0) & ((keypoints2d >= -0.5) & (keypoints2d <= corner)).all(1)
        places = tuple(
            (float(x), float(y)) if there else None
            for (x, y), there in zip(keypoints2d.tolist(), known.tolist(), strict=True)
        )
        numbers = tuple(torch.where(known, confidence, 0).tolist())
        return Snapshot(places, numbers, _missing_from(places, 0) or 0)

    def _check(self, index: int) -> None:
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(COCOPLUS):
            raise ValueError(f"no keypoint {index!r:.60}: a number from 0 to {len(COCOPLUS) - 1}")


def _missing_from(places: tuple[Place | None, ...], start: int) -> int | None:
    """Return the first keypoint without a place, from `start` on, round and round."""
    n = len(places)
    return next((i % n for i in range(start, start + n) if places[i % n] is None), None)
