"""What is measured of every training: how right its bodies are, and how human."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.poses.real_poses import prior_poses
from hmr_edu.evaluation.scores import Truth, score, score_joints
from hmr_edu.hmr import Prediction
from hmr_edu.rotations import matrix_to_axis_angle
from hmr_edu.training.adversarial import UNMEASURED_JOINTS

KEPT = (
    "mpjpe",
    "pa_mpjpe",
    "pve",
    "pck2d",
    "facing_wrong",
    "distance_to_real_pose",
    "betas",
)
# Degrees that the pelvis leans in the picture; one of the edges of `by_lean`.
LEANING = 35
MEASURED = [k for k in range(23) if k + 1 not in UNMEASURED_JOINTS]


@torch.no_grad()
def measure_bodies(
    steps: list[Prediction], trained: int, truth: Truth, body: SMPL
) -> dict[str, Any]:
    """Measure the bodies of every step; `trained` is the step that is the answer, from 1.

    {"final": the answer's measures, "steps": joint errors and humanness of every step, "truth":
    the humanness of the true bodies}. Besides those of `hmr_edu.evaluation.scores.score`:
    `error2d`: mean distance of a keypoint from its place, in % of the crop's side.
    `beyond_limits`: joints of a body, of the 17 that mocap measures, outside the prior's limits.
    `log_prior`: median log density of a body's pose under the prior, in nats.
    `scale`: mean error of the camera's scale, in %.
    `leaning_pa_mpjpe`: see `leaning_error`.
    """
    final = steps[trained - 1]
    scores = score(final, truth, body, prior_poses())
    off = (final.keypoints2d - truth.keypoints2d).norm(dim=-1)
    values = {name: scores[name] for name in KEPT}
    values |= leaning_error(scores)
    values |= {
        "error2d": 50 * float(off[truth.visible > 0].mean()),
        "scale": 100 * float((final.camera[:, 0] / truth.camera[:, 0] - 1).abs().mean()),
    } | _humanness(final.rotations)
    true = _humanness(truth.rotations) | {
        "distance_to_real_pose": float(prior_poses().distance(truth.rotations).mean())
    }
    return {
        "final": rounded(values),
        "truth": rounded(true),
        "steps": [rounded(_joints(step, truth) | _humanness(step.rotations)) for step in steps],
    }


def leaning_error(scores: dict[str, Any]) -> dict[str, float]:
    """Return `leaning_pa_mpjpe`, the error of people who lean; nothing where nobody does.

    They kick, sit on the ground or lie. `scores` are those of `hmr_edu.evaluation.scores.score`.
    """
    groups = scores["by_lean"].items()
    leaning = [group for lean, group in groups if int(lean.split()[0]) >= LEANING]
    people = sum(group["people"] for group in leaning)
    if not people:
        return {}
    total = sum(group["people"] * group["pa_mpjpe"] for group in leaning)
    return {"leaning_pa_mpjpe": total / people}


def _joints(step: Prediction, truth: Truth) -> dict[str, float]:
    scores = score_joints(step.keypoints3d, truth)
    return {name: scores[name] for name in ("mpjpe", "pa_mpjpe")}


def _humanness(rotations: Float[Tensor, "batch 24 3 3"]) -> dict[str, float]:
    prior = load_pose_prior()
    pose = matrix_to_axis_angle(rotations).flatten(1)
    return {
        "beyond_limits": float(beyond_limits(pose).float().mean()),
        "log_prior": float(prior.log_prob(pose).median()),
    }


def beyond_limits(pose: Float[Tensor, "batch 72"]) -> Tensor:
    """Count the joints [batch] with an angle that motion capture does not show."""
    prior = load_pose_prior()
    joints = pose[:, 3:]
    outside = (joints < prior.low) | (joints > prior.high)
    return outside.unflatten(1, (23, 3)).any(2)[:, MEASURED].sum(1)


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Keep four digits: more would be noise, and the records stay small."""
    return {name: float(f"{value:.4g}") for name, value in values.items()}
