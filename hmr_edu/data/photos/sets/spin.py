"""SPIN's npz files, `dataset_extras/*.npz` of https://github.com/nkolot/SPIN, for any data set.

A row is a person: `imgname`, `center`, `scale` (the box in units of 200 pixels, padding included),
`part` (24 joints, x y confidence), `openpose` (25 joints), `S` (24 joints, metres, camera frame),
`pose` and `shape` of SMPL where `has_smpl`, and `gender`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from hmr_edu.data.detections.joint_sets import BODY25, SPIN24
from hmr_edu.data.photos.blocks import SCALE, BlockBuilder, Joints, check_shape
from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.table import UNKNOWN, PeopleTable
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.files import is_there
from hmr_edu.io.npz_rows import NpzRows, open_rows

BLOCK = 5_000
OPTIONAL = {
    "part": (None, 24, 3),
    "openpose": (None, 25, 3),
    "S": (None, 24, 4),
    "pose": (None, 72),
    "shape": (None, 10),
    "has_smpl": (None,),
}
# Human3.6M's head and MPI-INF-3DHP's head top, where LSP's head top is not known.
HEAD = SPIN24.index("human36m_head")
TRAIN, TEST = ("train",), ("test", "val")


def find(path: Path, split: str) -> Layout:
    """Return the npz, or the only one in a folder (or its `dataset_extras`) that is of the split.

    The folder of the pictures is that in which the first picture is: the npz's, the one above, or
    `images` in one of them.
    """
    return of_npz(npz_in(path, split))


def npz_in(path: Path, split: str) -> Path:
    """Return the npz of a split in a folder, or the npz itself."""
    if path.is_file():
        return path
    if not path.exists():
        raise FileNotFoundError(f"no data set {path}")
    files = sorted(itertools.chain(path.glob("*.npz"), path.glob("dataset_extras/*.npz")))
    words = TRAIN if split == "train" else TEST
    named = [file for file in files if any(word in file.stem.lower() for word in words)]
    if len(files) == 1 or len(named) == 1:
        return (named or files)[0]
    if not files:
        raise FileNotFoundError(f"{path}: in it should be an npz of SPIN's form")
    several = ", ".join(file.name for file in named or files)
    raise FileNotFoundError(f"{path}: give one of its files, not the folder: {several:.300}")


def of_npz(path: Path) -> Layout:
    """Return the layout of an npz: with the pictures where the first of them is."""
    with open_rows(path, ("imgname",), objects=("imgname",)) as rows, naming(path):
        first = next(rows.blocks(1), None)
        names = texts(first["imgname"], "imgname") if first else []
    above = path.absolute().parent
    folders = [f / part for f in (above, above.parent) for part in ("", "images")]
    there = (f for f in folders if names and is_there(f / names[0]))
    return Layout((path,), next(there, above))


def read(layout: Layout) -> PeopleTable:
    """Read everybody; OpenPose's joints where the annotators' are not known.

    The betas of men and women are of other bodies than the neutral one: they count as unknown.
    """
    (path,) = layout.annotations
    required = ("imgname", "center", "scale")
    with open_rows(path, required, (*OPTIONAL, "gender"), ("imgname", "gender")) as rows:
        with naming(path):
            _check(rows)
        builder, first = BlockBuilder(layout.pictures, rows.count), 0
        for block in rows.blocks(BLOCK):
            with naming(path):
                _add(builder, block, first)
            first += len(block["scale"])
    with naming(path):
        return builder.table()


def texts(values: Shaped[np.ndarray, "..."], name: str) -> list[str]:
    """Return an array of names as text. Raises DataError where it is something else."""
    if values.ndim != 1 or values.dtype.kind not in "USO":
        raise DataError(f"{name!r} must be names, not {values.dtype}")
    listed = values.tolist()
    if values.dtype.kind != "U":
        try:
            listed = [v.decode() if isinstance(v, bytes) else v for v in listed]
        except UnicodeDecodeError:
            raise DataError(f"{name!r} holds a name that is no text") from None
    if not all(isinstance(v, str) and v and "\0" not in v for v in listed):
        raise DataError(f"{name!r} holds an empty name, or what is no name")
    return listed


def numbers(values: Shaped[np.ndarray, "..."], what: str) -> np.ndarray:
    """Return numbers as float32; those too large for it become infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def squares(
    center: Shaped[np.ndarray, "people 2"], side: Shaped[np.ndarray, " people"]
) -> np.ndarray:
    """Return crops of centres and sides."""
    return np.concatenate([numbers(center, "center"), numbers(side, "scale")[:, None]], 1)


def labels(
    block: Mapping[str, np.ndarray], name: str, known: Shaped[np.ndarray, " people"]
) -> np.ndarray | None:
    """Return a label with NaN for the people of whom it is not known; None where there is none."""
    if name not in block:
        return None
    return np.where(known[:, None], numbers(block[name], name), UNKNOWN)


def _check(rows: NpzRows) -> None:
    check_shape(rows.headers["center"], (None, 2), "`center`")
    check_shape(rows.headers["scale"], (None,), "`scale`")
    for name, shape in OPTIONAL.items():
        if name in rows:
            check_shape(rows.headers[name], shape, f"`{name}`")
    if not {"part", "openpose", "S", "pose"} & rows.headers.keys():
        raise DataError("it has no `part`, `openpose`, `S` or `pose`: not SPIN's")


def _add(builder: BlockBuilder, block: dict[str, np.ndarray], first: int) -> None:
    people = len(block["scale"])
    keypoints, keypoints3d = [], []
    if "part" in block:
        keypoints += _sets(block["part"])
    if "openpose" in block:
        keypoints.append(Joints(block["openpose"][..., :2], block["openpose"][..., 2], BODY25))
    if "S" in block:
        keypoints3d += _sets(block["S"])
    smpl = block["has_smpl"] > 0 if "has_smpl" in block else np.ones(people, bool)
    neutral = smpl
    if "gender" in block:
        told = np.array([text[:1].lower() in ("m", "f") for text in _genders(block["gender"])])
        neutral = smpl & ~told
    builder.add(
        texts(block["imgname"], "imgname"),
        keypoints,
        squares(block["center"], SCALE * block["scale"].astype(np.float64)),
        keypoints3d=keypoints3d,
        pose=labels(block, "pose", smpl),
        betas=labels(block, "shape", neutral),
        first=first,
    )


def _sets(joints: np.ndarray) -> list[Joints]:
    """Return the 24 joints, and the other head top to be used where LSP's is not known."""
    places, known = joints[..., :-1], joints[..., -1]
    head = slice(HEAD, HEAD + 1)
    return [Joints(places, known, SPIN24), Joints(places[:, head], known[:, head], ("head_top",))]


def _genders(values: np.ndarray) -> list[str]:
    return [v.decode("latin1") if isinstance(v, bytes) else str(v) for v in values.tolist()]
