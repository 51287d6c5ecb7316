"""3D evaluation on a real person in several calibrated views.

Keypoints that are annotated in two or more pictures of a moment are triangulated
(`hmr_edu.evaluation.triangulation`): these points are the ground truth. The network gets each
picture alone, and its prediction is compared with the points in the frame of that camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.camera import axis_to_ray
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.evaluation.held_out import starting_theta
from hmr_edu.evaluation.photos import crops, predict_photos, shuffled_baseline
from hmr_edu.evaluation.triangulation import View, triangulate
from hmr_edu.fitting.flip_test import lift
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.smplify import fit_to_keypoints
from hmr_edu.hmr import HMR, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.io.tables import number_cell, text_table
from hmr_edu.keypoints import LSP

MM = 1000
# Annotations of one joint that disagree by more than this share of the person's size are wrong.
FAR = 0.1
# What a network of keypoints makes of the annotated ones.
LIFTED = "annotated 2D, lifted"
# Fewer points than this leave a similarity transform too much freedom.
ENOUGH = 6


class Measured(NamedTuple):
    """The true joints of a picture: LSP's 14, in its camera's frame, metres; NaN if unknown."""

    person: AnnotatedPerson
    joints: Float[Tensor, "14 3"]
    known: Bool[Tensor, " 14"]
    view: View

    @property
    def turn(self) -> Float[Tensor, "3 3"]:
        """The rotation from the frame of the crop to that of the camera."""
        centre = torch.tensor([[self.person.crop.x, self.person.crop.y]])
        return axis_to_ray(self.view.rays(centre)[0]).float()


class ReprojectionError(NamedTuple):
    """Mean distance in pixels between the annotations of a joint and its triangulated point."""

    pixels: float
    joint: str
    moment: str


def triangulate_recording(
    recording: Mapping[str, Mapping[str, AnnotatedPerson]], cameras: Mapping[str, View]
) -> tuple[list[Measured], list[ReprojectionError]]:
    """Triangulate the joints of every moment; also return their reprojection errors.

    A joint whose error exceeds a tenth of the person's size is treated as a mistake, and is
    unknown. Moments without the hips and four other joints are left out. Raises DataError when no
    moment is left.
    """
    measured, errors = [], []
    for moment, views in recording.items():
        annotated = torch.stack([person.visible[: len(LSP)] > 0 for person in views.values()])
        pixels = torch.stack([person.keypoints2d[: len(LSP)] for person in views.values()])
        chosen = [cameras[name] for name in views]
        points, error = triangulate(chosen, pixels, annotated)
        finite = points.isfinite().all(1)
        errors += [
            ReprojectionError(float(error[j]), LSP[j], moment)
            for j in finite.nonzero().flatten().tolist()
        ]
        size = min(person.crop.size for person in views.values()) / PADDING
        known = finite & (error <= FAR * size)
        if known.sum() < ENOUGH or not known[list(metrics.HIPS)].all():
            continue
        measured += [
            Measured(person, view.to_camera(points).float(), known, view)
            for person, view in zip(views.values(), chosen, strict=True)
        ]
    if not measured:
        raise DataError(
            f"no moment has both hips and {ENOUGH - 2} other joints in two pictures each, "
            f"annotated so that they agree within {FAR:.0%} of the person"
        )
    return measured, errors


def evaluate_views(
    models: Mapping[str, HMR | Refined],
    recording: Mapping[str, Mapping[str, AnnotatedPerson]],
    cameras: Mapping[str, View],
    lifter: HMR | None = None,
    rays: bool = False,
) -> dict[str, Any]:
    """Score networks on a calibrated recording: {"about": ..., name: scores}.

    Scores: `mpjpe` and `pa_mpjpe`, in millimetres, over the known joints, hips aligned;
    `facing_flipped`, the share of pictures where the line of the hips is more than 90 degrees off.
    Baselines: `mean theta`, from which the first network starts, and for each network its
    predictions for pictures of other moments (None with a single moment). A `lifter`, a network of
    keypoints, gets the annotated ones: its rows are no image-to-body numbers. `rays` rotates each
    answer from the frame of its crop to the camera's (`hmr_edu.camera.axis_to_ray`): only `mpjpe`
    and `facing_flipped` change. Raises as `triangulate_recording` and `crops`.
    """
    measured, errors = triangulate_recording(recording, cameras)
    model = next(iter(models.values()))
    images = crops([m.person for m in measured], model.image_size)
    turns = torch.stack([m.turn if rays else torch.eye(3) for m in measured])

    def score(answers: Tensor, rows: Sequence[int] = range(len(measured))) -> dict[str, float]:
        if rays:
            answers = answers @ turns[list(rows)].mT
        return _score(answers, [measured[row] for row in rows])

    mean = body_of_theta(starting_theta(model)[None], model.body, vertices=False).keypoints3d
    record: dict[str, Any] = {
        "about": {
            "pictures": len(measured),
            "moments": len({m.person.path.stem for m in measured}),
            "cameras": len({m.person.path.parent.name for m in measured}),
            "reprojection_error": sum(error.pixels for error in errors) / len(errors),
            "worst": max(errors)._asdict(),
        },
        "mean theta": score(mean.expand(len(measured), -1, -1)),
    }
    answers = {
        name: predict_photos(network, images)[-1].keypoints3d for name, network in models.items()
    }
    if lifter is not None:
        answers |= _lifted(lifter, measured)
    for name, keypoints3d in answers.items():
        # All views of one moment show one pose, so a prediction for another view is not wrong.
        record[f"{name}, shuffled"] = shuffled_baseline(
            keypoints3d,
            [m.person.path.stem for m in measured],
            score,
        )
        record[name] = score(keypoints3d)
    return record


@torch.no_grad()
def _lifted(lifter: HMR, measured: Sequence[Measured]) -> dict[str, Float[Tensor, "pictures 19 3"]]:
    """Return the bodies of the annotated keypoints, and those fitted to them from there."""
    annotated = torch.stack([m.person.crop.to_crop(m.person.keypoints2d) for m in measured])
    visible = torch.stack([m.person.visible for m in measured])
    lifted = lift(lifter, annotated, visible, vertices=False)[-1]
    fitted = fit_to_keypoints(lifter.body, [lifted.theta], annotated, visible)
    return {
        LIFTED: lifted.keypoints3d,
        f"{LIFTED}, fitted": lifter.detail(fitted.theta).keypoints3d,
    }


def view_table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the evaluation of a recording as text."""
    about = record["about"]
    head = [
        f"{about['pictures']} pictures, {about['moments']} moments, {about['cameras']} cameras; "
        f"mean reprojection error {about['reprojection_error']:.1f} pixels",
        "worst: {pixels:.1f} pixels, the {joint} of moment {moment}".format(**about["worst"]),
    ]
    columns = {"mpjpe": 1, "pa_mpjpe": 1, "facing_flipped": 100}
    lines = [["", "MPJPE, mm", "PA-MPJPE, mm", "facing flipped, %"]]
    for name, row in record.items():
        if name != "about":
            cells = (number_cell(row[key], factor=factor) for key, factor in columns.items())
            lines.append([name, *cells])
    return "\n".join([*head, text_table(lines)])


def _score(
    keypoints3d: Float[Tensor, "pictures 19 3"], measured: Sequence[Measured]
) -> dict[str, float]:
    joints = metrics.align_root(keypoints3d)[:, : len(LSP)]
    errors, aligned, flipped = [], [], []
    right, left = metrics.HIPS
    for predicted, (_, truth, known, _) in zip(joints, measured, strict=True):
        pred, target = predicted[known], metrics.align_root(truth)[known]
        errors.append(metrics.mpjpe(pred, target, hips=None))
        aligned.append(metrics.pa_mpjpe(pred, target))
        across = predicted[left] - predicted[right]
        flipped.append(torch.dot(across, truth[left] - truth[right]) < 0)
    return {
        "mpjpe": MM * float(torch.stack(errors).mean()),
        "pa_mpjpe": MM * float(torch.stack(aligned).mean()),
        "facing_flipped": float(torch.stack(flipped).float().mean()),
    }
