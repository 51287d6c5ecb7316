"""The held-out people of a run, drawn: input, truth, prediction before and after training."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32

from hmr_edu.body import SMPL
from hmr_edu.errors import DataError
from hmr_edu.theta import split_theta
from hmr_edu.viz import html
from hmr_edu.viz.palette import BEFORE, PREDICTION, TRUTH
from hmr_edu.viz.pictures import Picture, draw_keypoints, overlay, resize, turntable
from hmr_edu.viz.records import Run, Samples, read_samples

SIZE = 200  # pixels of a tile
PEOPLE = 8
MOMENTS = 7


def before_and_after(run: Run, body: SMPL) -> str:
    """Draw a row of pictures a person: input, truth, before, every step after, the side view.

    Snapshots that cannot be read are named in the run's notes.
    """
    snapshots = _readable(run, [run.sample_files[0], run.sample_files[-1]])
    if not snapshots:
        return ""
    first, last = snapshots[0], snapshots[-1]
    trained = last.seen > first.seen
    T = last.theta.shape[1]
    steps = [f"after, step {t + 1}" for t in range(T)] if trained else []
    head = ["input", "truth", "before", *steps, "from the side"]
    cells = [f'<div class="head">{title}</div>' for title in head]
    side_note = "orange: truth; blue: prediction" if trained else "orange: truth; grey: before"
    for i in range(min(PEOPLE, len(last.images), len(first.images))):
        image = resize(last.images[i], SIZE)
        truth = overlay(image, *_drawn(body, last.true_theta[i]), 0.92, TRUTH)
        row = [
            draw_keypoints(image, last.true_keypoints2d[i]),
            truth,
            overlay(image, *_drawn(body, first.theta[i, -1]), 0.92, BEFORE),
        ]
        if trained:
            row += [
                overlay(image, *_drawn(body, theta), 0.92, PREDICTION) for theta in last.theta[i]
            ]
        row.append(_sides(body, last.true_theta[i], last.theta[i, -1], trained))
        cells += [
            html.img(html.encode_image(picture), f"person {i + 1}: {title}")
            for picture, title in zip(row, head, strict=True)
        ]
    seen = f"after {last.seen:,} images" if trained else f"at {last.seen:,} images"
    return _grid(
        cells,
        len(head),
        f"Held-out people, {seen}. Input with the true keypoints: the person's left orange, right "
        f"blue. From the side: {side_note}.",
    )


def progress(run: Run, body: SMPL) -> str:
    """Draw two people through the training, a picture a snapshot; nothing for fewer than 3."""
    if len(run.sample_files) < 3:
        return ""
    chosen = np.linspace(0, len(run.sample_files) - 1, min(MOMENTS, len(run.sample_files)))
    snapshots = _readable(run, [run.sample_files[int(i)] for i in chosen.round()])
    if len(snapshots) < 3:
        return ""
    titles = [f"{snapshot.seen:,}" for snapshot in snapshots]
    cells = [f'<div class="head">{title}</div>' for title in titles]
    for i in range(min(2, *(len(snapshot.images) for snapshot in snapshots))):
        for snapshot, title in zip(snapshots, titles, strict=True):
            image = resize(snapshot.images[i], SIZE)
            picture = overlay(image, *_drawn(body, snapshot.theta[i, -1]), 0.92)
            text = f"person {i + 1} after {title} images"
            cells.append(html.img(html.encode_image(picture), text))
    caption = "The same two people while it learnt; above: images seen."
    return "<h3>While it learnt</h3>" + _grid(cells, len(titles), caption)


def _readable(run: Run, paths: list) -> list[Samples]:
    snapshots = []
    for path in dict.fromkeys(paths):
        try:
            snapshots.append(read_samples(path))
        except (DataError, OSError) as error:
            run.notes.append(f"{error}.")
    return snapshots


def _drawn(
    body: SMPL, theta: Float32[np.ndarray, " 85"]
) -> tuple[Float[np.ndarray, "V 3"], np.ndarray, Float[np.ndarray, " 3"]]:
    """Vertices, faces and camera of a theta, as `overlay` takes them."""
    with torch.no_grad():
        camera, pose, betas = split_theta(torch.from_numpy(theta)[None])
        vertices = body(betas, pose).vertices[0]
    return vertices.numpy(), body.faces.numpy(), camera[0].numpy()


def _sides(body: SMPL, truth: np.ndarray, theta: np.ndarray, trained: bool) -> Picture:
    """Truth and prediction from the side, next to each other in one tile."""
    views = [
        turntable(vertices, faces, SIZE, (90,), colour)[0]
        for (vertices, faces, _), colour in (
            (_drawn(body, truth), TRUTH),
            (_drawn(body, theta), PREDICTION if trained else BEFORE),
        )
    ]
    quarter = SIZE // 4
    return np.concatenate([view[:, quarter : SIZE - quarter] for view in views], axis=1)


def _grid(cells: list[str], columns: int, caption: str) -> str:
    return (
        f'<figure><div class="scroll"><div class="people" '
        f'style="grid-template-columns: repeat({columns}, 1fr)">{"".join(cells)}</div></div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
