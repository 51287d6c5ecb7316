"""A contact sheet of poses: bodies of average shape, seen from the front."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.pictures import Picture, contact_sheet, save_picture, turntable

YAW = -25  # degrees; a little from the side tells more than the front


def pose_sheet(
    body: SMPL, poses: Float[Tensor, "N 72"], columns: int = 12, size: int = 112
) -> Picture:
    """Draw bodies in these poses (Y up, facing +Z), all without a yaw of their own."""
    rotations = axis_angle_to_matrix(poses.view(-1, 24, 3))
    # Into the camera frame: y down, the body facing the camera.
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])).to(poses) @ rotations[:, 0]
    vertices = body(torch.zeros(len(poses), 10), rotations).vertices.detach()
    tiles = [turntable(v.numpy(), body.faces.numpy(), size, (YAW,))[0] for v in vertices]
    return contact_sheet(tiles, columns)


def save_pose_sheet(path: str | Path, body: SMPL, poses: Float[Tensor, "N 72"]) -> None:
    """Write the contact sheet of these poses."""
    save_picture(path, pose_sheet(body, poses))
