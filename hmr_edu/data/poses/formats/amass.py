"""AMASS: npz files of SMPL-H, SMPL-X and SMPL poses, in a world with Z up.

The first 22 joints of all three are the same; fingers, jaw and eyes follow and are left out.
Files of stage II call the frame rate `mocap_frame_rate`. Some tools write `root_orient` and
`pose_body` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Real
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import POSE_SIZE, Clip, Reading, check_angles, check_rate
from hmr_edu.io.errors import DataError
from hmr_edu.io.npz import Header, read_arrays

BODY_SIZE = 66  # the root and 21 joints
RATES = ("mocap_framerate", "mocap_frame_rate")
PARTS = ("root_orient", "pose_body")


def read_amass(path: Path, reading: Reading) -> list[Clip]:
    """Read a file of AMASS, or one of this package: its clips.

    Raises FileNotFoundError, or DataError that says what is wrong with the file.
    """
    arrays = read_arrays(path, (), ("poses", *PARTS, *RATES, "clip"), _check_header)
    if "clip" in arrays:
        return _read_ours(path)
    if "poses" in arrays:
        poses = arrays["poses"]
    elif all(part in arrays for part in PARTS):
        poses = np.concatenate([arrays[part] for part in PARTS], 1)
    else:
        raise DataError(f"{path}: no `poses`, and no `root_orient` with `pose_body`: no motion")
    rates = [arrays[key] for key in RATES if key in arrays]
    fps = reading.source_fps
    if rates:
        if rates[0].size != 1 or rates[0].dtype.kind not in "fiu":
            raise DataError(f"{path}: the frame rate is {rates[0]!r:.60}")
        fps = float(rates[0].ravel()[0])
    up = "z" if reading.up == "auto" else reading.up
    return [Clip(path.stem, amass_poses(path, poses, up), check_rate(path, fps))]


def amass_poses(
    path: Path, poses: Real[np.ndarray, "T C"], up: str = "z"
) -> Float[np.ndarray, "T 72"]:
    """Return poses [T, >= 66] as [T, 72]: hands at rest, Y up. Frames with NaN are NaN."""
    if poses.shape[1] < BODY_SIZE:
        raise DataError(f"{path}: AMASS `poses` has {poses.shape[1]} columns, expected >= 66")
    pose = np.zeros((len(poses), POSE_SIZE))
    # Of the smallest whole number of a type there is no absolute value; a float has one.
    pose[:, :BODY_SIZE] = poses[:, :BODY_SIZE]
    check_angles(path, pose)
    whole = np.isfinite(pose).all(1)
    pose[~whole] = np.nan
    if up == "z" and whole.any():
        y_up = Rotation.from_rotvec([-np.pi / 2, 0, 0])
        pose[whole, :3] = (y_up * Rotation.from_rotvec(pose[whole, :3])).as_rotvec()
    return pose


def _check_header(headers: Mapping[str, Header]) -> None:
    """Raise DataError where the arrays cannot be poses; nothing has been unpacked yet."""
    for key in ("poses", *PARTS):
        header = headers.get(key)
        if header and (header.ndim != 2 or not header.shape[0] or header.dtype.kind not in "fi"):
            raise DataError(
                f"`{key}` is {header.dtype} {header.shape}, expected numbers [T, >= 66]"
            )
    parts = [headers[key].shape for key in PARTS if key in headers]
    if "poses" not in headers and len(parts) == 2:
        (rows, root), (others, body) = parts
        if rows != others or root != 3 or body < BODY_SIZE - 3:
            raise DataError(f"`root_orient` {parts[0]} and `pose_body` {parts[1]} do not fit")


def _read_ours(path: Path) -> list[Clip]:
    from hmr_edu.data.poses.mocap import load_mocap

    mocap = load_mocap(path)
    clips = []
    for number, name in enumerate(mocap.clip_names):
        poses = mocap.poses[mocap.clips == number]
        if len(poses):
            clips.append(Clip(name, poses.double().numpy(), mocap.fps))
    return clips
