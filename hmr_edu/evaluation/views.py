"""Evaluation in space, on a real person: several calibrated pictures say where the joints were.

Keypoints marked in two or more pictures of a moment meet in points
(`hmr_edu.evaluation.triangulation`).
Each picture alone goes to the network, whose answer is compared with them in its own camera's
frame. Nothing of the recording is learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.evaluation.held_out import starting_theta
from hmr_edu.evaluation.photos import crops, predict_photos, shuffled_baseline
from hmr_edu.evaluation.triangulation import View, triangulate
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import LSP

MM = 1000
# Marks that miss each other by more than this share of the person's size are not of one joint.
FAR = 0.1
# Fewer points than this leave a similarity transform too much freedom.
ENOUGH = 6


class Measured(NamedTuple):
    """Where a picture's joints were: LSP's 14, in its camera's frame, metres; NaN if unknown."""

    person: AnnotatedPerson
    joints: Float[Tensor, "14 3"]
    known: Bool[Tensor, " 14"]


class Miss(NamedTuple):
    """By how many pixels the marks of a joint at a moment miss the point that is their best."""

    pixels: float
    joint: str
    moment: str


def measure(
    recording: Mapping[str, Mapping[str, AnnotatedPerson]], cameras: Mapping[str, View]
) -> tuple[list[Measured], list[Miss]]:
    """Triangulate every moment; also return by how much the marks of each joint miss each other.

    Joints that miss by more than a tenth of the person's size are taken for slips, and not known.
    Moments without the hips and four other joints are left out. Raises DataError when none is
    left.
    """
    found, misses = [], []
    for moment, views in recording.items():
        seen = torch.stack([person.visible[: len(LSP)] > 0 for person in views.values()])
        pixels = torch.stack([person.keypoints2d[: len(LSP)] for person in views.values()])
        chosen = [cameras[name] for name in views]
        points, miss = triangulate(chosen, pixels, seen)
        met = points.isfinite().all(1)
        misses += [Miss(float(miss[j]), LSP[j], moment) for j in met.nonzero().flatten().tolist()]
        size = min(person.crop.size for person in views.values()) / PADDING
        known = met & (miss <= FAR * size)
        if known.sum() < ENOUGH or not known[list(metrics.HIPS)].all():
            continue
        found += [
            Measured(person, view.to_camera(points).float(), known)
            for person, view in zip(views.values(), chosen, strict=True)
        ]
    if not found:
        raise DataError(
            f"no moment has both hips and {ENOUGH - 2} other joints in two pictures each, marked "
            f"so that they meet within {FAR:.0%} of the person"
        )
    return found, misses


def evaluate_views(
    models: Mapping[str, HMR | Refined],
    recording: Mapping[str, Mapping[str, AnnotatedPerson]],
    cameras: Mapping[str, View],
) -> dict[str, Any]:
    """Score networks on a calibrated recording: {"about": ..., name: scores}.

    Scores are `mpjpe` and `pa_mpjpe`, millimetres over the joints that are known, hips aligned,
    and `turned`, the share of pictures whose body has its hips more than 90 degrees off, left
    where right is. Beside the networks `mean theta`, from which the first one starts, and each
    network's answers given to pictures of other moments (None with a single moment). Raises
    what `measure` and `crops` raise.
    """
    measured, misses = measure(recording, cameras)
    model = next(iter(models.values()))
    images = crops([m.person for m in measured], model.image_size)
    mean = body_of_theta(starting_theta(model)[None], model.body, vertices=False).keypoints3d
    record: dict[str, Any] = {
        "about": {
            "pictures": len(measured),
            "moments": len({m.person.path.stem for m in measured}),
            "cameras": len({m.person.path.parent.name for m in measured}),
            "miss": sum(miss.pixels for miss in misses) / len(misses),
            "worst": max(misses)._asdict(),
        },
        "mean theta": _score(mean.expand(len(measured), -1, -1), measured),
    }
    for name, network in models.items():
        found = predict_photos(network, images)[-1].keypoints3d
        # Of one moment all views have one pose: an answer for another view is no wrong answer.
        record[f"{name}, shuffled"] = shuffled_baseline(
            found,
            [m.person.path.stem for m in measured],
            lambda f, rows: _score(f, [measured[row] for row in rows]),
        )
        record[name] = _score(found, measured)
    return record


def view_table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay a recording's evaluation out as text."""
    about = record["about"]
    rows = {name: row for name, row in record.items() if name != "about"}
    width = max(map(len, rows))
    lines = [
        f"{about['pictures']} pictures, {about['moments']} moments, {about['cameras']} cameras; "
        f"the marks miss each other by {about['miss']:.1f} pixels",
        "worst: {pixels:.1f} pixels, the {joint} of moment {moment}".format(**about["worst"]),
        f"{'':{width}}  MPJPE, mm  PA-MPJPE, mm  turned round, %",
    ]
    for name, row in rows.items():
        percent = {**row, "turned": None if row["turned"] is None else 100 * row["turned"]}
        cells = ("-" if value is None else f"{value:.1f}" for value in percent.values())
        lines.append("{:{}}  {:>9}  {:>12}  {:>15}".format(name, width, *cells))
    return "\n".join(lines)


def _score(
    found: Float[Tensor, "pictures 19 3"], measured: Sequence[Measured]
) -> dict[str, float | None]:
    joints = metrics.align_root(found)[:, : len(LSP)]
    errors, aligned, turned = [], [], []
    right, left = metrics.HIPS
    for mine, (_, truth, known) in zip(joints, measured, strict=True):
        pred, target = mine[known], metrics.align_root(truth)[known]
        errors.append(metrics.mpjpe(pred, target, hips=None))
        aligned.append(metrics.pa_mpjpe(pred, target))
        turned.append(torch.dot(mine[left] - mine[right], truth[left] - truth[right]) < 0)
    return {
        "mpjpe": MM * float(torch.stack(errors).mean()),
        "pa_mpjpe": MM * float(torch.stack(aligned).mean()),
        "turned": float(torch.stack(turned).float().mean()),
    }
