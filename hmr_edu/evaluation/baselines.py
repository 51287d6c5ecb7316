"""What can be had without looking at the picture, or with one thing looked up.

A network has learnt something only where it beats these. The last two know the test set itself,
so they are bounds for what a blind network could reach, not predictors that one could have.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.body import SMPL
from hmr_edu.data.poses.real_poses import RealPoses
from hmr_edu.evaluation.scores import Truth, score, score_joints
from hmr_edu.hmr import body_of_theta
from hmr_edu.keypoints import LSP
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle

# The geometric median stops when no joint moves by more than this, in metres.
TOLERANCE = 1e-7
ROUNDS = 1000
# Weiszfeld's weights are 1 / distance; a median may lie on a data point.
SMALLEST = 1e-9


@torch.no_grad()
def score_baselines(
    mean_theta: Float[Tensor, " 85"], truth: Truth, body: SMPL, real_poses: RealPoses
) -> dict[str, dict[str, Any]]:
    """Score the predictors that every network is compared with; metrics as in `score`.

    `mean theta`: what the network starts from, for everybody.
    `best single yaw`: the same, turned by the angle about the vertical that suits the test set.
    `best constant prediction`: the joints with the least mean MPJPE of all that ignore the
    picture. They are no body: they lie near the axis about which people turn. Metrics that need
    a body are None.
    `mean pose with the true root`: pose and shape of the mean, root rotation and camera looked up.
    """

    def scored(theta: Tensor) -> dict[str, Any]:
        return score(
            body_of_theta(theta.expand(len(truth.betas), -1), body, vertices=False),
            truth,
            body,
            real_poses,
        )

    rows = {
        "mean theta": scored(mean_theta),
        "best single yaw": scored(best_single_yaw(mean_theta, truth, body)),
    }
    constant = best_constant(truth.keypoints3d).expand(len(truth.betas), -1, -1)
    rows["best constant prediction"] = dict.fromkeys(rows["mean theta"]) | score_joints(
        constant, truth
    )
    rows["mean pose with the true root"] = scored(with_true_root(mean_theta, truth))
    return rows


def best_single_yaw(theta: Float[Tensor, " 85"], truth: Truth, body: SMPL) -> Float[Tensor, " 85"]:
    """Turn theta about the vertical by the whole number of degrees with the least MPJPE."""
    yaw = torch.arange(360) * (math.pi / 180)
    turns = torch.stack([torch.zeros(360), yaw, torch.zeros(360)], 1)
    root = axis_angle_to_matrix(turns) @ axis_angle_to_matrix(theta[3:6])
    turned = theta.repeat(360, 1)
    turned[:, 3:6] = matrix_to_axis_angle(root)
    joints = metrics.align_root(
        body_of_theta(turned, body, vertices=False).keypoints3d[:, : len(LSP)]
    )
    target = metrics.align_root(truth.keypoints3d[:, : len(LSP)])
    # [joint, yaw, person]: every turn against everybody, without a copy for each.
    distance = torch.cdist(
        joints.transpose(0, 1),
        target.transpose(0, 1),
        compute_mode="donot_use_mm_for_euclid_dist",  # exact, where bodies coincide too
    )
    return turned[distance.mean((0, 2)).argmin()]


def best_constant(keypoints3d: Float[Tensor, "batch 19 3"]) -> Float[Tensor, "1 19 3"]:
    """Return the joints whose mean distance to all the given ones, mid-hips aligned, is least.

    Joint by joint this is the geometric median: Weiszfeld's iteration, a mean that weights every
    point by one over its distance. The two hips' medians stay opposite each other, as all pairs
    of hips do, so aligning the result again changes nothing.
    """
    points = metrics.align_root(keypoints3d.double())
    median = points.mean(0)
    for _ in range(ROUNDS):
        weight = 1 / (points - median).norm(dim=-1, keepdim=True).clamp_min(SMALLEST)
        before, median = median, (weight * points).sum(0) / weight.sum(0)
        if (median - before).abs().max() < TOLERANCE:
            break
    return median[None].to(keypoints3d.dtype)


def with_true_root(theta: Float[Tensor, " 85"], truth: Truth) -> Float[Tensor, "batch 85"]:
    """Return theta with everybody's own root rotation and camera."""
    own = theta.repeat(len(truth.betas), 1)
    own[:, :3] = truth.camera
    own[:, 3:6] = matrix_to_axis_angle(truth.rotations[:, 0])
    return own
