"""Motions of DeepMimic, which pybullet ships: JSON with 44 numbers a frame.

X is forward, Y up, Z right. The humanoid stands with hanging arms at rest. Knees and elbows are
hinges about Z. A frame: seconds, place of the root, then the rotations in the order of `JOINTS`, as
quaternions (w, x, y, z) or angles.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import Clip, Reading, check_rate, usable
from hmr_edu.data.poses.formats.recording import Recording
from hmr_edu.data.poses.formats.retarget import retarget
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input
from hmr_edu.io.jsonfile import read_json

# The humanoid: joint, parent, place from the parent in metres, first column, columns.
JOINTS = (
    ("root", -1, (0.0, 0.0, 0.0), 4, 4),
    ("chest", 0, (0.0, 0.236, 0.0), 8, 4),
    ("head", 1, (0.0, 0.224, 0.0), 12, 4),
    ("right_hip", 0, (0.0, 0.0, 0.085), 16, 4),
    ("right_knee", 3, (0.0, -0.422, 0.0), 20, 1),
    ("right_ankle", 4, (0.0, -0.410, 0.0), 21, 4),
    ("right_shoulder", 1, (-0.024, 0.243, 0.183), 25, 4),
    ("right_elbow", 6, (0.0, -0.275, 0.0), 29, 1),
    ("left_hip", 0, (0.0, 0.0, -0.085), 30, 4),
    ("left_knee", 8, (0.0, -0.422, 0.0), 34, 1),
    ("left_ankle", 9, (0.0, -0.410, 0.0), 35, 4),
    ("left_shoulder", 1, (-0.024, 0.243, -0.183), 39, 4),
    ("left_elbow", 11, (0.0, -0.275, 0.0), 43, 1),
)
COLUMNS = 44
# Bytes of the largest file: an hour has 60 million.
LARGEST = 2**26


def read_deepmimic(path: Path, reading: Reading) -> list[Clip]:
    """Read a motion of DeepMimic: one clip.

    Raises FileNotFoundError, or DataError that says what is wrong.
    """
    if check_input(path, "motion file").stat().st_size > LARGEST:
        raise DataError(f"{path}: larger than {LARGEST:,} bytes")
    content = read_json(path, "motion file")
    rows = content.get("Frames") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: no list `Frames`; not a motion of DeepMimic")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != COLUMNS:
            found = f"{len(row)} numbers" if isinstance(row, list) else repr(row)
            raise DataError(
                f"{path}: frame {number} has {found:.40}, a humanoid of DeepMimic has {COLUMNS}"
            )
    try:
        table = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        table = np.empty(0)
    if table.shape != (len(rows), COLUMNS):
        raise DataError(f"{path}: `Frames` must hold numbers and nothing else")
    # Its world has Y up, always.
    return [retarget(_recording(path, table), replace(reading, up="y"), path)]


def _recording(path: Path, table: np.ndarray) -> Recording:
    """Return the humanoid with its motion."""
    whole = usable(table)
    seconds = float(np.median(table[whole, 0])) if whole.any() else 0.0
    if seconds <= 0:
        raise DataError(f"{path}: a frame takes {seconds:g} seconds")
    for _, _, _, column, columns in JOINTS:
        if columns == 4:  # a quaternion of no length is no rotation
            # The square of a huge number, in a row that counts as lost, is beyond all floats.
            quaternion = np.where(whole[:, None], table[:, column : column + 4], 0)
            whole &= np.linalg.norm(quaternion, axis=1) > 1e-6

    def rotation(joint: int, frames: slice) -> Rotation:
        _, _, _, column, columns = JOINTS[joint]
        values = table[frames, column : column + columns]
        ok = whole[frames]
        if columns == 1:
            return Rotation.from_euler("z", np.where(ok[:, None], values, 0))
        quaternion = np.where(ok[:, None], values, [1, 0, 0, 0])
        return Rotation.from_quat(quaternion, scalar_first=True)

    return Recording(
        [joint[0] for joint in JOINTS],
        [joint[1] for joint in JOINTS],
        np.array([joint[2] for joint in JOINTS]),
        rotation,
        len(table),
        check_rate(path, 1 / seconds),
        spine=(1 / 3, 1 / 3, 1 / 3),
        missing=~whole,
    )
