"""A contact sheet of poses: bodies of average shape, seen from the front."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.pictures import Picture, contact_sheet, save_picture, turntable

YAW = -25  # degrees; a little from the side shows more than the front
COLUMNS, SIZE = 12, 112  # tiles of a row, pixels of a tile


def pose_sheet(body: SMPL, poses: Float[Tensor, "N 72"]) -> Picture:
    """Draw bodies in these poses (Y up, facing +Z), a tile a pose; their own yaw is left out."""
    rotations = axis_angle_to_matrix(poses.view(-1, 24, 3))
    # Into the camera frame: y down, the body facing the camera.
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])).to(poses) @ rotations[:, 0]
    vertices = body(torch.zeros(len(poses), 10), rotations).vertices.detach()
    tiles = [turntable(v.numpy(), body.faces.numpy(), SIZE, (YAW,))[0] for v in vertices]
    return contact_sheet(tiles, COLUMNS)


def save_pose_sheet(path: str | Path, body: SMPL, poses: Float[Tensor, "N 72"]) -> None:
    """Write the contact sheet of these poses."""
    save_picture(path, pose_sheet(body, poses))
