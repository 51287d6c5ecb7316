"""Baselines: predictions made without the picture, or with a single fact about it.

A network has learnt something only if it is better than these. The constants and the true root are
computed from the labels of the test set: they are not predictors that one could use, but bounds for
a network that does not look.
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
    """Score the predictions that every network is compared with; metrics as in `score`.

    `mean theta`: what the network starts from, for everybody.
    `best single yaw`: the same, turned about the vertical by the best angle for the test set.
    `best constant prediction`: the constant joints with the least mean MPJPE. They are no body:
    they lie near the axis about which people turn. Metrics that need a body are None.
    `mean pose with the true root`: pose and shape of the mean, with the true root rotation and
    camera.

    Args:
        mean_theta: what the network starts from.
        truth: the labels of the test set.
        body: the body model.
        real_poses: the bank for `distance_to_real_pose`.
    """

    def score_theta(theta: Tensor) -> dict[str, Any]:
        return score(
            body_of_theta(theta.expand(len(truth.betas), -1), body, vertices=False),
            truth,
            body,
            real_poses,
        )

    rows = {
        "mean theta": score_theta(mean_theta),
        "best single yaw": score_theta(best_single_yaw(mean_theta, truth, body)),
    }
    constant = best_constant(truth.keypoints3d).expand(len(truth.betas), -1, -1)
    rows["best constant prediction"] = dict.fromkeys(rows["mean theta"]) | score_joints(
        constant, truth
    )
    rows["mean pose with the true root"] = score_theta(with_true_root(mean_theta, truth))
    return rows


def best_single_yaw(theta: Float[Tensor, " 85"], truth: Truth, body: SMPL) -> Float[Tensor, " 85"]:
    """Turn theta about the vertical by the whole number of degrees with the least mean MPJPE."""
    yaw = torch.arange(360).to(theta) * (math.pi / 180)
    turns = torch.stack([0 * yaw, yaw, 0 * yaw], 1)
    root = axis_angle_to_matrix(turns) @ axis_angle_to_matrix(theta[3:6])
    turned = theta.repeat(360, 1)
    turned[:, 3:6] = matrix_to_axis_angle(root)
    joints = metrics.align_root(
        body_of_theta(turned, body, vertices=False).keypoints3d[:, : len(LSP)]
    )
    target = metrics.align_root(truth.keypoints3d[:, : len(LSP)]).to(joints)
    # [joint, yaw, person]: every yaw with every person, without copies of the joints.
    distance = torch.cdist(
        joints.transpose(0, 1),
        target.transpose(0, 1),
        compute_mode="donot_use_mm_for_euclid_dist",  # exact, where bodies coincide too
    )
    return turned[distance.mean((0, 2)).argmin()]


def best_constant(keypoints3d: Float[Tensor, "batch 19 3"]) -> Float[Tensor, "1 19 3"]:
    """Return the constant joints with the least mean distance to all given joints, hips aligned.

    Joint by joint this is the geometric median. It is computed by Weiszfeld's iteration: a mean
    that weights every point by one over its distance. The medians of the two hips stay opposite
    each other, as all pairs of hips do, so aligning the result again changes nothing.
    """
    points = metrics.align_root(keypoints3d.double())
    median = points.mean(0)
    for _ in range(ROUNDS):
        weight = 1 / (points - median).norm(dim=-1, keepdim=True).clamp_min(SMALLEST)
        last_median, median = median, (weight * points).sum(0) / weight.sum(0)
        if (median - last_median).abs().max() < TOLERANCE:
            break
    return median[None].to(keypoints3d.dtype)


def with_true_root(theta: Float[Tensor, " 85"], truth: Truth) -> Float[Tensor, "batch 85"]:
    """Return theta with the true root rotation and camera of each person."""
    thetas = theta.repeat(len(truth.betas), 1)
    thetas[:, :3] = truth.camera
    thetas[:, 3:6] = matrix_to_axis_angle(truth.rotations[:, 0])
    return thetas
