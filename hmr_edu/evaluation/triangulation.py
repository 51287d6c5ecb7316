"""Triangulate points in space from several calibrated pictures of the same moment."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.data.photos.calibration import View

# Cameras closer together than this share of their distance to the point do not show its depth.
TOGETHER = 1e-3


def triangulate(
    views: list[View],
    pixels: Float[Tensor, "views N 2"],
    seen: Bool[Tensor, "views N"],
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, " N"]]:
    """Return points of the world, and their mean reprojection errors in pixels.

    The method is linear (Hartley and Zisserman 2004, section 12.2), in float64: each picture gives
    two planes through its centre and the keypoint, and the point is where all planes nearly meet.
    Point and error are NaN when fewer than two pictures show the point, when their cameras are at
    one place, and when the point is behind a camera. Keypoints that are not `seen` may have any
    coordinates, NaN included. Raises DataError on a keypoint that its camera's lens cannot show.
    """
    pixels = torch.where(seen[..., None], pixels.double(), 0.0)
    rays, P = [], []
    for view, places, shown in zip(views, pixels, seen, strict=True):
        # In units of the focal length, so that all planes count equally.
        ray = torch.zeros_like(places)
        ray[shown] = view.rays(places[shown])
        rays.append(ray)
        P.append(torch.cat([view.R, view.t[:, None]], 1).double())
    x, P = torch.stack(rays), torch.stack(P)
    # x (P_3 X) - P_1 X = 0, and the same for y.
    planes = x[..., None] * P[:, None, 2:] - P[:, None, :2]
    planes = planes * seen[..., None, None]
    A = planes.transpose(0, 1).flatten(1, 2)  # [N, 2 views, 4]
    _, S, Vh = torch.linalg.svd(A)
    points = Vh[:, -1]
    points = points[:, :3] / points[:, 3:]
    depth = torch.stack([v.R.double()[2] @ points.T + v.t.double()[2] for v in views])
    # Where cameras stand together, planes meet in a line, not in a point.
    apart = S[:, 2] > TOGETHER * S[:, 0]
    known = (seen.sum(0) >= 2) & ((depth > 0) | ~seen).all(0) & apart
    points = points.masked_fill(~known[:, None], torch.nan)
    miss = []
    for view, places in zip(views, pixels, strict=True):
        exact = View(*(part.double() for part in view))
        miss.append((exact.pixels(points) - places).norm(dim=1))
    return points, torch.stack(miss).masked_fill(~seen, 0).sum(0) / seen.sum(0).clamp_min(1)
