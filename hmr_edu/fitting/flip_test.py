"""The flip test: predict from a picture and from its mirror image, and average the two.

The mirror image of a picture shows an equally possible person, so the network gives a second
prediction at the cost of a second pass. Mirrored back, both predictions should agree. Where they
differ, at least one is wrong, and their mean is on average better than either.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.hmr import HMR, Prediction, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.io.precision import float32_inside
from hmr_edu.keypoints import COCOPLUS, flip_keypoints, flip_permutation, flip_theta
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from hmr_edu.theta import join_theta, split_theta


class FlipTest(NamedTuple):
    """The regression steps of the original picture, and the averages of both predictions.

    `theta` and `depths` are means of both predictions; `heatmaps` are logits of the mean of the
    maps.
    """

    steps: list[Prediction]
    theta: Float[Tensor, "batch 85"]
    heatmaps: Float[Tensor, "batch 19 height width"]
    depths: Float[Tensor, "batch 19"]


def run_flip_test(
    model: HMR, images: Float[Tensor, "batch 3 H W"], vertices: bool = True
) -> FlipTest:
    """Run a network on pictures and their mirror images, and average its predictions.

    Raises DataError on a network without heat-maps, and on predictions that are NaN or infinite.
    """
    if isinstance(model.encoder, KeypointEncoder):
        raise DataError("this network reads keypoints, and has no heat-maps to fit a body to")
    steps, features = model(images, vertices=vertices, return_features=True)
    if features.heatmaps is None:
        raise DataError("this network has no heat-maps that a body could be fitted to")
    mirrored_steps, mirrored_features = model(images.flip(-1), vertices=False, return_features=True)
    swapped = list(flip_permutation(COCOPLUS))
    mirrored_back = mirrored_features.heatmaps[:, swapped].flip(-1)
    # The mean of the maps: a keypoint seen in two places is in one of them, not between them.
    log_maps = [m.flatten(2).log_softmax(-1).view_as(m) for m in (features.heatmaps, mirrored_back)]
    thetas = steps[-1].theta, flip_theta(mirrored_steps[-1].theta)
    if not all(one_theta.isfinite().all() for one_theta in thetas):
        raise DataError("the network's answer is not finite: its weights are damaged")
    theta = average_theta(*thetas)
    depths = (features.depths + mirrored_features.depths[:, swapped]) / 2
    return FlipTest(steps, theta, torch.logaddexp(*log_maps), depths)


def lift(
    model: HMR,
    keypoints2d: Float[Tensor, "batch 19 2"],
    confidence: Float[Tensor, "batch 19"],
    vertices: bool = True,
) -> list[Prediction]:
    """Return the bodies of 2D keypoints: every step, and last the mean with the mirror image's.

    Raises ValueError as the encoder of keypoints, DataError on a network that reads pictures.

    Args:
        model: the network.
        keypoints2d: in any unit of the picture.
        confidence: of each keypoint; 0 where it is missing.
        vertices: whether to compute the meshes.
    """
    check_lifter(model)
    mirrored = flip_keypoints(keypoints2d), confidence[:, list(flip_permutation(COCOPLUS))]
    steps = model(keypoints2d, confidence, vertices=vertices)
    other = model(*mirrored, vertices=False)[-1].theta
    mean = average_theta(steps[-1].theta, flip_theta(other))
    return [*steps, body_of_theta(mean, model.body, vertices)]


class FlipTested(nn.Module):
    """A network of keypoints with one more step, the flip test; it can replace an `HMR`.

    Raises DataError on a network that reads pictures.
    """

    def __init__(self, model: HMR) -> None:
        super().__init__()
        check_lifter(model)
        self.model, self.body, self.regressor = model, model.body, model.regressor
        self.image_size, self.options = model.image_size, model.options
        self.training = model.training

    def forward(self, *inputs: Tensor, vertices: bool = True) -> list[Prediction]:
        """Return the bodies of every regression step, and after them the mean of both."""
        return lift(self.model, *inputs, vertices=vertices)


def check_lifter(model: HMR) -> None:
    """Raise DataError unless a network reads keypoints."""
    if not isinstance(model.encoder, KeypointEncoder):
        raise DataError("this network reads pictures; lifting keypoints takes one that reads them")


@float32_inside
def average_theta(
    first: Float[Tensor, "batch 85"], second: Float[Tensor, "batch 85"]
) -> Float[Tensor, "batch 85"]:
    """Return the mean of two bodies: mean camera and betas, mean rotation of each joint."""
    a, b = split_theta(first), split_theta(second)
    R = [axis_angle_to_matrix(pose.unflatten(1, (24, 3))) for pose in (a.pose, b.pose)]
    pose = matrix_to_axis_angle(nearest_rotation(R[0] + R[1])).flatten(1)
    return join_theta((a.camera + b.camera) / 2, pose, (a.betas + b.betas) / 2)
