"""Legs that look straight in a picture, and how far a network bends their knees.

People who stand bend their knees by some 5 to 10 degrees. A network that has learned from dancers
bends everybody's, which no 2D score shows: a bent knee that points at the camera looks straight.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.keypoints import COCOPLUS

LEGS = tuple(
    tuple(COCOPLUS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)
# A leg looks straight when the knee bends less than this in the picture, in degrees, ...
STRAIGHT = 12.0
# ... and it is at least so long, in shares of the box's longer side: no shorter leg is seen
# from the side.
LONG = 0.35


def knee_bends(keypoints: Float[Tensor, "people 19 d"]) -> Float[Tensor, "people 2"]:
    """Return how far the left and the right knee bend: 0 is stretched; degrees.

    `d` is 3 for the bend itself, and 2 for the bend as it looks in the picture.
    """
    bends = []
    for hip, knee, ankle in LEGS:
        thigh = keypoints[:, knee] - keypoints[:, hip]
        shin = keypoints[:, ankle] - keypoints[:, knee]
        cosine = torch.cosine_similarity(thigh, shin, dim=1)
        bends.append(cosine.clamp(-1, 1).arccos().rad2deg())
    return torch.stack(bends, 1)


def look_straight(
    keypoints2d: Float[Tensor, "people 19 2"], visible: Float[Tensor, "people 19"], side: float
) -> Bool[Tensor, "people 2"]:
    """Return whose left and right leg look straight in the picture.

    All three joints must be annotated. `side` is the longer side of people's boxes, in the unit of
    the keypoints.
    """
    long, seen = [], []
    for hip, knee, ankle in LEGS:
        thigh = (keypoints2d[:, knee] - keypoints2d[:, hip]).norm(dim=1)
        shin = (keypoints2d[:, ankle] - keypoints2d[:, knee]).norm(dim=1)
        long.append(thigh + shin >= LONG * side)
        seen.append((visible[:, [hip, knee, ankle]] > 0).all(1))
    bends = knee_bends(keypoints2d)
    return torch.stack(long, 1) & torch.stack(seen, 1) & (bends < STRAIGHT)


def cut_off(visible: Float[Tensor, "people 19"]) -> Bool[Tensor, " people"]:
    """Return who shows only a part: of whom no ankle is annotated."""
    ankles = [ankle for _, _, ankle in LEGS]
    return (visible[:, ankles] == 0).all(1)
