"""Evaluation on photographs with marked keypoints, beside predictors that do not look at them.

A 2D score says little by itself: people stand upright in the middle of their boxes, so a constant
is often right. A network sees something where it beats the mean pose, the middle of the marks of
these very pictures, and its own answers given to the wrong pictures.
"""

from __future__ import annotations

from collections import Counter
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

NEAR = 0.2  # of the box's longer side
BOX = 2 / PADDING  # that side in crop coordinates
BATCH = 32
SHIFTS = 100  # how often, at most, answers are handed round


def crops(people: Sequence[AnnotatedPerson], size: int) -> Float[Tensor, "people 3 size size"]:
    """Cut the people out of their pictures, as the network wants them.

    Raises DataError on a picture that is unreadable, and on a box that lies beside it.
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
    """Return the bodies of every step for all crops, as at test time; on the CPU.

    Raises DataError on answers that are NaN or infinite.
    """
    batches = tqdm(images.split(BATCH), "predicting", unit="batch", leave=False, disable=None)
    steps = predict_batches(model, batches, vertices)
    if not steps[-1].theta.isfinite().all():
        raise DataError("the network's answer is not finite: its weights are damaged")
    return steps


def evaluate_photos(
    models: Mapping[str, HMR | Refined], people: Sequence[AnnotatedPerson]
) -> dict[str, Any]:
    """Score networks and baselines on marked people: {"about": ..., name: scores}.

    Scores are `pck`, the share of a person's marked keypoints within a fifth of the box's longer
    side, mean over people, and `distance`, in shares of that side. Baselines: `mean theta`, from
    which the first network starts; `middle of the marks`, the median of the marked keypoints,
    a constant that knows the answers; and for each network its answers given to the other
    pictures (None with a single person). Raises DataError as `crops` and `predict_photos`.
    """
    model = next(iter(models.values()))
    images = crops(people, model.image_size)
    marked = torch.stack([person.crop.to_crop(person.keypoints2d) for person in people])
    visible = torch.stack([person.visible for person in people])
    mean = body_of_theta(starting_theta(model)[None], model.body, vertices=False).keypoints2d
    hidden = marked.masked_fill(visible[..., None] == 0, torch.nan)
    constant = hidden.nanmedian(0).values.nan_to_num()[None]
    record: dict[str, Any] = {
        "about": {
            "people": len(people),
            "pictures": len({person.path for person in people}),
            "keypoints": int(visible.sum()),
        },
        "mean theta": _score(mean, marked, visible),
        "middle of the marks": _score(constant, marked, visible),
    }
    for name, network in models.items():
        found = predict_photos(network, images)[-1].keypoints2d
        record[f"{name}, shuffled"] = shuffled_baseline(
            found, range(len(people)), lambda f, rows: _score(f, marked[rows], visible[rows])
        )
        record[name] = _score(found, marked, visible)
    return record


def photo_table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay a photo evaluation out as text."""
    about = record["about"]
    rows = {name: row for name, row in record.items() if name != "about"}
    width = max(map(len, rows))
    lines = [
        f"{about['people']} people in {about['pictures']} pictures, {about['keypoints']} keypoints",
        f"{'':{width}}  PCK@{NEAR}  distance",
        f"{'':{width}}        %  % of box",
    ]
    for name, row in rows.items():
        cells = ("-" if row[key] is None else f"{100 * row[key]:.1f}" for key in row)
        lines.append(f"{name:{width}}" + "".join(f"{cell:>9}" for cell in cells))
    return "\n".join(lines)


def _score(found: Tensor, marked: Tensor, visible: Tensor) -> dict[str, float | None]:
    found = found.expand_as(marked)
    distance = ((found - marked).norm(dim=-1) * visible).sum(1) / visible.sum(1)
    pck = metrics.pck2d(found, marked, NEAR * BOX, visible)
    return {"pck": float(pck.mean()), "distance": float(distance.mean()) / BOX}


def shuffled_baseline(
    found: Float[Tensor, "people 19 _"],
    whose: Sequence[Any],
    score: Callable[[Tensor, list[int]], dict[str, float | None]],
) -> dict[str, float | None]:
    """Score answers for somebody else, in turn: a shuffle without chance.

    What a network is worth that does not look at the picture it speaks of. Nobody is given an
    answer that is his own, as `whose` says; None where there is no other. `score` measures answers
    for the pictures of these rows.
    """
    n, total, count = len(found), Counter(), 0
    for shift in torch.linspace(1, n - 1, min(n - 1, SHIFTS)).round().int().unique().tolist():
        rows = [i for i in range(n) if whose[i] != whose[i - shift]]
        if rows:
            for key, value in score(found.roll(shift, 0)[rows], rows).items():
                total[key] += len(rows) * value
            count += len(rows)
    if not count:
        return dict.fromkeys(score(found, list(range(n))))
    return {key: value / count for key, value in total.items()}
