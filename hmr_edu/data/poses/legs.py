"""Where legs go: feet put down on the ground, thighs and shins pointed in directions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.data.poses.limbs import LEGS, MIRROR, Figure, about, bones

# How much the wish for a knee's side counts beside the bend of the leg itself.
FAINT = 0.1
Numbers = Float[Tensor, " n"]


def downwards(side: str, forwards: Numbers, outwards: Numbers) -> Float[Tensor, "n 3"]:
    """Return the way from a hip to the ground one metre below; angles in degrees."""
    x, z = outwards.deg2rad().tan(), forwards.deg2rad().tan()
    return torch.stack([x, -torch.ones_like(x), z], 1) * torch.tensor(MIRROR[side])


def step(
    figure: Figure,
    side: str,
    way: Float[Tensor, "n 3"],
    length: Numbers,
    toes: Numbers,
    pitch: Numbers,
) -> None:
    """Put a foot down in the world.

    Args:
        figure: the people.
        side: of the foot.
        way: direction from the hip to the ankle.
        length: distance of the ankle from the hip.
        toes: outward turn of knee and toes, degrees.
        pitch: how far the toes point down, degrees.
    """
    leg, outwards = LEGS[side], MIRROR[side][0] * toes
    target = figure.joints[:, leg.root] + normalize(way, dim=1) * length[:, None]
    figure.reach(leg, target, about("y", outwards)[:, :, 2])
    figure.turn(leg.end, about("y", outwards) @ about("x", pitch))


def towards(side: str, elevation: Numbers, outwards: Numbers) -> Float[Tensor, "n 3"]:
    """Return unit vectors: forwards, raised by `elevation`, turned to the leg's own side; degrees.

    An elevation of -90 points down, one beyond it down and backwards.
    """
    up, out = elevation.deg2rad(), outwards.deg2rad()
    vectors = torch.stack([out.sin() * up.cos(), up.sin(), out.cos() * up.cos()], 1)
    return vectors * torch.tensor(MIRROR[side])


def point(
    figure: Figure,
    side: str,
    thigh: Float[Tensor, "n 3"],
    shin: Float[Tensor, "n 3"],
    front: Float[Tensor, "n 3"],
) -> None:
    """Point thigh and shin in directions of the world.

    Args:
        figure: the people.
        side: of the leg.
        thigh: unit vectors.
        shin: unit vectors; the knee bends in the plane of both.
        front: the side to which the front of a stretched leg points.
    """
    leg = LEGS[side]
    upper, lower = (bone.norm() for bone in bones(leg)[:2])
    target = figure.joints[:, leg.root] + upper * thigh + lower * shin
    figure.reach(leg, target, normalize(thigh - shin + FAINT * front, dim=1))


def point_toes(figure: Figure, side: str, degrees: Numbers) -> None:
    """Point the toes away from the shin, by so many degrees beyond the foot's rest."""
    figure.rotations[:, LEGS[side].end] = about("x", degrees)
    figure.update()
