"""A contact sheet of results: pictures, the bodies recovered from them, and the true ones."""

from __future__ import annotations

from pathlib import Path

import torch

from hmr_edu.evaluation.predict import evaluation_mode
from hmr_edu.evaluation.test_sets import TestSet
from hmr_edu.fitting.flip_test import FlipTested
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR
from hmr_edu.viz.palette import TRUTH
from hmr_edu.viz.pictures import (
    Picture,
    contact_sheet,
    overlay,
    save_picture,
    to_picture,
    turntable,
)

PEOPLE, SIZE = 8, 112  # people of a sheet, pixels of a tile


@torch.no_grad()
def result_sheet(model: HMR | Refined | FlipTested, test_set: TestSet) -> Picture:
    """Draw the first people of a test set, four tiles each, two people a row.

    The picture, the recovered body over it, that body from the side, the true one from the side.
    """
    batch = test_set[0].first(PEOPLE)
    with evaluation_mode(model):
        prediction = model(*batch.inputs)[-1]
    truth = model.body(batch.betas, batch.rotations).vertices.numpy()
    faces = model.body.faces.numpy()
    tiles = []
    for i in range(len(batch.images)):
        picture = to_picture(batch.images[i], SIZE)
        vertices, camera = prediction.vertices[i].numpy(), prediction.camera[i].numpy()
        tiles += [
            picture,
            overlay(picture, vertices, faces, camera),
            turntable(vertices, faces, SIZE, (90,))[0],
            turntable(truth[i], faces, SIZE, (90,), colour=TRUTH)[0],
        ]
    labels = ["picture", "recovered", "from the side", "the truth"] * len(batch.images)
    return contact_sheet(tiles, 8, labels)


def save_result_sheet(
    path: str | Path, model: HMR | Refined | FlipTested, test_set: TestSet
) -> None:
    """Write the contact sheet of a test set's first people."""
    save_picture(path, result_sheet(model, test_set))
