"""Second starts of a fit: other bodies that may explain a picture which the first does not.

A descent finds the valley in which it starts. The network's answer lies in a wrong one where a
person is upside down, because training shows few such people, or faces the other way. So other
starts are made: from the crop, turned by quarters before the network sees it; from the body, turned
by half a turn; and from its mirror image in depth, which has nearly the same projection.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.fitting.flip_test import FlipTest, run_flip_test
from hmr_edu.hmr import HMR
from hmr_edu.io.precision import at_least_float32
from hmr_edu.keypoints import flip_theta
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.theta import join_theta, split_theta


def look_turned(model: HMR, images: Float[Tensor, "batch 3 size size"], quarters: int) -> FlipTest:
    """Turn crops by quarters, run the flip test on them, and turn its answers back.

    `torch.rot90` turns: counter-clockwise in the picture. The regression steps are not turned back.
    Raises DataError as `run_flip_test`.
    """
    seen = run_flip_test(model, images.rot90(quarters, (-2, -1)).contiguous(), vertices=False)
    theta = turn_theta(model.body, seen.theta, -quarters)
    return seen._replace(theta=theta, heatmaps=seen.heatmaps.rot90(-quarters, (-2, -1)))


@at_least_float32
def turn_theta(body: SMPL, theta: Float[Tensor, "batch 85"], quarters: int) -> Tensor:
    """Turn bodies in the picture by quarters, counter-clockwise about the middle of the crop."""
    camera, pose, betas = split_theta(theta)
    # A quarter takes (x, y) to (y, -x): y points down.
    R = torch.eye(3).to(theta)
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]]).to(theta)
    R[:2, :2] = torch.linalg.matrix_power(quarter, quarters % 4)
    root = matrix_to_axis_angle(R @ axis_angle_to_matrix(pose[:, :3]))
    # The body turns about its pelvis, which lies beside its origin.
    pelvis = body(betas, torch.zeros_like(pose), vertices=False).joints[:, 0, :2]
    t = (camera[:, 1:] + pelvis) @ R[:2, :2].T - pelvis
    return join_theta(torch.cat((camera[:, :1], t), 1), torch.cat((root, pose[:, 3:]), 1), betas)


@at_least_float32
def face_about(theta: Float[Tensor, "batch 85"]) -> Float[Tensor, "batch 85"]:
    """Turn bodies about their own upright axis by half a turn: front becomes back."""
    camera, pose, betas = split_theta(theta)
    root = matrix_to_axis_angle(axis_angle_to_matrix(pose[:, :3]) @ _half_turn(theta))
    return join_theta(camera, torch.cat((root, pose[:, 3:]), 1), betas)


@at_least_float32
def mirror_depth(theta: Float[Tensor, "batch 85"]) -> Float[Tensor, "batch 85"]:
    """Mirror bodies in the plane of the picture: z -> -z, left and right limbs swapped.

    Limbs then cover the same places of the picture, if the body is symmetric.
    """
    # Mirrored x -> -x, then half a turn about the camera's y: together z -> -z.
    _, pose, betas = split_theta(flip_theta(theta))
    root = matrix_to_axis_angle(_half_turn(theta) @ axis_angle_to_matrix(pose[:, :3]))
    return join_theta(split_theta(theta).camera, torch.cat((root, pose[:, 3:]), 1), betas)


def _half_turn(like: Tensor) -> Float[Tensor, "3 3"]:
    return torch.diag(torch.tensor([-1.0, 1.0, -1.0])).to(like)
