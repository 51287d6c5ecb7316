"""Leeds Sports Pose and its extension: `joints.mat` beside the folder `images`.

https://sam.johnson.io/research/lsp.html. Both have 14 joints in LSP's order and pixels that MATLAB
counts from 1. They differ in the axes of `joints` (3 x 14 x N and 14 x 3 x N), and the third number
of a joint means the opposite: in LSP 1 is a hidden joint, in the extension one that is annotated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_edu.data.photos.blocks import BlockBuilder, Joints, check_shape
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.arrays import as_numbers
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.matlab import read_matlab
from hmr_edu.keypoints import LSP

# People of LSP for training; the others are for tests.
TRAINING = 1000
# The pictures of the extension in high resolution are PNG.
ENDINGS = (".jpg", ".png")


def find(path: Path, split: str) -> Layout:
    """Return `joints.mat` with LSP's pictures; both splits are in the file."""
    return _found(path)._replace(part=split)


def find_extended(path: Path, split: str) -> Layout:
    """Return `joints.mat` with the extension's pictures, which are all for training."""
    layout = _found(path)
    if split != "train":
        raise DataError(f"{path}: LSP-extended has no pictures for tests; LSP has")
    return layout


def read(layout: Layout) -> PeopleTable:
    """Read LSP: joints that are hidden are left out, as in HMR; their places are guesses."""
    (path,) = layout.annotations
    with naming(path):
        joints = _joints(path, (3, 14, None), "LSP's joints").transpose(2, 1, 0)
        chosen = np.arange(len(joints))
        if layout.part:
            chosen = chosen[:TRAINING] if layout.part == "train" else chosen[TRAINING:]
        return _table(layout, joints[chosen], 1 - joints[chosen, :, 2], chosen, "im{:04d}")


def read_extended(layout: Layout) -> PeopleTable:
    """Read LSP-extended: joints that are not annotated have places too, which mean nothing."""
    (path,) = layout.annotations
    with naming(path):
        joints = _joints(path, (14, 3, None), "LSP-extended's joints").transpose(2, 0, 1)
        return _table(layout, joints, joints[..., 2], np.arange(len(joints)), "im{:05d}")


def _found(path: Path) -> Layout:
    if path.is_file():
        return Layout((path,), path.parent)
    return first_layout(path, [Layout((path / "joints.mat",), path)])


def _joints(path: Path, shape: tuple[int | None, ...], what: str) -> np.ndarray:
    joints = as_numbers(read_matlab(path, what, ("joints",))["joints"], f"`joints`, {what},")
    check_shape(joints, shape, f"`joints`, {what},")
    flags = joints[2] if shape[0] == 3 else joints[:, 2]
    if not np.isin(flags, (0, 1)).all():
        raise DataError("the third number of a joint must be 0 or 1")
    return joints.astype(np.float64)


def _table(
    layout: Layout, joints: np.ndarray, known: np.ndarray, numbers: np.ndarray, name: str
) -> PeopleTable:
    names = [name.format(number + 1) for number in numbers.tolist()]
    folder = layout.pictures / "images"
    folder = folder if folder.is_dir() else layout.pictures
    there = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    files = [next((n + e for e in ENDINGS if n + e in there), n + ENDINGS[0]) for n in names]
    builder = BlockBuilder(folder, len(files))
    # MATLAB counts pixels from 1.
    builder.add(files, [Joints(joints[..., :2] - 1, known, LSP)], first=int(numbers[:1].sum()))
    return builder.table()
