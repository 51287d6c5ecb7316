"""The 85 numbers that HMR predicts: theta = camera 3 | pose 72 | betas 10."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

THETA_SIZE = 85


class Theta(NamedTuple):
    """The parts of theta: camera (s, tx, ty), axis-angle pose (radians, root first), betas."""

    camera: Float[Tensor, "*batch 3"]
    pose: Float[Tensor, "*batch 72"]
    betas: Float[Tensor, "*batch 10"]


def split_theta(theta: Float[Tensor, "*batch 85"]) -> Theta:
    """Split [..., 85] into camera [..., 3], pose [..., 72] and betas [..., 10] (views)."""
    return Theta(*theta.split((3, 72, 10), dim=-1))


def join_theta(
    camera: Float[Tensor, "*batch 3"],
    pose: Float[Tensor, "*batch 72"],
    betas: Float[Tensor, "*batch 10"],
) -> Float[Tensor, "*batch 85"]:
    """Join camera, pose and betas into theta; the inverse of `split_theta`."""
    return torch.cat((camera, pose, betas), dim=-1)


def mean_theta() -> Float[Tensor, " 85"]:
    """Return the start of the regression: scale 0.9, centred, upright, facing us, average shape.

    The root is Rx(pi) because the image's y points down and the body's points up. The public HMR
    files carry another mean shape, which has a meaning only in SMPL's own shape space.
    """
    theta = torch.zeros(THETA_SIZE)
    theta[0] = 0.9
    theta[3] = math.pi
    return theta
