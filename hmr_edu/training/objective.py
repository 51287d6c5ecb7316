"""The training objective: which losses are summed, with which weights, over which steps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu import losses
from hmr_edu.body import SMPL
from hmr_edu.data.batch import Batch
from hmr_edu.discriminator import Discriminator
from hmr_edu.encoder.heads import Features
from hmr_edu.hmr import Prediction
from hmr_edu.training.config import LossConfig

# Joints whose rotations retargeted mocap does not measure (feet, collars, hands): always
# nearly zero there, so a critic would tell bodies apart by them alone.
UNMEASURED_JOINTS = (10, 11, 13, 14, 22, 23)


def critic_weights() -> Float[Tensor, "25"]:
    """Weight of each of the 25 critics: 0 for the joints that the mocap does not measure."""
    weights = torch.ones(25)
    # The critics leave the root out, so joint j is output j - 1.
    weights[[joint - 1 for joint in UNMEASURED_JOINTS]] = 0
    return weights


def supervised_losses(
    predictions: list[Prediction],
    features: Features,
    batch: Batch,
    config: LossConfig,
    body: SMPL,
) -> dict[str, Float[Tensor, ""]]:
    """Every supervised term that has a weight, before weighting.

    Each term is computed for every regression step and summed with the steps' weights; the
    auxiliary terms belong to the encoder, which has no steps.
    """
    weights = losses.step_weights(config.steps, len(predictions))
    terms: dict[str, list[Tensor]] = {}

    def add(name: str, value: Tensor) -> None:
        terms.setdefault(name, []).append(value)

    target_vertices = None
    if config.mesh:
        with torch.no_grad():
            target_vertices = body(batch.betas, batch.rotations).vertices
    for p in predictions:
        if config.keypoints2d:
            loss = losses.keypoints2d_loss(p.keypoints2d, batch.keypoints2d, batch.visible)
            add("keypoints2d", loss)
        if config.keypoints3d:
            loss = losses.keypoints3d_loss(p.keypoints3d, batch.keypoints3d, batch.has_3d)
            add("keypoints3d", loss)
        if config.pose or config.betas:
            pose, betas = losses.theta_loss(
                p.rotations, p.betas, batch.rotations, batch.betas, batch.has_theta
            )
            add("pose", pose)
            add("betas", betas)
        if target_vertices is not None:
            add("mesh", losses.mesh_loss(p.vertices, target_vertices, batch.has_theta))
    result = {name: losses.per_step(values, weights) for name, values in terms.items()}

    if config.heatmaps and features.heatmaps is not None:
        result["heatmaps"] = losses.heatmap_loss(
            features.heatmaps, batch.keypoints2d, batch.visible
        )
    if config.depths and features.depths is not None:
        result["depths"] = losses.depth_loss(features.depths, batch.keypoints3d, batch.has_3d)
    if config.parts and features.parts is not None:
        result["parts"] = losses.parts_loss(features.parts, batch.parts, batch.has_parts)
    return result


def fakes(
    predictions: list[Prediction],
) -> tuple[Float[Tensor, "fakes 23 3 3"], Float[Tensor, "fakes 10"]]:
    """What the critics are shown of the predictions: every step, no root, no camera."""
    rotations = torch.cat([p.rotations[:, 1:] for p in predictions])
    return rotations, torch.cat([p.betas for p in predictions])


def adversary_loss(critic: Discriminator, predictions: list[Prediction]) -> Float[Tensor, ""]:
    """How far the critics are from taking the predictions for real (LSGAN, encoder's side)."""
    rotations, betas = fakes(predictions)
    weights = critic_weights().to(betas.device, non_blocking=True)
    return losses.lsgan_encoder_loss(critic(rotations, betas), weights)


def critic_loss(
    critic: Discriminator,
    predictions: list[Prediction],
    real_rotations: Float[Tensor, "reals 23 3 3"],
    real_betas: Float[Tensor, "reals 10"],
) -> Float[Tensor, ""]:
    """How badly the critics tell real bodies from predicted ones (LSGAN, their side)."""
    rotations, betas = fakes(predictions)
    weights = critic_weights().to(betas.device, non_blocking=True)
    # Real and predicted bodies in one batch: two batches take longer.
    outputs = critic(
        torch.cat((real_rotations, rotations.detach())), torch.cat((real_betas, betas.detach()))
    )
    real, fake = outputs.split((len(real_betas), len(betas)))
    return losses.lsgan_discriminator_loss(real, fake, weights)
