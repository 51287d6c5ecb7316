"""Draw recovered bodies over the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from hmr_edu.body import SMPL
from hmr_edu.camera import CropBox
from hmr_edu.fitting.motion import Motion
from hmr_edu.viz.demo_files import COLOURS, LARGEST, Photo, write_numbers
from hmr_edu.viz.pictures import Picture, overlay
from hmr_edu.viz.shading import mesh_of


class _Drawn(NamedTuple):
    """A person in a frame: the number, the row of the motion, pixels a metre."""

    number: int
    row: int
    scale: float


class VideoDrawing:
    """Draw the people of a video, frame by frame, the far ones first.

    Args:
        people: motions by number.
        body: the body model.
        width: of the frames.
        height: of the frames.
    """

    def __init__(self, people: Mapping[int, Motion], body: SMPL, width: int, height: int) -> None:
        self.people, self.body = people, body
        self.faces = body.faces.cpu().numpy()
        self.ratio = min(1.0, LARGEST / max(width, height))
        self.size = max(1, round(width * self.ratio)), max(1, round(height * self.ratio))
        self.frames: dict[int, list[_Drawn]] = {}
        for number, motion in people.items():
            for row, frame in enumerate(motion.frames.tolist()):
                drawn = _Drawn(number, row, float(motion.scale[row]))
                self.frames.setdefault(frame, []).append(drawn)

    @torch.no_grad()
    def draw(self, number: int, photo: Photo) -> Picture:
        """Draw the people of frame `number` over its picture, which is reduced if it is large."""
        if self.ratio < 1:
            reduced = Image.fromarray(photo).resize(self.size, Image.Resampling.BILINEAR)
            photo = np.asarray(reduced)
        # Who is farther away is smaller.
        there = sorted(self.frames.get(number, []), key=lambda drawn: drawn.scale)
        if not there:
            return photo
        width, height = self.size
        box = CropBox.around_box(0, 0, width, height)
        motions = [(self.people[drawn.number], drawn) for drawn in there]
        device = self.body.J_template.device
        betas, rotations = (
            torch.stack([getattr(motion, name)[drawn.row] for motion, drawn in motions]).to(device)
            for name in ("betas", "rotations")
        )
        meshes = mesh_of(self.body(betas, rotations)).cpu()
        labels = []
        for mesh, (motion, drawn) in zip(meshes, motions, strict=True):
            # Pixels a metre, and where the origin is, as the camera of the whole picture.
            scale, place = drawn.scale * self.ratio, motion.place[drawn.row] * self.ratio
            middle = (place - place.new_tensor((width / 2, height / 2))) / scale
            camera = (scale * 2 / box.size, *middle.tolist())
            colour = COLOURS[(drawn.number - 1) % len(COLOURS)]
            photo = overlay(photo, mesh, self.faces, camera, colour=colour, box=box, supersample=1)
            labels.append((drawn.number, (scale * mesh[:, :2].mean(0) + place).tolist()))
        return photo if len(self.people) == 1 else write_numbers(photo, labels)
