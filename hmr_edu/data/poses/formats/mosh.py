"""Pickles of MoSh (neutrMosh): `poses` or `new_poses` [T, 72], and `betas`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import POSE_SIZE, Clip, Reading, check_angles, check_rate
from hmr_edu.io.errors import DataError
from hmr_edu.io.pickles import read_pickle
from hmr_edu.io.schema import shown

# From each axis that may point up in the file's world to Y.
TO_Y = {"y": [0, 0, 0], "z": [-np.pi / 2, 0, 0], "-y": [np.pi, 0, 0]}
UP = {"y": [0, 1, 0], "z": [0, 0, 1], "-y": [0, -1, 0]}


def read_mosh(path: Path, reading: Reading) -> list[Clip]:
    """Read a pickle of MoSh: one clip; nothing in it is executed.

    Its world says nothing of up, which is where most frames have their heads. Raises
    FileNotFoundError, or DataError that says what is wrong.
    """
    content = read_pickle(path, "pickle of MoSh")
    if not isinstance(content, dict):
        raise DataError(f"{path}: a dict with `poses` was expected")
    key = next((k for k in ("poses", "new_poses", "pose") if k in content), None)
    if key is None:
        keys = ", ".join(map(shown, content))
        raise DataError(f"{path}: no `poses` and no `new_poses` (found: {keys:.200})")
    poses = content[key]
    shaped = isinstance(poses, np.ndarray) and poses.ndim == 2 and poses.dtype.kind in "fi"
    if not shaped or not len(poses) or poses.shape[1] < POSE_SIZE:
        found = f"{poses.dtype} {poses.shape}" if isinstance(poses, np.ndarray) else type(poses)
        raise DataError(f"{path}: `{key}` is {found}, expected numbers [T, 72]")
    pose = poses[:, :POSE_SIZE].astype(np.float64)
    check_angles(path, pose)
    pose[:, 66:] = 0  # MoSh has no hands
    whole = np.isfinite(pose).all(1)
    if whole.any():
        root = Rotation.from_rotvec(pose[whole, :3])
        heads = np.median(root.apply([0, 1, 0]), axis=0)
        up = max(UP, key=lambda name: heads @ UP[name]) if reading.up == "auto" else reading.up
        pose[whole, :3] = (Rotation.from_rotvec(TO_Y[up]) * root).as_rotvec()
    pose[~whole] = np.nan
    rate = content.get("fps", content.get("frame_rate", reading.source_fps))
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.integer, np.floating)):
        raise DataError(f"{path}: the frame rate is {shown(rate)}")
    # A whole number of Python's may be larger than every float.
    fps = rate.item() if isinstance(rate, np.generic) else rate
    return [Clip(path.stem, pose, check_rate(path, fps))]
