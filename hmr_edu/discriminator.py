"""The adversary (paper, section 3.3): how human a body is, joint by joint and as a whole.

With 2D labels alone, a body may be in an impossible pose as long as its projection fits. The
discriminator learns from motion capture how real bodies look, and needs no images. It is factorised
as the body is: one critic for each joint, one for the full pose, one for the shape.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.io.precision import at_least_float32
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import split_theta

# SMPL's 24 joints without the root: a body looks equally real whichever way it faces.
NUM_BODY_JOINTS = 23
NUM_BETAS = 10


class JointHeads(nn.Module):
    """One linear critic for each joint: `joints` times `nn.Linear(features, 1)`, in one sum."""

    def __init__(self, joints: int, features: int):
        super().__init__()
        bound = 1 / math.sqrt(features)  # as nn.Linear starts
        self.weight = nn.Parameter(torch.empty(joints, features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(joints).uniform_(-bound, bound))

    def forward(
        self, features: Float[Tensor, "batch joints features"]
    ) -> Float[Tensor, "batch joints"]:
        """Apply to the features of joint k the weights of critic k."""
        return (features * self.weight).sum(dim=-1) + self.bias


class Discriminator(nn.Module):
    """25 critics: 23 joints, the full pose, the shape. Real is 1, fake is 0; no sigmoid (LSGAN).

    Source: paper section 3.3 and akanazawa/hmr; 1,807,619 parameters. The joint features come from
    two layers that all joints share ("1x1 convolutions" 9 -> 32 -> 32). Their ReLUs matter:
    MandyMo/pytorch_HMR and mmhuman3d leave them out, so that the critic of a joint is affine in R.
    """

    def __init__(self, features: int = 32, hidden: int = 1024):
        super().__init__()
        self.joint_features = nn.Sequential(
            nn.Linear(9, features), nn.ReLU(), nn.Linear(features, features), nn.ReLU()
        )
        self.joint_heads = JointHeads(NUM_BODY_JOINTS, features)
        self.pose_head = nn.Sequential(
            nn.Linear(NUM_BODY_JOINTS * features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
        self.shape_head = nn.Sequential(
            nn.Linear(NUM_BETAS, 10), nn.ReLU(), nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1)
        )

    def forward(
        self, rotations: Float[Tensor, "batch 23 3 3"], betas: Float[Tensor, "batch 10"]
    ) -> Float[Tensor, "batch 25"]:
        """Score the rotation matrices of joints 1..23 and the shape: [23 joints, pose, shape].

        Rotations are matrices: one rotation has many axis-angle vectors, with a cut at pi. Raises
        ValueError on other shapes; the usual mistake is to include the root's rotation.
        """
        if rotations.shape[1:] != (NUM_BODY_JOINTS, 3, 3) or betas.shape[1:] != (NUM_BETAS,):
            raise ValueError(
                "the discriminator takes rotations [B,23,3,3] (no root) and betas [B,10], "
                f"got {list(rotations.shape)} and {list(betas.shape)}"
            )
        dtype = self.joint_heads.weight.dtype
        rotations, betas = rotations.to(dtype), betas.to(dtype)
        features = self.joint_features(rotations.flatten(start_dim=2))
        joints = self.joint_heads(features)
        pose = self.pose_head(features.flatten(start_dim=1))
        shape = self.shape_head(betas)
        return torch.cat((joints, pose, shape), dim=1)

    def from_theta(self, theta: Float[Tensor, "batch 85"]) -> Float[Tensor, "batch 25"]:
        """Score a whole theta; its camera and its root rotation are left out."""
        _, pose, betas = split_theta(theta)
        joints = pose[:, 3:].unflatten(1, (NUM_BODY_JOINTS, 3))
        return self(axis_angle_to_matrix(joints), betas)


@at_least_float32
def lsgan_encoder_loss(
    outputs: Float[Tensor, "samples critics"],
    critic_weights: Float[Tensor, " critics"] | None = None,
) -> Float[Tensor, ""]:
    """Return the encoder's adversarial loss: mean over samples of sum (D - 1)^2.

    It is small when the critics call the predictions real, and 6.25 when 25 critics all say 0.5.
    `outputs` may hold the fakes of all regression steps, one below the other. `critic_weights` can
    switch critics off, such as those of joints that never move in the real poses.
    """
    return _critic_sum((outputs - 1).square(), critic_weights)


@at_least_float32
def lsgan_discriminator_loss(
    real: Float[Tensor, "reals critics"],
    fake: Float[Tensor, "fakes critics"],
    critic_weights: Float[Tensor, " critics"] | None = None,
) -> Float[Tensor, ""]:
    """Return the discriminator's loss: real = 1, fake = 0, least squares (paper, section 3.3).

    It is a sum over critics and a mean over each batch; the batches may differ in size. It is 12.5
    when 25 critics all say 0.5. The caller detaches the fakes.
    """
    return _critic_sum((real - 1).square(), critic_weights) + _critic_sum(
        fake.square(), critic_weights
    )


def _critic_sum(
    errors: Float[Tensor, "samples critics"], critic_weights: Float[Tensor, " critics"] | None
) -> Float[Tensor, ""]:
    if critic_weights is not None:
        errors = errors * critic_weights
    return errors.sum() / max(len(errors), 1)
