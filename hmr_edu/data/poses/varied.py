"""Poses beside those that were recorded: everyday upright people, and unusual ones.

Motion capture shows people who walk, dance and climb, with bent knees. People who stand and talk
have straight legs; gymnasts, people on one leg and people who fall have poses that nobody recorded.
Both are made from other draws here, within the limits of the joints.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.bent_legs import LEGS
from hmr_edu.data.poses.prior import PosePrior
from hmr_edu.io.precision import float32_by_default
from hmr_edu.keypoints import SMPL_JOINTS

# Joints of each limb, from the body outwards.
LIMBS = {
    f"{side}_{limb}": [SMPL_JOINTS.index(f"{side}_{joint}") for joint in joints]
    for side in ("left", "right")
    for limb, joints in (
        ("arm", ("collar", "shoulder", "elbow", "wrist", "hand")),
        ("leg", ("hip", "knee", "ankle", "foot")),
    )
}
ARMS = LIMBS["left_arm"] + LIMBS["right_arm"]
EXCHANGED = (ARMS, LIMBS["left_leg"] + LIMBS["right_leg"], LIMBS["left_leg"], LIMBS["left_arm"])
# Degrees that a stretched knee and a straight hip still bend: half of the largest, on average.
STRAIGHT_KNEE, STRAIGHT_HIP = 12, 15
# Largest factor by which unusual poses are farther from rest than the draws that they are made of.
FARTHER = 1.6
BODY = slice(3, None)  # the angles of a pose without its root


class Upright:
    """A pose source: draws of the prior whose legs are nearly straight, side by side."""

    def __init__(self, prior: PosePrior) -> None:
        self.prior = prior

    @float32_by_default
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw `n` poses, Y up; the draws depend on the generator alone."""
        pose = self.prior.sample(n, generator, recline=0.0).unflatten(1, (24, 3))
        for hip, knee, sign in LEGS:
            bend, flexion = torch.rand(2, n, generator=generator)
            spread, twist = torch.randn(2, n, generator=generator)
            pose[:, knee] = 0.0
            pose[:, knee, 0] = (STRAIGHT_KNEE * bend).deg2rad()
            angles = [-STRAIGHT_HIP * (flexion - 0.3), 8 * twist, sign * (4 + 4 * spread)]
            pose[:, hip] = torch.stack(angles, 1).deg2rad()
        return pose.flatten(1)


class Unusual:
    """A pose source: limbs of different draws put together, and bent farther than recorded.

    On one leg, in a lunge, in the splits, upside down: whoever has seen these is less surprised by
    a pose that is not among them.
    """

    def __init__(self, prior: PosePrior) -> None:
        self.prior = prior

    @float32_by_default
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw `n` poses, Y up; the draws depend on the generator alone."""
        pose = self.prior.sample(n, generator, recline=0.3)
        for limb in LIMBS.values():
            pose = exchange(pose, limb, 0.5, generator)
        farther = 1 + (FARTHER - 1) * torch.rand(n, 1, generator=generator)
        pose[:, BODY] = (farther * pose[:, BODY]).clamp(self.prior.low, self.prior.high)
        return pose


@float32_by_default
def exchange(
    pose: Float[Tensor, "n 72"], joints: list[int], share: float, generator: torch.Generator
) -> Float[Tensor, "n 72"]:
    """Give some people the joints of other people of the batch; return a new batch.

    Args:
        pose: axis-angle poses.
        joints: which joints they get.
        share: how many people get them.
        generator: of the draws.
    """
    n = len(pose)
    others = torch.randint(max(n, 1), (n,), generator=generator)
    chosen = torch.rand(n, 1, 1, generator=generator) < share
    mixed = pose.clone().unflatten(1, (24, 3))
    mixed[:, joints] = torch.where(chosen, mixed[others][:, joints], mixed[:, joints])
    return mixed.flatten(1)


@float32_by_default
def vary(
    pose: Float[Tensor, "n 72"], generator: torch.Generator, share: float = 0.15, noise: float = 3.4
) -> Float[Tensor, "n 72"]:
    """Exchange limbs between the poses of a batch, and disturb the joints of half of them.

    Args:
        pose: axis-angle poses, root first; the root stays.
        generator: of the draws.
        share: of people who get the arms, the legs, one leg, one arm of somebody else.
        noise: standard deviation of the joints' disturbance, in degrees.
    """
    for joints in EXCHANGED:
        pose = exchange(pose, joints, share, generator)
    n = len(pose)
    disturbed = torch.rand(n, 1, generator=generator) < 0.5
    disturbance = torch.deg2rad(noise * torch.randn(n, 69, generator=generator))
    pose[:, BODY] += torch.where(disturbed, disturbance, 0.0)
    return pose
