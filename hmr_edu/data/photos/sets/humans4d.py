"""The npz files of 4D-Humans, https://github.com/shubham-goel/4D-Humans, for any data set.

They are like SPIN's, with other names: `body_keypoints_2d` (OpenPose's 25), `extra_keypoints_2d`
(SPIN's first 19), the same in 3D, `body_pose` (72 numbers, or 69 beside `global_orient`), `betas`.
Their `scale` is the box in pixels, one number or its width and height; it is not divided by 200.
"""

from __future__ import annotations

import numpy as np

from hmr_edu.data.detections.joint_sets import BODY25, SPIN19
from hmr_edu.data.photos.blocks import BlockBuilder, Joints, check_shape
from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.sets import spin
from hmr_edu.data.photos.sets.spin import labels, numbers, squares, texts
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.npz_rows import NpzRows, open_rows
from hmr_edu.rotations import matrix_to_axis_angle

find = spin.find
KEYPOINTS = ("body_keypoints_2d", "extra_keypoints_2d", "body_keypoints_3d", "extra_keypoints_3d")
SIZES = {"body": 25, "extra": 19}
OPTIONAL = (*KEYPOINTS, "body_pose", "global_orient", "has_body_pose", "betas", "has_betas")
# In 3D OpenPose's joints of the body lie elsewhere; as in 4D-Humans only those of the head count.
HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def read(layout: Layout) -> PeopleTable:
    """Read everybody; OpenPose's joints where the others are not known."""
    (path,) = layout.annotations
    required = ("imgname", "center", "scale")
    with open_rows(path, required, OPTIONAL, ("imgname",)) as rows:
        with naming(path):
            _check(rows)
        builder, first = BlockBuilder(layout.pictures, rows.count), 0
        for block in rows.blocks(spin.BLOCK):
            with naming(path):
                _add(builder, block, first)
            first += len(block["scale"])
    with naming(path):
        return builder.table()


def _check(rows: NpzRows) -> None:
    n = rows.count
    for name, sizes in {
        "center": [(n, 2), (n, 1, 2)],
        "scale": [(n,), (n, 1), (n, 2), (n, 1, 2)],
        "body_pose": [(n, 72), (n, 69), (n, 23, 3)],
        "global_orient": [(n, 3), (n, 1, 3), (n, 1, 3, 3), (n, 3, 3)],
        "has_body_pose": [(n,), (n, 1)],
        "betas": [(n, 10)],
        "has_betas": [(n,), (n, 1)],
    }.items():
        header = rows.headers.get(name)
        if header is not None and (header.shape not in sizes or header.dtype.kind not in "biuf"):
            raise DataError(f"`{name}` has the shape {header.shape} of {header.dtype}")
    for name in KEYPOINTS:
        if name in rows:
            kind, _, dims = name.split("_")
            shape = (None, SIZES[kind], int(dims[0]) + 1)
            check_shape(rows.headers[name], shape, f"`{name}`")
    if not {*KEYPOINTS, "body_pose"} & rows.headers.keys():
        raise DataError("it has none of the keypoints of 4D-Humans")
    rootless = "body_pose" in rows and rows.headers["body_pose"].shape != (n, 72)
    if rootless and "global_orient" not in rows:
        raise DataError("`body_pose` has no root, and there is no `global_orient`")


def _add(builder: BlockBuilder, block: dict[str, np.ndarray], first: int) -> None:
    people = len(block["scale"])
    smpl = block["has_body_pose"].reshape(people) > 0 if "has_body_pose" in block else True
    betas = block["has_betas"].reshape(people) > 0 if "has_betas" in block else smpl
    if "body_pose" in block:
        block["body_pose"] = _whole_pose(block)
    builder.add(
        texts(block["imgname"], "imgname"),
        _joints(block, "2d"),
        squares(
            block["center"].reshape(people, 2),
            block["scale"].reshape(people, -1).astype(np.float64).max(1),
        ),
        keypoints3d=_joints(block, "3d"),
        pose=labels(block, "body_pose", np.broadcast_to(smpl, people)),
        betas=labels(block, "betas", np.broadcast_to(betas, people)),
        first=first,
    )


def _joints(block: dict[str, np.ndarray], dims: str) -> list[Joints]:
    sets = []
    if (extra := block.get(f"extra_keypoints_{dims}")) is not None:
        sets.append(Joints(extra[..., :-1], extra[..., -1], SPIN19))
        head = slice(spin.HEAD, spin.HEAD + 1)
        sets.append(Joints(extra[:, head, :-1], extra[:, head, -1], ("head_top",)))
    if (body := block.get(f"body_keypoints_{dims}")) is not None:
        chosen = [i for i, name in enumerate(BODY25) if dims == "2d" or name in HEAD]
        names = [BODY25[i] for i in chosen]
        sets.append(Joints(body[:, chosen, :-1], body[:, chosen, -1], names))
    return sets


def _whole_pose(block: dict[str, np.ndarray]) -> np.ndarray:
    """Return root and body as 72 numbers."""
    import torch

    body = numbers(block["body_pose"], "body_pose").reshape(len(block["body_pose"]), -1)
    if body.shape[1] == 72:
        return body
    root = torch.from_numpy(numbers(block["global_orient"], "global_orient"))
    if root.shape[-2:] == (3, 3):
        root = matrix_to_axis_angle(root.reshape(-1, 3, 3).double()).float()
    return np.concatenate([root.reshape(-1, 3).numpy(), body], 1)
