"""Looking twice: at a picture and at its mirror image.

A person in a mirror is a person, so a network has a second opinion on every picture for the price
of a second glance. Mirrored back, both should be the same; where they are not, neither can be
trusted, and their mean is better than either.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, flip_permutation, flip_theta
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from hmr_edu.theta import join_theta, split_theta


class FlipTest(NamedTuple):
    """The steps of the first glance, and what both glances say together.

    `theta` and `depths` are the means of both answers; `heatmaps` are logits of the mean of maps.
    """

    steps: list[Prediction]
    theta: Float[Tensor, "batch 85"]
    heatmaps: Float[Tensor, "batch 19 height width"]
    depths: Float[Tensor, "batch 19"]


def run_flip_test(
    model: HMR, images: Float[Tensor, "batch 3 H W"], vertices: bool = True
) -> FlipTest:
    """Show a network pictures and their mirror images, and join its answers.

    Raises DataError on a network without heat-maps, and on answers that are NaN or infinite.
    """
    steps, first = model(images, vertices=vertices, return_features=True)
    if first.heatmaps is None:
        raise DataError("this network has no heat-maps that a body could be fitted to")
    mirrored, second = model(images.flip(-1), vertices=False, return_features=True)
    sides = list(flip_permutation(COCOPLUS))
    back = second.heatmaps[:, sides].flip(-1)
    # A mixture: a keypoint seen in two places is in one of them, not between.
    maps = [m.flatten(2).log_softmax(-1).view_as(m) for m in (first.heatmaps, back)]
    answers = steps[-1].theta, flip_theta(mirrored[-1].theta)
    if not all(answer.isfinite().all() for answer in answers):
        raise DataError("the network's answer is not finite: its weights are damaged")
    theta = average_theta(*answers)
    depths = (first.depths + second.depths[:, sides]) / 2
    return FlipTest(steps, theta, torch.logaddexp(*maps), depths)


def average_theta(
    first: Float[Tensor, "batch 85"], second: Float[Tensor, "batch 85"]
) -> Float[Tensor, "batch 85"]:
    """Return the body half-way: mean camera and betas, and of each joint the mean rotation."""
    a, b = split_theta(first), split_theta(second)
    R = [axis_angle_to_matrix(pose.unflatten(1, (24, 3))) for pose in (a.pose, b.pose)]
    pose = matrix_to_axis_angle(nearest_rotation(R[0] + R[1])).flatten(1)
    return join_theta((a.camera + b.camera) / 2, pose, (a.betas + b.betas) / 2)
