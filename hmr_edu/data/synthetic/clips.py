"""Short films of synthetic people who walk by, with everything known of every frame.

They look as the pictures of the training do: what is measured on them says whether the machinery of
videos works, and nothing about real videos.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.render.renderer import Renderer
from hmr_edu.data.synthetic.appearance import Appearance
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix

STEPS = 0.9  # double steps a second
LEGS, KNEES, ARMS = 0.45, 0.5, 0.35  # how far they swing, radians


class Walker(NamedTuple):
    """Somebody who walks through the picture.

    `start` and `end` are the places of the pelvis in the first and last frame, and `height` is that
    of the body, all in shares of the picture's height, counted from its upper left corner; `turn`
    is the heading in radians, 0 to the camera; `phase` that of the steps; `look` the seed of
    clothes and face.
    """

    start: tuple[float, float] = (0.45, 0.52)
    end: tuple[float, float] = (0.9, 0.52)
    height: float = 0.8
    turn: float = 0.6
    phase: float = 0.0
    look: int = 1


class ClipTruth(NamedTuple):
    """What is true of one walker in one frame: camera frame, metres; pixels from the edge."""

    rotations: Float[Tensor, "24 3 3"]
    betas: Float[Tensor, " 10"]
    keypoints3d: Float[Tensor, "19 3"]
    keypoints2d: Float[Tensor, "19 2"]


class SyntheticClip:
    """A film of people who walk; iterating draws its frames.

    Args:
        body: the body model.
        frames: their number.
        fps: frames a second.
        size: width and height, pixels.
        walkers: the people, the far ones first.
        betas: the shape of all of them; None is the mean shape.
    """

    def __init__(
        self,
        body: SMPL,
        frames: int = 100,
        fps: float | int = 25.0,
        size: tuple[int, int] = (640, 480),
        walkers: Sequence[Walker] = (Walker(),),
        betas: Float[Tensor, " 10"] | None = None,
    ) -> None:
        self.body, self.fps, self.size, self.walkers = body, fps, size, tuple(walkers)
        self.count = frames
        self.betas = torch.zeros(10) if betas is None else betas
        parts = body.weights.argmax(1).numpy().astype(np.uint8)
        self.renderer = Renderer(body.faces.numpy(), body.v_template.numpy(), parts)
        self.appearance = Appearance(body, APPEARANCES["clear"])

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        return (self.draw(frame) for frame in range(self.count))

    @torch.no_grad()
    def truth(self, frame: int) -> list[ClipTruth]:
        """Return what is true of every walker in a frame."""
        found = []
        for walker in self.walkers:
            rotations, camera = self._pose(walker, frame)
            keypoints = self.body(self.betas[None], rotations[None], vertices=False).keypoints[0]
            side = max(self.size)
            square = camera[0] * (keypoints[:, :2] + camera[1:])
            width, height = self.size
            pixels = (square * side + keypoints.new_tensor((width, height))) / 2
            found.append(ClipTruth(rotations, self.betas, keypoints, pixels))
        return found

    @torch.no_grad()
    def draw(self, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """Draw a frame."""
        side, (width, height) = max(self.size), self.size
        drawn = None
        for walker in self.walkers:
            rotations, camera = self._pose(walker, frame)
            vertices = self.body(self.betas[None], rotations[None]).vertices
            buffer = self.renderer(vertices, side, camera=camera[None])
            # The same seed in every frame: the same clothes, light and background.
            generator = torch.Generator().manual_seed(walker.look)
            picture = self.appearance(BodyPixels.of(buffer), generator).images[0]
            alpha = torch.from_numpy(buffer.coverage[0])
            drawn = picture if drawn is None else torch.lerp(drawn, picture, alpha)
        if drawn is None:
            raise ValueError("a clip needs a walker")
        top, left = (side - height) // 2, (side - width) // 2
        pixels = (drawn * 255 + 0.5).byte().permute(1, 2, 0).numpy()
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    def _pose(self, walker: Walker, frame: int) -> tuple[Tensor, Float[Tensor, " 3"]]:
        """Return a walker's rotations, and the camera (s, tx, ty) of the square around the film."""
        rotations = axis_angle_to_matrix(walk(frame / self.fps, walker.phase).view(24, 3))
        facing = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0]))
        heading = axis_angle_to_matrix(torch.tensor([0.0, walker.turn, 0.0]))
        rotations[0] = facing @ heading @ rotations[0]
        tall = self.body.v_template[:, 1]
        width, height = self.size
        scale = 2 * walker.height * height / max(self.size) / float(tall.max() - tall.min())
        share = frame / max(1, self.count - 1)
        x, y = (a + share * (b - a) for a, b in zip(walker.start, walker.end, strict=True))
        # From shares of the height to the square's [-1, 1].
        place = torch.tensor([2 * x * height - width, 2 * y * height - height]) / max(self.size)
        pelvis = self.body.J_template[0]
        shift = place / scale - pelvis[:2]
        return rotations, torch.cat([torch.tensor([scale]), shift])


def walk(seconds: float, phase: float = 0.0) -> Float[Tensor, "72"]:
    """Return the pose of somebody who walks, by sines; axis-angle, Y up, facing +Z."""
    angle = 2 * math.pi * STEPS * seconds + phase
    swing, lift = math.sin(angle), math.cos(angle)
    pose = torch.zeros(24, 3)
    at = {name: joint for joint, name in enumerate(SMPL_JOINTS)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[at[f"{side}_hip"], 0] = -LEGS * sign * swing
        # The knee bends while its leg swings forward.
        pose[at[f"{side}_knee"], 0] = 0.1 + KNEES * max(0.0, sign * lift)
        pose[at[f"{side}_shoulder"]] = torch.tensor([0.0, -sign * ARMS * swing, -sign * 1.15])
        pose[at[f"{side}_elbow"], 1] = -sign * 0.35
    return pose.flatten()
