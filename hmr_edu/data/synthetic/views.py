"""Cameras before synthetic people: from where they are seen, and how they fill the crop."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import fit_weak_perspective, perspective
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.rotations import axis_angle_to_matrix

# Keypoints in a picture that cuts people off, as box detectors do: all above the knees, all above
# the hips, or head and shoulders; and how often each happens.
ABOVE_KNEES, ABOVE_HIPS = (1, 2, 3, 4, *range(6, 19)), (2, 3, *range(6, 19))
HEAD_AND_SHOULDERS = (8, 9, *range(12, 19))
CUTS = ((ABOVE_KNEES, 0.4), (ABOVE_HIPS, 0.4), (HEAD_AND_SHOULDERS, 0.2))
# The smallest 1 / focal length.
FARTHEST = 1e-5
# Least distance, in metres, between the camera and a keypoint.
NEAREST = 0.8


@runtime_checkable
class ViewOptions(Protocol):
    """The options of `SyntheticConfig` that say how people are framed."""

    fill: tuple[float, float]
    shift: float
    cut: float
    inverse_focal: tuple[float, float]


class PinholeView(NamedTuple):
    """The pinhole before each person, and what it sees; lengths in metres and half-crops."""

    translation: Float[Tensor, "batch 3"]
    focal: Float[Tensor, " batch"]
    keypoints2d: Float[Tensor, "batch 19 2"]

    def weak_camera(self, keypoints: Float[Tensor, "batch 19 3"]) -> Float[Tensor, "batch 3"]:
        """Return the best camera that the network can predict: its model has no perspective."""
        return fit_weak_perspective(keypoints, self.keypoints2d)


def draw_viewpoints(
    pitch: Float[Tensor, " batch"], roll: Float[Tensor, " batch"], g: torch.Generator
) -> Float[Tensor, "batch 3 3"]:
    """Draw rotations from world to camera: any yaw, some pitch and roll, Y up to y down.

    `pitch` and `roll` are standard deviations in degrees.
    """
    n = len(pitch)
    pitch, roll = torch.randn(2, n, generator=g) * torch.stack([pitch, roll])
    yaw = 2 * math.pi * torch.rand(n, generator=g)
    zero = torch.zeros(n)
    about_x = axis_angle_to_matrix(torch.stack([pitch.deg2rad() + math.pi, zero, zero], 1))
    about_y = axis_angle_to_matrix(torch.stack([zero, yaw, zero], 1))
    about_z = axis_angle_to_matrix(torch.stack([zero, zero, roll.deg2rad()], 1))
    return about_z @ about_x @ about_y


def draw_turns(n: int, share: float, seed: int) -> Float[Tensor, "{n} 3 3"]:
    """Draw rotations in the picture's plane by any angle, for a share of people; else identity."""
    draws = Draws(n, seed)
    angle = torch.where(draws.chance(share), draws.uniform(-math.pi, math.pi), 0.0)
    zero = torch.zeros(n)
    return axis_angle_to_matrix(torch.stack([zero, zero, angle], 1))


def draw_view(
    keypoints: Float[Tensor, "batch 19 3"], options: ViewOptions, g: torch.Generator
) -> PinholeView:
    """Draw where people are in their crops and a focal length; return what the pinhole sees."""
    n = len(keypoints)
    low, high = _framed(keypoints[..., :2], options.cut, g)
    extent = (high - low).amax(1) + 0.1  # heads and hands reach beyond their keypoints
    fill = options.fill[0] + (options.fill[1] - options.fill[0]) * torch.rand(n, generator=g)
    scale = 2 * fill / extent
    shift = options.shift * (2 * torch.rand(n, 2, generator=g) - 1)
    t = shift / scale[:, None] - (low + high) / 2
    low_inverse, high_inverse = options.inverse_focal
    # Weak perspective, 0, is a camera very far away.
    focal = 1 / (low_inverse + (high_inverse - low_inverse) * torch.rand(n, generator=g)).clamp_min(
        FARTHEST
    )
    # Where a foot or hand would touch the lens, step back with a longer lens: same size.
    distance = torch.maximum(focal / scale, NEAREST - keypoints[..., 2].amin(1))
    focal = distance * scale
    translation = torch.cat([t, (focal / scale)[:, None]], dim=1)
    return PinholeView(translation, focal, perspective(keypoints, translation, focal))


def _framed(
    points: Float[Tensor, "batch 19 2"], cut: float, g: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """Return the corners of the box to be cropped: the whole person or the upper part."""
    low, high = points.amin(1), points.amax(1)
    if cut:
        chance = torch.rand(len(points), generator=g) / cut
        for shown, share in CUTS:
            shown_points = points[:, list(shown)]
            rows = ((chance >= 0) & (chance < share))[:, None]
            low = torch.where(rows, shown_points.amin(1), low)
            high = torch.where(rows, shown_points.amax(1), high)
            chance = chance - share
    return low, high
