"""Samples of a run: the network's predictions for the same few people as it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hmr_edu.data.batch import Batch
from hmr_edu.evaluation.predict import predict_batches
from hmr_edu.hmr import HMR
from hmr_edu.io.files import atomic_write
from hmr_edu.rotations import matrix_to_axis_angle
from hmr_edu.theta import join_theta


def save_samples(folder: Path, images_seen: int, model: HMR, batch: Batch) -> None:
    """Write the thetas of every step for the people of a batch, and the ground truth if known.

    Args:
        folder: of the run.
        images_seen: pictures that the network has been trained on; names the file.
        model: the network.
        batch: the people.
    """
    predictions = predict_batches(model, [batch.inputs])
    arrays = {
        "images": (batch.images.permute(0, 2, 3, 1) * 255).round().byte(),
        "theta": torch.stack([p.theta for p in predictions], dim=1),
        "true_keypoints2d": batch.keypoints2d,
        "visible": batch.visible > 0,
    }
    if batch.has_betas.all():
        pose = matrix_to_axis_angle(batch.rotations).flatten(1)
        arrays["true_theta"] = join_theta(batch.camera, pose, batch.betas)
    path = folder / "samples" / f"{images_seen:09d}.npz"
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **{k: v.cpu().numpy() for k, v in arrays.items()})
