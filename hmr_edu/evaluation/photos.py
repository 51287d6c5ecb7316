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
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.evaluation.held_out import starting_theta
from hmr_edu.evaluation.predict import predict_batches
from hmr_edu.evaluation.straight_legs import cut_off, knee_bends, look_straight
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR, Prediction, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.io.tables import number_cell, text_table
from hmr_edu.keypoints import LSP

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
    side, mean over people; `distance`, in shares of that side; `pck_cut_off`, that of people of
    whom no ankle is annotated; `knees`, the mean bend in degrees of the knees of legs that look
    straight (`straight_legs.py`). Baselines: `mean theta`, from which
    the first network starts; `median baseline`, the median of these annotations, a constant; and
    for each network its predictions for other pictures (None with a single person). Where all 14
    LSP joints of somebody are known in 3D, `mpjpe` and `pa_mpjpe` (mm) are theirs. Raises DataError
    as `crops` and `predict_photos`.
    """
    model = next(iter(models.values()))
    images = crops(people, model.image_size)
    annotated = torch.stack([person.crop.to_crop(person.keypoints2d) for person in people])
    visible = torch.stack([person.visible for person in people])
    mean = body_of_theta(starting_theta(model)[None], model.body, vertices=False)
    truth3d = _joints3d(people)
    hidden = annotated.masked_fill(visible[..., None] == 0, torch.nan)
    median = hidden.nanmedian(0).values.nan_to_num()[None]
    record: dict[str, Any] = {
        "about": {
            "people": len(people),
            "pictures": len({person.path for person in people}),
            "keypoints": int(visible.sum()),
        },
        "mean theta": _score(mean.keypoints2d, annotated, visible)
        | _knees(mean.keypoints3d, annotated, visible)
        | _score3d(mean.keypoints3d, truth3d),
        "median baseline": _score(median, annotated, visible),
    }
    for name, network in models.items():
        answers = predict_photos(network, images)[-1]
        keypoints2d = answers.keypoints2d
        record[f"{name}, shuffled"] = shuffled_baseline(
            keypoints2d,
            range(len(people)),
            lambda answers, rows: _score(answers, annotated[rows], visible[rows]),
        )
        in_3d = _score3d(answers.keypoints3d, truth3d)
        knees = _knees(answers.keypoints3d, annotated, visible)
        record[name] = _score(keypoints2d, annotated, visible) | knees | in_3d
    return record


def _joints3d(people: Sequence[AnnotatedPerson]) -> Float[Tensor, "people 14 3"] | None:
    """Return the joints of LSP in 3D, NaN where they are not all known; None where nobody's are."""
    if not isinstance(people, PeopleTable) or people.keypoints3d is None:
        return None
    joints = torch.tensor(people.keypoints3d[:, : len(LSP)])
    joints[~joints.isfinite().flatten(1).all(1)] = torch.nan
    return joints if joints.isfinite().any() else None


def _score3d(
    pred: Float[Tensor, "_ 19 3"], truth: Float[Tensor, "people 14 3"] | None
) -> dict[str, float]:
    """Return the mean errors of the people whose joints are known; nothing where nobody's are."""
    if truth is None:
        return {}
    known = truth.isfinite().flatten(1).all(1)
    joints = pred[:, : len(LSP)].expand_as(truth)[known]
    return {
        "mpjpe": 1000 * float(metrics.mpjpe(joints, truth[known]).mean()),
        "pa_mpjpe": 1000 * float(metrics.pa_mpjpe(joints, truth[known]).mean()),
    }


def photo_table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a photo evaluation as text."""
    about = record["about"]
    titles = {
        "knees": ("straight legs' knees", "deg"),
        "mpjpe": ("MPJPE", "mm"),
        "pa_mpjpe": ("PA-MPJPE", "mm"),
    }
    known = [name for name in titles if name in record["mean theta"]]
    lines = [
        ["", f"PCK@{NEAR}", "cut off", "distance", *(titles[name][0] for name in known)],
        ["", "%", "%", "% of box", *(titles[name][1] for name in known)],
    ]
    for name, row in record.items():
        if name != "about":
            columns = ("pck", "pck_cut_off", "distance")
            shares = [number_cell(row.get(key), factor=100) for key in columns]
            lines.append([name, *shares, *(number_cell(row.get(key)) for key in known)])
    head = "{people} people in {pictures} pictures, {keypoints} keypoints".format(**about)
    return f"{head}\n{text_table(lines)}"


def _score(pred: Tensor, target: Tensor, visible: Tensor) -> dict[str, float]:
    pred = pred.expand_as(target)
    distance = ((pred - target).norm(dim=-1) * visible).sum(1) / visible.sum(1)
    pck = metrics.pck2d(pred, target, NEAR * BOX, visible)
    partly = cut_off(visible)
    of_those = {"pck_cut_off": float(pck[partly].mean())} if partly.any() else {}
    return {"pck": float(pck.mean()), "distance": float(distance.mean()) / BOX} | of_those


def _knees(
    pred: Float[Tensor, "_ 19 3"],
    annotated: Float[Tensor, "people 19 2"],
    visible: Float[Tensor, "people 19"],
) -> dict[str, float]:
    """Return the mean bend of the knees of legs that look straight; nothing where none do."""
    straight = look_straight(annotated, visible, BOX)
    if not straight.any():
        return {}
    return {"knees": float(knee_bends(pred).expand(len(annotated), 2)[straight].mean())}


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
