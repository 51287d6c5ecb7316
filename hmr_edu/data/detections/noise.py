"""What a detector or an annotator says of a person: keypoints that are off, swapped or missing.

A network that is trained on true keypoints believes everything. Each step here is one kind of error
that real keypoints have; each can be switched off, to measure what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.data.detections.joint_sets import JOINT_SETS
from hmr_edu.io.precision import float32_by_default
from hmr_edu.io.ranges import Probability, Range
from hmr_edu.keypoints import COCOPLUS, COCOPLUS_FLIP

K = {name: index for index, name in enumerate(COCOPLUS)}
FACE = [K[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
# (keypoint, from, to, spread): data sets disagree on where a keypoint is along the line from one
# point to another, by up to `spread` of its length, on both sides of the body alike.
DEFINITIONS = (
    ("knee", "hip", "knee", 0.06),
    ("ankle", "hip", "knee", 0.06),
    ("ankle", "knee", "ankle", 0.08),
    ("elbow", "shoulder", "elbow", 0.06),
    ("wrist", "shoulder", "elbow", 0.06),
    ("wrist", "elbow", "wrist", 0.1),
    ("hip", "middle of hips", "hip", 0.5),
    ("hip", "middle of hips", "middle of shoulders", 0.06),
    ("shoulder", "middle of shoulders", "shoulder", 0.16),
    ("neck", "middle of shoulders", "neck", 0.6),
    ("head_top", "neck", "head_top", 0.12),
)
MIDDLE_NECK = 0.35  # share of people whose neck is the middle of their shoulders
FACE_SPREAD = 0.02  # metres
# Share of people of whom a joint set is all that is known.
SETS = (("cocoplus", 0.25), ("lsp", 0.3), ("coco17", 0.3), ("body25", 0.15))
LIMB_ENDS = [
    [K[f"{side}_{joint}"] for joint in joints]
    for side in ("left", "right")
    for joints in (("elbow", "wrist"), ("knee", "ankle"))
]
SWAPPED = (("elbow", "wrist", "shoulder"), ("hip", "knee", "ankle"), None)  # None: everything
CONFIDENT = 0.04  # the noise, in boxes, at which a graded confidence is 1 / e
# Share of keypoints of a face that looks away which are missing; share of people of whom nothing is
# hidden, as where somebody projects 3D joints. Without them a whole face meant "looks at us", and
# one in eight people with all their keypoints was turned round.
HIDDEN_FACE, ALL_KNOWN = 0.8, 0.35


@dataclass
class DetectionConfig:
    """Errors of the simulated 2D keypoints."""

    # Smallest and largest noise of a person's keypoints: standard deviations, as shares of the
    # longer side of the box around them.
    noise: Annotated[tuple[float, float], Range(1e-6, 1, ordered=True)] = (0.003, 0.06)
    # Largest difference between data sets' ideas of a keypoint, as a multiple of the usual ones.
    definitions: Annotated[float, Range(0, 3)] = 1.0
    # Share of keypoints that are anywhere in the box.
    outliers: Probability = 0.015
    # Share of people with left and right arms swapped; as many have legs or everything swapped.
    swaps: Probability = 0.04
    # Share of people who have only the keypoints of a joint set.
    sets: Probability = 1.0
    # Share of limbs that are missing.
    limbs: Probability = 0.04
    # Share of people whose keypoints are missing at random, up to half of them.
    missing: Probability = 0.3


@float32_by_default
def redefine(
    keypoints: Float[Tensor, "n 19 3"], amount: float, g: torch.Generator
) -> Float[Tensor, "n 19 3"]:
    """Move 3D keypoints to where another data set, or other bones, would have them.

    `amount` multiplies all spreads; 0 changes nothing.
    """
    n = len(keypoints)
    moved = keypoints.clone()
    if not amount:
        return moved

    def place(name: str, side: str) -> Tensor:
        if name.startswith("middle of "):
            joint = name.removeprefix("middle of ").removesuffix("s")
            return (keypoints[:, K[f"left_{joint}"]] + keypoints[:, K[f"right_{joint}"]]) / 2
        return keypoints[:, K[name if name in K else f"{side}_{name}"]]

    for name, start, end, spread in DEFINITIONS:
        shift = amount * spread * (2 * torch.rand(n, 1, generator=g) - 1)
        for side in ("",) if name in K else ("left", "right"):
            target = K[name if name in K else f"{side}_{name}"]
            moved[:, target] += shift * (place(end, side) - place(start, side))
    in_the_middle = torch.rand(n, 1, generator=g) < MIDDLE_NECK
    moved[:, K["neck"]] = torch.where(in_the_middle, place("middle of shoulders", ""), moved[:, 12])
    moved[:, FACE] += amount * FACE_SPREAD * torch.randn(n, len(FACE), 3, generator=g)
    return moved


@float32_by_default
def disturb(
    keypoints2d: Float[Tensor, "n 19 2"], config: DetectionConfig, g: torch.Generator
) -> tuple[Float[Tensor, "n 19 2"], Float[Tensor, "n 19"]]:
    """Add noise, outliers and swaps of left and right; return the places and confidences."""
    n = len(keypoints2d)
    low, high = keypoints2d.amin(1, keepdim=True), keypoints2d.amax(1, keepdim=True)
    side = (high - low).amax(2, keepdim=True)
    smallest, largest = torch.tensor(config.noise).log()
    sigma = (smallest + (largest - smallest) * torch.rand(n, 1, generator=g)).exp()
    sigma = sigma * (0.5 * torch.randn(n, 19, generator=g)).exp()
    places = keypoints2d + side * sigma[..., None] * torch.randn(n, 19, 2, generator=g)
    graded = torch.rand(n, 1, generator=g) < 0.5
    confidence = torch.where(graded, (-sigma / CONFIDENT).exp(), 1.0)
    outlier = torch.rand(n, 19, 1, generator=g) < config.outliers
    anywhere = low + (high - low) * (1.2 * torch.rand(n, 19, 2, generator=g) - 0.1)
    places = torch.where(outlier, anywhere, places)
    for joints in SWAPPED:
        rows = torch.rand(n, 1, generator=g) < config.swaps
        swapped = rows & torch.tensor(
            [joints is None or name.partition("_")[2] in joints for name in COCOPLUS]
        )
        places = torch.where(swapped[..., None], places[:, COCOPLUS_FLIP], places)
    return places, confidence


@float32_by_default
def seen(
    keypoints: Float[Tensor, "n 19 3"], config: DetectionConfig, g: torch.Generator
) -> Bool[Tensor, "n 19"]:
    """Draw which keypoints there are, of people in the camera's frame."""
    n = len(keypoints)
    known = torch.ones(n, 19, dtype=torch.bool)
    chance = torch.rand(n, generator=g) / max(config.sets, 1e-9)
    for name, share in SETS:
        of_set = torch.tensor([keypoint in JOINT_SETS[name] for keypoint in COCOPLUS])
        rows = ((chance >= 0) & (chance < share))[:, None]
        known &= of_set | ~rows
        chance = chance - share
    for ends in LIMB_ENDS:
        gone = torch.rand(n, 1, generator=g) < config.limbs
        known[:, ends] &= ~gone
    # Depths behind the ears: a face that looks away is hidden by the head.
    depth = (
        keypoints[:, FACE, 2] - keypoints[:, [K["left_ear"], K["right_ear"]], 2].mean(1)[:, None]
    )
    hidden = (depth > 0.04) & (torch.rand(n, len(FACE), generator=g) < HIDDEN_FACE)
    hidden &= torch.rand(n, 1, generator=g) >= ALL_KNOWN
    known[:, FACE] &= ~hidden
    share = 0.5 * torch.rand(n, 1, generator=g)
    lossy = torch.rand(n, 1, generator=g) < config.missing
    return known & ~(lossy & (torch.rand(n, 19, generator=g) < share))
