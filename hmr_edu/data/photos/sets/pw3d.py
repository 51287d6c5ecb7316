"""3DPW, https://virtualhumans.mpi-inf.mpg.de/3DPW: its own pickles, or SPIN's npz.

`sequenceFiles/{train,validation,test}/*.pkl` beside `imageFiles`. A pickle holds a sequence of one
or two people: pose, betas and 3D joints in the world, and the camera's extrinsics of each picture,
which turn them into the camera's frame. Pictures with `campose_valid` 0 are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from hmr_edu.data.detections.joint_sets import OPENPOSE18
from hmr_edu.data.photos.blocks import BlockBuilder, Joints, check_shape
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.sets import spin
from hmr_edu.data.photos.table import UNKNOWN, PeopleTable
from hmr_edu.io.arrays import as_numbers
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.pickles import read_pickle
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle

NO_CAMERA = "in pictures whose camera is not known"
# SMPL's neck is lower than the one that annotators click on.
JOINTS = tuple("neck_joint" if name == "neck" else name for name in SMPL_JOINTS)


def find(path: Path, split: str) -> Layout:
    """Return the pickles of a split, or of one folder or sequence, or SPIN's npz."""
    if path.is_file() and path.suffix == ".npz":
        return spin.of_npz(path)
    if path.is_file():
        return Layout((path,), _root(path.parent))
    own = tuple(sorted(path.glob("*.pkl")))
    if own:
        return Layout(own, _root(path))
    folder = path / "sequenceFiles" / split
    if files := tuple(sorted(folder.glob("*.pkl"))):
        return Layout(files, path)
    names = (path / f"3dpw_{split}.npz", path / "dataset_extras" / f"3dpw_{split}.npz")
    npz = [Layout((name,), path) for name in names]
    layout = first_layout(path, [*npz, Layout((folder / "*.pkl",), path)])
    return spin.of_npz(layout.annotations[0])


def read(layout: Layout) -> PeopleTable:
    """Read everybody in every picture whose camera is known.

    The betas are of the male and female body, not of the neutral one: they count as unknown.
    """
    if layout.annotations[0].suffix == ".npz":
        return spin.read(layout)
    sequences = []
    for path in layout.annotations:
        with naming(path):
            sequences.append(_people(read_pickle(path, "3DPW's sequence"), path))
    people = [person for sequence in sequences for person in sequence]
    builder = BlockBuilder(layout.pictures, sum(len(person["files"]) for person in people))
    for person in people:
        with naming(person.pop("path")):
            builder.leave_out(NO_CAMERA, person.pop("lost"))
            builder.add(**person)
    with naming(layout.annotations[0]):
        return builder.table()


def _root(folder: Path) -> Path:
    """Return the folder of `imageFiles` above the sequences, or that of the sequences."""
    above = folder.absolute()
    return next((f for f in (above, *above.parents[:3]) if (f / "imageFiles").is_dir()), above)


def _people(sequence: Any, path: Path) -> list[dict[str, Any]]:
    """Return what `BlockBuilder.add` takes of each person of a sequence."""
    if not isinstance(sequence, dict):
        raise DataError("not a sequence of 3DPW")
    name, poses = sequence.get("sequence"), sequence.get("poses")
    if not isinstance(name, str) or not isinstance(poses, list | tuple) or not poses:
        raise DataError("not a sequence of 3DPW: it has no `sequence` or no `poses`")
    cameras = _array(sequence, "cam_poses", None, (None, 4, 4))
    frames = len(cameras)
    turns = cameras[:, :3, :3]
    away = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).reshape(frames, 9).max(1)
    people = []
    for number in range(len(poses)):
        pose = _array(sequence, "poses", number, (frames, 72))
        valid = _array(sequence, "campose_valid", number, (frames,)) > 0
        if (away[valid] > 1e-3).any():
            raise DataError(f"`cam_poses` {int(np.argmax(valid & (away > 1e-3)))} is no rotation")
        marks = _array(sequence, "poses2d", number, (frames, 3, 18)).transpose(0, 2, 1)
        joints = _joints(sequence, number, cameras)
        rows = np.flatnonzero(valid)
        pose = turn_root(pose[rows], turns[rows])
        people.append(
            {
                "path": path,
                "lost": frames - len(rows),
                "files": [f"imageFiles/{name}/image_{row:05d}.jpg" for row in rows.tolist()],
                "keypoints": [Joints(marks[rows, :, :2], marks[rows, :, 2], OPENPOSE18)],
                "keypoints3d": [] if joints is None else [joints_of(joints[rows])],
                "pose": pose,
                "betas": np.full((len(rows), 10), UNKNOWN, np.float32),
            }
        )
    return people


def joints_of(joints: Float[np.ndarray, "frames 24 3"]) -> Joints:
    """Return SMPL's joints, all of them known."""
    return Joints(joints, np.ones(joints.shape[:2], np.float32), JOINTS)


def turn_root(
    pose: Float[np.ndarray, "frames 72"], turns: Float[np.ndarray, "frames 3 3"]
) -> Float[np.ndarray, "frames 72"]:
    """Turn poses from the world's frame into the camera's: its rotation before the root's."""
    pose = pose.copy()
    finite = np.isfinite(pose).all(1)
    root = axis_angle_to_matrix(torch.from_numpy(pose[finite, :3]))
    turned = torch.from_numpy(np.ascontiguousarray(turns[finite])) @ root
    pose[finite, :3] = matrix_to_axis_angle(turned).numpy()
    return pose


def _joints(sequence: dict[str, Any], number: int, cameras: np.ndarray) -> np.ndarray | None:
    """Return SMPL's joints in the camera's frame; None where the file has none."""
    if "jointPositions" not in sequence:
        return None
    joints = _array(sequence, "jointPositions", number, (len(cameras), 72)).reshape(-1, 24, 3)
    turned = joints @ cameras[:, :3, :3].transpose(0, 2, 1)
    return turned + cameras[:, None, :3, 3]


def _array(
    sequence: dict[str, Any], name: str, number: int | None, shape: tuple[int | None, ...]
) -> np.ndarray:
    """Return the numbers of a sequence, or of a person in it."""
    value = sequence.get(name)
    if number is not None:
        if not isinstance(value, list | tuple | np.ndarray) or len(value) <= number:
            raise DataError(f"`{name}` has nothing for person {number}")
        value = value[number]
    what = f"`{name}`" if number is None else f"`{name}` of person {number}"
    array = as_numbers(value, what)
    check_shape(array, shape, what)
    return array.astype(np.float64)
