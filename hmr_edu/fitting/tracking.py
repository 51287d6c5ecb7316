"""Follow people from frame to frame: the keypoints of one frame make the box of the next.

A network that reads crops needs a box in every frame. The body that it recovered in the last frame
says where the person is; people move little from one frame to the next. A person counts as lost
when the keypoints leave the crop, when the body fills it far too little or too much, or when the
heat-maps see nobody. Then the whole picture is searched (`people_search`), which costs as much as
a hundred frames; so a search that finds nobody is followed by a pause, each longer than the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.data.detections.formats import Detection
from hmr_edu.fitting.people_search import find_people, heat_score
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.smplify import fit_to_keypoints
from hmr_edu.fitting.tracks import (
    SAME,
    Edges,
    Track,
    Tracked,
    Tracks,
    box_of,
    iou,
    is_plausible,
    is_twice,
)
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError

Photo = UInt8[np.ndarray, "height width 3"]

# Frames from one search for newcomers to the next, and the longest pause between searches.
NEWCOMERS, LONGEST_PAUSE = 50, 32
# Different keypoints that a body can be recovered from.
FEWEST = 2


class PictureTracker(Tracks):
    """Follow people with the network that reads pictures.

    Args:
        model: the network, or a `Refined` one.
        everybody: follow all who are found, not only the one who is found most surely.
        box: the person in the first frame, as edges in pixels; None searches the picture.
    """

    def __init__(
        self,
        model: HMR | Refined,
        everybody: bool = False,
        box: Sequence[float | int] | None = None,
    ) -> None:
        super().__init__(everybody)
        self.model = model
        self.trusted = box is not None  # somebody said that the person is there
        self.pause = self.waited = self.since = 0
        if box is not None:
            x0, y0, x1, y1 = map(float, box)
            self.tracks, self.newest = [Track(1, (x0, y0, x1, y1))], 1
        network = model.model if isinstance(model, Refined) else model
        self.has_maps = network.options["pooling"] == "spatial"

    def state(self) -> dict[str, Any]:
        """Return what is remembered from frame to frame, as JSON can hold it."""
        counts = [self.pause, self.waited, self.since, int(self.trusted)]
        return {**super().state(), "counts": counts}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        super().restore(state)
        self.pause, self.waited, self.since, trusted = state["counts"]
        self.trusted = bool(trusted)

    def step(self, photo: Photo) -> list[Tracked]:
        """Recover the people in the next frame; an empty list where nobody is seen.

        Raises DataError when the network's answer is not finite.
        """
        watched = [track for track in self.tracks if track.missed == 0 or not self.has_maps]
        seen = self._look(photo, watched, self.trusted)
        self.trusted = False
        self.since += 1
        if self._is_due(len(seen)):
            self.since = self.waited = 0
            found = self._search(photo, seen)
            self.pause = 0 if found else min(max(1, 2 * self.pause), LONGEST_PAUSE)
            seen += found
        else:
            self.waited += 1
        self.forget({person.number for person in seen})
        return sorted(seen, key=lambda person: person.number)

    def _is_due(self, seen: int) -> bool:
        """Return whether the picture is to be searched: for the lost, and for newcomers."""
        if not self.has_maps:
            return False
        if self.everybody and self.newest and self.since >= NEWCOMERS:
            return True
        lost = not seen if not self.everybody else len(self.tracks) > seen or not self.newest
        return lost and self.waited >= self.pause

    def _search(self, photo: Photo, seen: list[Tracked]) -> list[Tracked]:
        """Search the whole picture; return whom nobody follows yet."""
        taken, new = {person.number for person in seen}, []
        followed = [track.box for track in self.tracks if track.number in taken]
        found = find_people(self.model, photo)
        if not self.everybody and self.tracks:
            last = self.tracks[0].box
            found.sort(key=lambda person: (iou(last, person.box) <= SAME, -person.score))
        for person in found:
            if any(iou(box, person.box) > SAME for box in followed):
                continue
            known = len(self.tracks)
            track = self.assign(person.box, taken)
            if track is None:
                break
            before, track.box = track.box, person.box
            there = self._look(photo, [track], False)
            if not there:
                track.box = before
                if len(self.tracks) > known:
                    self.tracks.pop()
                    self.newest -= 1
                continue
            taken.add(track.number)
            followed.append(person.box)
            new += there
            if not self.everybody:
                break
        return new

    @torch.no_grad()
    def _look(self, photo: Photo, tracks: Sequence[Track], trusted: bool) -> list[Tracked]:
        """Recover the people in their boxes, and move the boxes; leave out who is lost."""
        if not tracks:
            return []
        crops = [CropBox.around_box(*track.box, padding=PADDING) for track in tracks]
        cut = np.stack([crop_image(photo, crop, self.model.image_size) for crop in crops])
        device = self.model.body.faces.device
        images = torch.from_numpy(cut).permute(0, 3, 1, 2).to(device).float() / 255
        scores: list[float | None] = [None] * len(crops)
        if isinstance(self.model, Refined):
            last = self.model(images, vertices=False)[-1]
        else:
            steps, features = self.model(images, vertices=False, return_features=True)
            last = steps[-1]
            if self.has_maps:
                scores = heat_score(features.heatmaps.float().cpu()).tolist()
        last = _finite(last)
        height, width = photo.shape[:2]
        seen: list[Tracked] = []
        bodies: list[Tensor] = []
        for i, (track, crop, score) in enumerate(zip(tracks, crops, scores, strict=True)):
            points = crop.to_image(last.keypoints2d[i]) + 0.5
            box = box_of(points, width, height)
            good = trusted or is_plausible(last.keypoints2d[i], last.camera[i], score)
            if box is None or not good or any(is_twice(points, other) for other in bodies):
                continue
            track.follow(box)
            seen.append(Tracked(track.number, last.theta[i], crop, score))
            bodies.append(points)
        return seen


class KeypointTracker(Tracks):
    """Follow people of whom a detector found 2D keypoints in every frame.

    Args:
        lifter: a network that reads keypoints.
        everybody: follow all, not only the one who is seen most surely in the first frame.
        refine: also fit each body to the keypoints.
    """

    def __init__(self, lifter: HMR, everybody: bool = False, refine: bool = False) -> None:
        super().__init__(everybody)
        self.lifter, self.refine = lifter, refine

    def step(self, people: Sequence[Detection]) -> list[Tracked]:
        """Recover the people of the next frame from their keypoints, in pixels."""
        seen: list[Tracked] = []
        taken: set[int] = set()
        people = [person for person in people if _places(person) >= FEWEST]
        people.sort(key=lambda person: -float(person.confidence.sum()))
        if not self.everybody and self.tracks:
            last = self.tracks[0].box
            people.sort(key=lambda person: -iou(last, _edges(person)))
        for person in people if self.everybody else people[:1]:
            box = _edges(person)
            track = self.assign(box, taken)
            if track is None:
                break
            taken.add(track.number)
            track.box = box
            seen.append(self._lift(track.number, person))
        self.forget(taken)
        return sorted(seen, key=lambda tracked: tracked.number)

    @torch.no_grad()
    def _lift(self, number: int, person: Detection) -> Tracked:
        crop = CropBox.around_keypoints(person.keypoints2d, person.confidence, padding=PADDING)
        device = self.lifter.body.faces.device
        points = crop.to_crop(person.keypoints2d)[None].to(device)
        confidence = person.confidence[None].to(device)
        theta = self.lifter(points, confidence, vertices=False)[-1].theta
        if self.refine:
            theta = fit_to_keypoints(self.lifter.body, [theta], points, confidence).theta
        last = _finite(self.lifter.detail(theta))
        sure = float(person.confidence[person.confidence > 0].mean())
        return Tracked(number, last.theta[0], crop, sure)


def _finite(prediction: Prediction) -> Prediction:
    """Return a prediction on the CPU. Raises DataError on NaN."""
    if not torch.isfinite(prediction.theta).all():
        raise DataError("the network's answer is not finite: its weights are damaged")
    return prediction._replace(vertices=None).map(lambda tensor: tensor.cpu())


def _places(person: Detection) -> int:
    return len(person.keypoints2d[person.confidence > 0].unique(dim=0))


def _edges(person: Detection) -> Edges:
    """Return the box around a person's known keypoints, as edges."""
    points = person.keypoints2d[person.confidence > 0] + 0.5
    x0, y0 = points.amin(0).tolist()
    x1, y1 = points.amax(0).tolist()
    return x0, y0, x1, y1
