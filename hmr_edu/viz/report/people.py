"""The held-out people of a run, drawn: input, truth, prediction before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer

from hmr_edu.body import SMPL
from hmr_edu.io.errors import DataError
from hmr_edu.theta import split_theta
from hmr_edu.viz.palette import BEFORE, PREDICTION, TRUTH
from hmr_edu.viz.pictures import Picture, draw_keypoints, overlay, resize, turntable
from hmr_edu.viz.report.html import Drawing, encode_image
from hmr_edu.viz.report.records import Run, Samples, read_samples

SIZE = 180  # pixels of a tile
PEOPLE = 8
SNAPSHOTS = 7
ALPHA = 0.92

# Vertices, faces and camera: what `overlay` takes.
Posed = tuple[Float[np.ndarray, "V 3"], Integer[np.ndarray, "F 3"], Float[np.ndarray, " 3"]]


class PictureGrid(NamedTuple):
    """Pictures under column titles, a person a row."""

    titles: list[str]
    drawings: list[Drawing]
    caption: str


class People(NamedTuple):
    """The comparison before and after training; the progress, where there are snapshots of it."""

    comparison: PictureGrid
    progress: PictureGrid | None


def draw_people(run: Run, body: SMPL) -> People | None:
    """Draw the people of a run; None when no snapshot of them can be read.

    Snapshots that cannot be read are named in the run's notes.
    """
    files = run.sample_files
    chosen = np.linspace(0, len(files) - 1, min(SNAPSHOTS, len(files))).round().astype(int)
    snapshots = []
    for i in chosen:
        try:
            snapshots.append(read_samples(files[i]))
        except (DataError, OSError) as error:
            run.notes.append(f"{error}.")
    if not snapshots:
        return None
    comparison = _before_and_after(snapshots[0], snapshots[-1], body)
    return People(comparison, _progress(snapshots, body) if len(snapshots) > 2 else None)


def _before_and_after(first: Samples, last: Samples, body: SMPL) -> PictureGrid:
    """Draw a row a person: input, truth, before, every step after, truth and answer sideways.

    The truth is left out where nobody knows it, as in photographs.
    """
    n = min(PEOPLE, len(first.images), len(last.images))
    truth = None if last.true_theta is None else _pose(body, last.true_theta[:n])
    before = _pose(body, first.theta[:n, -1])
    trained = last.images_seen > first.images_seen
    iterations = last.theta.shape[1] if trained else 0
    after = [_pose(body, last.theta[:n, t]) for t in range(iterations)]
    answer, colour, name = (
        (after[-1], PREDICTION, "after") if trained else (before, BEFORE, "before")
    )

    steps = [f"after, step {t + 1}" for t in range(iterations)]
    titles = ["input", "truth", "before", *steps, "truth, side view", f"{name}, side view"]
    if truth is None:
        titles = [title for title in titles if "truth" not in title]
    pictures = []
    for i in range(n):
        image = resize(last.images[i], SIZE)
        pictures.append(draw_keypoints(image, last.true_keypoints2d[i], last.visible[i]))
        if truth is not None:
            pictures.append(overlay(image, *truth[i], ALPHA, TRUTH))
        pictures.append(overlay(image, *before[i], ALPHA, BEFORE))
        pictures += [overlay(image, *step[i], ALPHA, PREDICTION) for step in after]
        if truth is not None:
            pictures += turntable(*truth[i][:2], SIZE, (90,), TRUTH)
        pictures += turntable(*answer[i][:2], SIZE, (90,), colour)
    return _grid(
        pictures,
        titles,
        f"Held-out people, drawn after {last.images_seen:,} training images. Over the input the "
        "true keypoints: the person's left orange, right blue. Side views turn the body by 90 "
        "degrees.",
    )


def _progress(snapshots: Sequence[Samples], body: SMPL) -> PictureGrid:
    """Draw two people, a picture a snapshot."""
    n = min(2, *(len(snapshot.images) for snapshot in snapshots))
    posed = [_pose(body, snapshot.theta[:n, -1]) for snapshot in snapshots]
    pictures = [
        overlay(resize(snapshot.images[i], SIZE), *bodies[i], ALPHA)
        for i in range(n)
        for snapshot, bodies in zip(snapshots, posed, strict=True)
    ]
    titles = [f"{snapshot.images_seen:,} images" for snapshot in snapshots]
    return _grid(pictures, titles, "Predictions for the same people as training went on.")


def _pose(body: SMPL, theta: Float32[np.ndarray, "n 85"]) -> list[Posed]:
    with torch.no_grad():
        camera, pose, betas = split_theta(torch.from_numpy(theta).clone())
        vertices = body(betas, pose).vertices.numpy()
    faces = body.faces.numpy()
    return [(v, faces, c) for v, c in zip(vertices, camera.numpy(), strict=True)]


def _grid(pictures: Sequence[Picture], titles: list[str], caption: str) -> PictureGrid:
    """Name each picture by its person and its column."""
    drawings = []
    for i, picture in enumerate(pictures):
        person, column = divmod(i, len(titles))
        alt = f"person {person + 1}: {titles[column]}"
        drawings.append(Drawing(encode_image(picture), alt))
    return PictureGrid(titles, drawings, caption)
