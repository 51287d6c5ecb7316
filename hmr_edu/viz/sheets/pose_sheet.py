"""A contact sheet of poses: bodies of average shape, seen from the front, or from two sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.pictures import Picture, contact_sheet, save_picture, turntable

YAW = -25  # degrees; a little from the side shows more than the front
COLUMNS, SIZE = 12, 112  # tiles of a row, pixels of a tile
TWO_VIEWS = (-25, 75)


def pose_sheet(
    body: SMPL,
    poses: Float[Tensor, "N 72"],
    yaws: Sequence[int] = (YAW,),
    columns: int = COLUMNS,
    size: int = SIZE,
) -> Picture:
    """Draw bodies in these poses (Y up, facing +Z), a tile a pose, or a row below a row a view.

    Args:
        body: the body.
        poses: axis-angle; the heading of draws is zero.
        yaws: of the views, degrees.
        columns: tiles of a row.
        size: pixels of a tile.
    """
    rotations = axis_angle_to_matrix(poses.view(-1, 24, 3))
    # Into the camera frame: y down, the body facing the camera.
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])).to(poses) @ rotations[:, 0]
    vertices = body(torch.zeros(len(poses), 10), rotations).vertices.detach()
    views = [turntable(v.numpy(), body.faces.numpy(), size, yaws) for v in vertices]
    tiles = []
    for start in range(0, len(views), columns):
        row = views[start : start + columns]
        missing = [np.full_like(row[0][0], 255)] * (columns - len(row) if len(yaws) > 1 else 0)
        for view in range(len(yaws)):
            tiles += [tile[view] for tile in row] + missing
    return contact_sheet(tiles, columns)


def save_pose_sheet(path: str | Path, body: SMPL, poses: Float[Tensor, "N 72"]) -> None:
    """Write the contact sheet of these poses."""
    save_picture(path, pose_sheet(body, poses))


def save_two_views(path: str | Path, body: SMPL, poses: Float[Tensor, "N 72"]) -> None:
    """Write a larger sheet: eight people in a row, and below them the same from the side."""
    save_picture(path, pose_sheet(body, poses, TWO_VIEWS, 8, 190))
