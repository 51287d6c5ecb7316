"""Scores of predicted bodies: a dictionary of plain numbers for a whole test set.

Joints are the 14 of LSP, as in the paper's tables. Lengths are in millimetres, shares between 0 and
1, angles in degrees.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.body import SMPL
from hmr_edu.data.poses.real_poses import RealPoses
from hmr_edu.hmr import Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.io.precision import at_least_float32
from hmr_edu.keypoints import LSP

MM = 1000
# A tenth of the crop's side, which is 2 wide in crop coordinates.
NEAR_2D = 0.2
# Borders between groups of people, by how far they lean, in degrees.
LEANS = (0, 10, 20, 35, 60, 180)
# Number of meshes in memory at once.
CHUNK = 100


class Truth(NamedTuple):
    """The labels of a whole test set; as in `hmr_edu.data.batch.Batch`, without the pictures."""

    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]


@at_least_float32
def score(predicted: Prediction, truth: Truth, body: SMPL, real_poses: RealPoses) -> dict[str, Any]:
    """Measure predicted bodies with all metrics.

    Besides the joint errors of `score_joints`:
    `pve`: mean distance of vertices, pelvises aligned.
    `pck2d`: share of visible keypoints within a tenth of the crop's side; None when nothing is
    visible.
    `facing_median`, `facing_wrong`: angle between the facing directions of predicted and true body,
    and the share of bodies where it exceeds 90 degrees.
    `distance_to_real_pose`: distance to the nearest real pose, not to the true one; see
    `RealPoses.distance`.
    `betas`: mean absolute error of a shape coefficient.
    `by_lean`: number of people and `pa_mpjpe`, grouped by how far people lean.

    Raises DataError on NaN or infinite predictions, and when there are none.

    Args:
        predicted: the bodies.
        truth: the labels.
        body: the body model, which makes the meshes of both.
        real_poses: the bank of real poses.
    """
    facing = metrics.facing_error(predicted.rotations[:, 0], truth.rotations[:, 0]).rad2deg()
    return score_joints(predicted.keypoints3d, truth) | {
        "pve": MM * _vertex_error(predicted, truth, body),
        "pck2d": _pck2d(predicted.keypoints2d, truth),
        "facing_wrong": float((facing > 90).float().mean()),
        "facing_median": float(facing.median()),
        "distance_to_real_pose": float(real_poses.distance(predicted.rotations).mean()),
        "betas": float((predicted.betas - truth.betas).abs().mean()),
        "by_lean": _by_lean(predicted.keypoints3d, truth),
    }


@at_least_float32
def score_joints(keypoints3d: Float[Tensor, "batch 19 3"], truth: Truth) -> dict[str, Any]:
    """Measure the 14 LSP joints of keypoints (metres) with all metrics that need no body.

    `mpjpe`: mean distance with mid-hips aligned; `per_joint`: the same, joint by joint.
    `pa_mpjpe`: the same after the best similarity transform.
    `pck`, `auc`: share of joints within 150 mm, and its mean over thresholds from 0 to 150 mm.

    Raises DataError on NaN or infinite predictions, and when there are none.
    """
    _check(keypoints3d)
    joints, target = keypoints3d[:, : len(LSP)], truth.keypoints3d[:, : len(LSP)]
    per_joint = metrics.per_joint_error(joints, target).mean(0)
    return {
        "mpjpe": MM * float(per_joint.mean()),
        "pa_mpjpe": MM * float(metrics.pa_mpjpe(joints, target).mean()),
        "pck": float(metrics.pck(joints, target).mean()),
        "auc": float(metrics.auc(joints, target).mean()),
        "per_joint": dict(zip(LSP, (MM * per_joint).tolist(), strict=True)),
    }


def _by_lean(keypoints3d: Tensor, truth: Truth) -> dict[str, dict[str, Any]]:
    """Return PA-MPJPE by the angle between the pelvis's up and the picture's; no empty groups.

    People who sit on the ground, lie or fall are few, and a mean over everybody hides them.
    """
    lean = truth.rotations[:, 0, 1, 1].neg().clamp(-1, 1).acos().rad2deg()
    errors = MM * metrics.pa_mpjpe(keypoints3d[:, : len(LSP)], truth.keypoints3d[:, : len(LSP)])
    groups = {}
    for low, high in pairwise(LEANS):
        rows = (lean >= low) & ((lean < high) | (high == LEANS[-1]))
        if rows.any():
            error = float(errors[rows].mean())
            groups[f"{low} to {high}"] = {"people": int(rows.sum()), "pa_mpjpe": error}
    return groups


def _vertex_error(predicted: Prediction, truth: Truth, body: SMPL) -> float:
    """Return the mean PVE in metres; meshes are made and dropped a chunk at a time."""
    errors = []
    for k in range(0, len(truth.betas), CHUNK):
        chunk = slice(k, k + CHUNK)
        predicted_body = body(predicted.betas[chunk], predicted.rotations[chunk])
        true_body = body(truth.betas[chunk], truth.rotations[chunk])
        errors.append(
            metrics.pve(
                predicted_body.vertices - predicted_body.joints[:, :1],
                true_body.vertices - true_body.joints[:, :1],
            )
        )
    return float(torch.cat(errors).mean())


def _pck2d(keypoints2d: Float[Tensor, "batch 19 2"], truth: Truth) -> float | None:
    has_visible = (truth.visible > 0).any(1)
    if not has_visible.any():
        return None
    shares = metrics.pck2d(
        keypoints2d[has_visible],
        truth.keypoints2d[has_visible],
        NEAR_2D,
        truth.visible[has_visible],
    )
    return float(shares.mean())


def _check(keypoints3d: Tensor) -> None:
    if len(keypoints3d) == 0:
        raise DataError("there are no predictions to score")
    bad = ~torch.isfinite(keypoints3d).flatten(1).all(1)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {len(bad)} predicted bodies are NaN or infinite: the weights are "
            "damaged, or their training diverged"
        )
