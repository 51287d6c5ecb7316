"""Discriminators to compare: the paper's 25 critics, some of them, one big one, or without ReLU."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.discriminator import NUM_BETAS, NUM_BODY_JOINTS, Discriminator
from hmr_edu.training.adversarial import UNMEASURED_JOINTS, critic_weights

CriticKind = Literal["factorized", "joints", "full pose", "one big"]


class OneCritic(nn.Module):
    """One critic for everything: rotations and shape in, one score out.

    It is not shown the joints that the mocap does not measure, as their critics are muted in
    `critic_weights`.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.shown = [k for k in range(NUM_BODY_JOINTS) if k + 1 not in UNMEASURED_JOINTS]
        self.layers = nn.Sequential(
            nn.Linear(9 * len(self.shown) + NUM_BETAS, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(
        self, rotations: Float[Tensor, "batch 23 3 3"], betas: Float[Tensor, "batch 10"]
    ) -> Float[Tensor, "batch 1"]:
        """Score whole bodies."""
        return self.layers(torch.cat((rotations[:, self.shown].flatten(1), betas), dim=1))


def build_critics(
    kind: CriticKind, hidden: int = 1024, relu: bool = True
) -> tuple[nn.Module, Float[Tensor, " critics"]]:
    """Return critics and what each counts; the counts always add up to the paper's.

    `relu=False` leaves the ReLUs of the joint features out, as MandyMo/pytorch_HMR does.
    """
    total = critic_weights().sum()
    if kind == "one big":
        return OneCritic(hidden), total[None]
    critics = Discriminator(hidden=hidden)
    if not relu:
        critics.joint_features[1] = critics.joint_features[3] = nn.Identity()
    counts = critic_weights()
    if kind == "joints":
        counts[NUM_BODY_JOINTS] = 0
    if kind == "full pose":
        counts[:NUM_BODY_JOINTS] = 0
    return critics, counts * total / counts.sum()
