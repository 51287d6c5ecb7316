"""A contact sheet of results: pictures, the bodies recovered from them, and the true ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hmr_edu.evaluation.predict import evaluation_mode
from hmr_edu.evaluation.test_sets import TestSet
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR
from hmr_edu.viz.palette import TRUTH
from hmr_edu.viz.pictures import Picture, contact_sheet, overlay, resize, save_picture, turntable


@torch.no_grad()
def result_sheet(
    model: HMR | Refined, test_set: TestSet, people: int = 8, size: int = 112
) -> Picture:
    """Draw the first people of a test set, not chosen: four tiles each, two people a row.

    The picture, the recovered body over it, that body from the side, the true one from the side.
    """
    batch = test_set[0].first(people)
    with evaluation_mode(model):
        prediction = model(batch.images)[-1]
    truth = model.body(batch.betas, batch.rotations).vertices.numpy()
    faces = model.body.faces.numpy()
    tiles = []
    for i in range(len(batch.images)):
        picture = (batch.images[i].permute(1, 2, 0) * 255).round().byte().numpy()
        picture = resize(np.ascontiguousarray(picture), size)
        vertices, camera = prediction.vertices[i].numpy(), prediction.camera[i].numpy()
        tiles += [
            picture,
            overlay(picture, vertices, faces, camera),
            turntable(vertices, faces, size, (90,))[0],
            turntable(truth[i], faces, size, (90,), colour=TRUTH)[0],
        ]
    labels = ["picture", "recovered", "from the side", "the truth"] * len(batch.images)
    return contact_sheet(tiles, 8, labels)


def save_result_sheet(path: str | Path, model: HMR | Refined, test_set: TestSet) -> None:
    """Write the contact sheet of a test set's first people."""
    save_picture(path, result_sheet(model, test_set))
