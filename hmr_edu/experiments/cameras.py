"""Where a predicted body is seen: by the regressed camera, or by one that is worked out for it."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import perspective, translation_from_weak, weak_perspective
from hmr_edu.hmr import Prediction
from hmr_edu.theta import join_theta, split_theta

# "direct": as regressed, weak perspective (HMR). "box": fills the detected box.
# "perspective": as regressed, seen by a pinhole of known focal length.
CameraKind = Literal["direct", "box", "perspective"]
# A regressed scale below this, or a body nearer than this (metres), has lost its way.
SMALLEST, NEAREST = 0.2, 0.2


def apply_camera(
    kind: CameraKind,
    step: Prediction,
    box: Float[Tensor, "batch 4"],
    focal: Float[Tensor, " batch"],
) -> Prediction:
    """Return the prediction with the camera, and the 2D keypoints, of this kind."""
    if kind == "box":
        camera = fill_box(step.keypoints3d, box)
        return step._replace(
            theta=join_theta(camera, *split_theta(step.theta)[1:]),
            keypoints2d=weak_perspective(step.keypoints3d, camera),
        )
    if kind == "perspective":
        return step._replace(keypoints2d=_through_pinhole(step, focal))
    return step


def _through_pinhole(step: Prediction, focal: Float[Tensor, " batch"]) -> Tensor:
    scale = step.camera[:, :1].clamp(min=SMALLEST)
    camera = torch.cat((scale, step.camera[:, 1:]), dim=1)
    x, y, z = translation_from_weak(camera, focal).unbind(1)
    z = torch.maximum(z, NEAREST - step.keypoints3d[..., 2].detach().amin(1))
    return perspective(step.keypoints3d, torch.stack((x, y, z), dim=1), focal)


def box_of(points: Float[Tensor, "batch N 2"]) -> Float[Tensor, "batch 4"]:
    """Return the box around points: (x0, y0, x1, y1)."""
    return torch.cat((points.amin(1), points.amax(1)), dim=1)


def fill_box(
    keypoints3d: Float[Tensor, "batch N 3"], box: Float[Tensor, "batch 4"]
) -> Float[Tensor, "batch 3"]:
    """Return the camera (s, tx, ty) by which the body fills a box: same middle, same diagonal."""
    own = box_of(keypoints3d[..., :2])
    size, own_size = ((b[:, 2:] - b[:, :2]).norm(dim=1) for b in (box, own))
    scale = (size / own_size)[:, None]
    middle, own_middle = ((b[:, 2:] + b[:, :2]) / 2 for b in (box, own))
    return torch.cat((scale, middle / scale - own_middle), dim=1)
