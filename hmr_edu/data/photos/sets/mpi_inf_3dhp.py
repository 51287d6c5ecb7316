"""MPI-INF-3DHP, https://vcai.mpi-inf.mpg.de/3dhp-dataset: its `annot.mat`, or SPIN's npz.

`S1/Seq1/annot.mat` (and so on) beside `S1/Seq1/imageFrames/video_0/frame_000001.jpg`, the frames of
`imageSequence/video_0.avi`. For each of 14 cameras it has 28 joints in pixels (`annot2`) and in
millimetres of the camera's frame (`annot3`). `univ_annot3` is scaled to one height: it is not read.
The test set's `annot_data.mat` is HDF5, which is not read: SPIN's `mpi_inf_3dhp_test.npz` has it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from hmr_edu.data.detections.joint_sets import MPI_INF_3DHP28
from hmr_edu.data.photos.blocks import BlockBuilder, Joints, check_shape
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.sets import spin
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.arrays import as_numbers
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.matlab import read_matlab

FRAME = re.compile(r"frame_(\d{6})\.(?:jpg|png)")
MILLIMETRES = 1000


def find(path: Path, split: str) -> Layout:
    """Return all `annot.mat` with frames beside them, or SPIN's npz."""
    if path.is_file() and path.suffix == ".npz":
        return spin.of_npz(path)
    if path.is_file():
        return _layout((path,), path.absolute().parents[2])
    if split == "train" and (files := tuple(sorted(path.glob("S[0-9]*/Seq[0-9]*/annot.mat")))):
        return _layout(files, path)
    name = f"mpi_inf_3dhp_{split}.npz"
    files = [path / name, path / "dataset_extras" / name]
    wanted = [Layout((file,), path) for file in files]
    if split == "train":
        wanted.append(Layout((path / "S1" / "Seq1" / "annot.mat",), path))
    return spin.of_npz(first_layout(path, wanted).annotations[0])


def read(layout: Layout) -> PeopleTable:
    """Read the people of the frames that are on the disk."""
    if layout.annotations[0].suffix == ".npz":
        return spin.read(layout)
    parts = []
    for path in layout.annotations:
        frames = _frames(path)
        if not frames:
            continue
        with naming(path):
            content = read_matlab(path, "MPI-INF-3DHP", ("annot2", "annot3"))
            parts += [(path, *_camera(content, number, files)) for number, files in frames]
    if not parts:
        raise DataError(
            f"{layout.annotations[0]}: no frames beside it: write those of the videos to "
            "imageFrames/video_0/frame_000001.jpg and so on"
        )
    builder = BlockBuilder(layout.pictures, sum(len(files) for _, files, _, _ in parts))
    for path, files, places, places3d in parts:
        names = [str(file.relative_to(layout.pictures)) for file in files]
        known = np.ones(places.shape[:2], np.float32)
        with naming(path):
            builder.add(
                names,
                [Joints(places, known, MPI_INF_3DHP28)],
                keypoints3d=[Joints(places3d, known, MPI_INF_3DHP28)],
                first=0,
            )
    return builder.table()


def _layout(files: tuple[Path, ...], pictures: Path) -> Layout:
    """Return the layout, whose index is made anew when frames are added."""
    folders = [folder for file in files for folder in _videos(file)]
    return Layout(tuple(file.absolute() for file in files), pictures.absolute(), "", tuple(folders))


def _videos(annotations: Path) -> list[Path]:
    folders = sorted((annotations.absolute().parent / "imageFrames").glob("video_[0-9]*"))
    return [folder for folder in folders if folder.is_dir()]


def _frames(annotations: Path) -> list[tuple[int, list[Path]]]:
    """Return the frames that there are of each camera."""
    frames = []
    for folder in _videos(annotations):
        files = sorted(file for file in folder.iterdir() if FRAME.fullmatch(file.name))
        number = folder.name.removeprefix("video_")
        if files and number.isdecimal():
            frames.append((int(number), files))
    return frames


def _camera(
    content: dict[str, Any], number: int, files: list[Path]
) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Return the frames of a camera, and their joints in 2D and 3D."""
    places = _joints(content["annot2"], number, 2, "annot2")
    places3d = _joints(content["annot3"], number, 3, "annot3") / MILLIMETRES
    rows = np.array([int(FRAME.fullmatch(file.name)[1]) - 1 for file in files])  # ty: ignore[not-subscriptable]
    if len(places) != len(places3d):
        raise DataError(f"camera {number}: {len(places)} frames in 2D, {len(places3d)} in 3D")
    last = int(rows.max())
    if last >= len(places) or rows.min() < 0:
        raise DataError(f"camera {number}: frame {last + 1} of {len(places)}; frames begin at 1")
    return files, places[rows], places3d[rows]


def _joints(cells: Any, number: int, dims: int, name: str) -> np.ndarray:
    """Return one camera's joints of all frames."""
    if not isinstance(cells, np.ndarray | list) or len(cells) <= number:
        raise DataError(f"`{name}` has no camera {number}")
    array = as_numbers(cells[number], f"`{name}` of camera {number}")
    array = array[None] if array.ndim == 1 else array  # one frame
    check_shape(array, (None, len(MPI_INF_3DHP28) * dims), f"`{name}` of camera {number}")
    return array.astype(np.float64).reshape(len(array), -1, dims)
