"""Poses that recordings of walking and dancing people lack: sitting, squatting, kicking.

The shipped prior knows only what was recorded, and a network trained on it alone is worst at legs
that are drawn up (see `docs/weights.md`). Here the legs of its draws are bent, within the limits of
hips and knees. Everything above the hips stays as the prior drew it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.prior import PosePrior
from hmr_edu.io.precision import float32_by_default
from hmr_edu.keypoints import SMPL_JOINTS

# Ranges in degrees; draws are uniform in a range.
FLEXION = (20, 125)  # of the hip: the thigh forwards
KNEE = (0, 145)
ABDUCTION = (-10, 45)  # the thigh outwards
TWIST = 15  # of the thigh about itself: standard deviation
BOTH_LEGS = 0.6  # share of people who bend both legs; the others lift one
ALIKE = 0.8  # share of people whose legs do the same, where both bend
STOOP = 60  # the largest additional forward bend of the spine
STOOPS = 0.3  # share of people with such a bend
SPINE = [SMPL_JOINTS.index(f"spine{k}") for k in (1, 2, 3)]
# (hip, knee, sign): abducting turns the left thigh about +z, the right one about -z.
LEGS = [
    (SMPL_JOINTS.index(f"{side}_hip"), SMPL_JOINTS.index(f"{side}_knee"), sign)
    for side, sign in (("left", 1.0), ("right", -1.0))
]


class BentLegs:
    """A pose source: draws of the prior with one leg or both drawn up."""

    def __init__(self, prior: PosePrior) -> None:
        self.prior = prior

    @float32_by_default
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw `n` poses, Y up; the draws depend on the generator alone."""
        pose = self.prior.sample(n, generator, recline=0.2).unflatten(1, (24, 3))
        both = torch.rand(n, generator=generator) < BOTH_LEGS
        lifted = torch.randint(2, (n,), generator=generator)
        for leg, angles in enumerate(self._legs(n, generator)):
            hip, knee, sign = LEGS[leg]
            rows = both | (lifted == leg)
            flexion, bend, abduction, twist = angles[:, rows].deg2rad()
            pose[rows, hip] = torch.stack([-flexion, twist, sign * abduction], 1)
            pose[rows, knee] = torch.stack([bend, 0 * bend, 0 * bend], 1)
        stoop, chance = torch.rand(2, n, generator=generator)
        stoop = (STOOP * stoop * (chance < STOOPS)).deg2rad()
        pose[:, SPINE, 0] += stoop[:, None] / len(SPINE)
        return pose.flatten(1)

    def _legs(self, n: int, generator: torch.Generator) -> list[Float[Tensor, "4 n"]]:
        """Draw flexion, bend of the knee, abduction and twist of the left and the right leg."""
        low, high = torch.tensor([FLEXION, KNEE, ABDUCTION]).float().T[..., None]
        common, *own = torch.rand(3, 3, n, generator=generator)
        alike = torch.rand(n, generator=generator) < ALIKE
        legs = []
        for share in own:
            # Either nearly the same as the other leg (within a tenth of the range), or independent.
            similar = (common + (share - 0.5) / 5).clamp(0, 1)
            angles = low + (high - low) * torch.where(alike, similar, share)
            twist = TWIST * torch.randn(1, n, generator=generator)
            legs.append(torch.cat([angles, twist]))
        return legs
