"""Evaluation on annotated photographs, beside predictors that do not look at them.

A 2D score says little by itself: people stand upright in the middle of their boxes, so a constant
is often right. A network must beat three baselines: the mean theta, the median of these very
annotations, and its own answers given to the wrong pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from hmr_edu import metrics
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.crops import crop_person
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.evaluation.held_out import starting_theta
from hmr_edu.evaluation.predict import predict_batches
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR, Prediction, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.io.tables import number_cell, text_table

NEAR = 0.2  # of the box's longer side
BOX = 2 / PADDING  # that side in crop coordinates
BATCH = 32
SHIFTS = 100  # largest number of shifts in the shuffled baseline


def crops(people: Sequence[AnnotatedPerson], size: int) -> Float[Tensor, "people 3 size size"]:
    """Cut people out of their pictures and return the network's input.

    Raises DataError on an unreadable picture, and on a box outside its picture.
    """
    images = torch.empty(len(people), 3, size, size)
    rows: dict[Path, list[int]] = {}
    for row, person in enumerate(people):
        rows.setdefault(person.path, []).append(row)
    # One picture at a time: a few hundred would fill the memory.
    for path, in_picture in tqdm(
        rows.items(), "reading", unit="picture", leave=False, disable=None
    ):
        photo = read_photo(path)
        for row in in_picture:
            images[row] = crop_person(photo, people[row], size) / 255
    return images


def predict_photos(
    model: nn.Module, images: Float[Tensor, "people 3 size size"], vertices: bool = False
) -> list[Prediction]:
    """Return the bodies of every step for all crops, in evaluation mode; on the CPU.

    Raises DataError on predictions that are NaN or infinite.
    """
    batches = tqdm(images.split(BATCH), "predicting", unit="batch", leave=False, disable=None)
    steps = predict_batches(model, ((batch,) for batch in batches), vertices)
    if not steps[-1].theta.isfinite().all():
        raise DataError("the network's answer is not finite: its weights are damaged")
    return steps


def evaluate_photos(
    models: Mapping[str, HMR | Refined], people: Sequence[AnnotatedPerson]
) -> dict[str, Any]:
    """Score networks and baselines on annotated people: {"about": ..., name: scores}.

    Scores: `pck`, the share of a person's annotated keypoints within a fifth of the box's longer
    side, mean over people; `distance`, in shares of that side. Baselines: `mean theta`, from which
    the first network starts; `median baseline`, the median of these annotations, a constant; and
    for each network its predictions for other pictures (None with a single person). Raises
    DataError as `crops` and `predict_photos`.
    """
    model = next(iter(models.values()))
    images = crops(people, model.image_size)
    annotated = torch.stack([person.crop.to_crop(person.keypoints2d) for person in people])
    visible = torch.stack([person.visible for person in people])
    mean_keypoints = body_of_theta(
        starting_theta(model)[None], model.body, vertices=False
    ).keypoints2d
    hidden = annotated.masked_fill(visible[..., None] == 0, torch.nan)
    median = hidden.nanmedian(0).values.nan_to_num()[None]
    record: dict[str, Any] = {
        "about": {
            "people": len(people),
            "pictures": len({person.path for person in people}),
            "keypoints": int(visible.sum()),
        },
        "mean theta": _score(mean_keypoints, annotated, visible),
        "median baseline": _score(median, annotated, visible),
    }
    for name, network in models.items():
        keypoints2d = predict_photos(network, images)[-1].keypoints2d
        record[f"{name}, shuffled"] = shuffled_baseline(
            keypoints2d,
            range(len(people)),
            lambda answers, rows: _score(answers, annotated[rows], visible[rows]),
        )
        record[name] = _score(keypoints2d, annotated, visible)
    return record


def photo_table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a photo evaluation as text."""
    about = record["about"]
    lines = [["", f"PCK@{NEAR}", "distance"], ["", "%", "% of box"]]
    for name, row in record.items():
        if name != "about":
            lines.append(
                [name, *(number_cell(row[key], factor=100) for key in ("pck", "distance"))]
            )
    head = "{people} people in {pictures} pictures, {keypoints} keypoints".format(**about)
    return f"{head}\n{text_table(lines)}"


def _score(pred: Tensor, target: Tensor, visible: Tensor) -> dict[str, float]:
    pred = pred.expand_as(target)
    distance = ((pred - target).norm(dim=-1) * visible).sum(1) / visible.sum(1)
    pck = metrics.pck2d(pred, target, NEAR * BOX, visible)
    return {"pck": float(pck.mean()), "distance": float(distance.mean()) / BOX}


def shuffled_baseline(
    answers: Float[Tensor, "people 19 _"],
    owners: Sequence[Any],
    score: Callable[[Tensor, list[int]], dict[str, float]],
) -> dict[str, float | None]:
    """Score each picture with the predictions for other people: the mean over shifts of the list.

    A network that ignores its picture scores the same with them. Values are None when there is only
    one owner.

    Args:
        answers: a network's prediction for each picture.
        owners: whose prediction it is; nobody gets a prediction of the same owner.
        score: measures predictions for the pictures of some rows.
    """
    n, count = len(answers), 0
    total: dict[str, float] = {}
    for shift in torch.linspace(1, n - 1, min(n - 1, SHIFTS)).round().int().unique().tolist():
        rows = [i for i in range(n) if owners[i] != owners[i - shift]]
        if rows:
            for key, value in score(answers.roll(shift, 0)[rows], rows).items():
                total[key] = total.get(key, 0.0) + len(rows) * value
            count += len(rows)
    if not count:
        return dict.fromkeys(score(answers, list(range(n))))
    return {key: value / count for key, value in total.items()}
