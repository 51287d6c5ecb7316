"""A contact sheet of recorded motion: poses from all of it, each facing the viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.prior import features_to_pose, pose_to_features
from hmr_edu.viz.sheets.pose_sheet import save_pose_sheet

TILES = 48


def save_motion_sheet(
    path: str | Path, poses: Float[np.ndarray, "N 72"], body: SMPL | None = None
) -> None:
    """Write a sheet of `TILES` poses, evenly through the recording, without their headings."""
    rows = np.unique(np.linspace(0, len(poses) - 1, TILES).round().astype(int))
    chosen = torch.from_numpy(np.ascontiguousarray(poses[rows])).float()
    save_pose_sheet(path, body or load_body("full"), features_to_pose(pose_to_features(chosen)))
