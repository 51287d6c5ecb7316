"""The training objective: the registered loss terms, summed over the regression steps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.body.surface import spread_vertices
from hmr_edu.data.batch import Batch, MeshBatch
from hmr_edu.encoder.heads import Features
from hmr_edu.hmr import Prediction
from hmr_edu.losses import TERMS, per_step, step_weights
from hmr_edu.training.config import LossOptions
from hmr_edu.weak_mesh import VERTICES


def active_terms(config: LossOptions) -> list[str]:
    """Return the names of the terms that have a weight, in the registry's order."""
    weights = config.weights
    return [name for name in TERMS if weights[name]]


def needs_vertices(config: LossOptions) -> bool:
    """Return whether a term with a weight needs meshes."""
    return any(TERMS[name].needs == "vertices" for name in active_terms(config))


def supervised_losses(
    predictions: list[Prediction],
    features: Features,
    batch: Batch,
    config: LossOptions,
    body: SMPL,
) -> dict[str, Float[Tensor, ""]]:
    """Compute every supervised term that has a weight, before weighting.

    A term of `hmr_edu.losses.TERMS` is computed for every regression step and summed with the
    steps' weights, or once for the encoder, which has no steps.

    Args:
        predictions: the bodies of every step; with vertices where `needs_vertices`.
        features: the encoder's output.
        batch: the labels.
        config: weights and options of the terms.
        body: makes the labelled meshes where a term needs them.
    """
    weights = step_weights(config.steps, len(predictions))
    if needs_vertices(config):
        with torch.no_grad():
            vertices = body(batch.betas, batch.rotations).vertices
        sample, parts = spread_vertices(body, VERTICES)
        device = vertices.device
        # Without waiting for the GPU, as `TensorDataclass.to` does.
        sample, parts = (t.to(device, non_blocking=device.type != "cpu") for t in (sample, parts))
        batch = MeshBatch.of(batch, vertices, sample, parts)
    losses = {}
    for name in active_terms(config):
        term = TERMS[name]
        answers = predictions if term.per_step else [features]
        if term.needs and getattr(answers[0], term.needs) is None:
            continue
        values = [term.compute(answer, batch, config) for answer in answers]
        losses[name] = per_step(values, weights) if term.per_step else values[0]
    return losses
