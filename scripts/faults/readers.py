"""The readers of files that `fuzz.py` attacks: for each a few good files, and how they are read."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers import data_layouts
from helpers.hostile_motion import make_motion
from helpers.toy_body import toy_body
from helpers.toy_wardrobe import toy_wardrobe
from PIL import Image

from hmr_edu.io.errors import DataError

ROOT = Path(__file__).parents[2]
SIZE = 320, 240


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Args:
        kind: how good files are changed, a key of `changes.CODECS`, "text" or "bytes".
        good: writes good files into a folder; the input takes the place of the first, the others
            are further examples.
        read: reads the file that the input is in.
        also: errors besides DataError and FileNotFoundError that its docstring allows.
    """

    kind: str
    good: Callable[[Path], list[Path]]
    read: Callable[[Path], Any]
    also: tuple[type[BaseException], ...] = ()


def write(path: Path, *contents: Any) -> list[Path]:
    """Write values as JSON, bytes as they are; return the files."""
    paths = [path, *(path.with_name(f"{k}-{path.name}") for k in range(1, len(contents)))]
    for file, content in zip(paths, contents, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return paths


def _layout(name: str, pattern: str, folder: Path) -> list[Path]:
    _, write, _ = data_layouts.LAYOUTS[name]
    write(folder, data_layouts.made_up(3))
    return sorted(path for path in folder.rglob(pattern) if path.suffix not in (".jpg", ".png"))[:1]


def _open(name: str, depth: int, path: Path) -> None:
    from hmr_edu.data.photos.data_sets import open_data_set
    from hmr_edu.data.photos.recognise import recognise

    table = open_data_set(name, path.parents[depth])
    for person in table:
        assert person.path
    try:
        recognise(path)
    except DataError:
        return


def _data_set(kind: str, layout: str, pattern: str, depth: int = 0) -> Reader:
    name = data_layouts.LAYOUTS[layout][0]
    return Reader(kind, partial(_layout, layout, pattern), partial(_open, name, depth))


def _annotations(folder: Path) -> list[Path]:
    people, path = data_layouts.made_up(3), folder / "x.json"
    data_layouts.write_json(folder, people)
    return write(path, json.loads((folder / "annotations.json").read_text()))


def _read_annotations(path: Path) -> None:
    from hmr_edu.data.photos.annotations import read_annotations

    read_annotations(path)


def _detections(folder: Path) -> list[Path]:
    Image.new("RGB", SIZE).save(folder / "a.png")
    known = [9, 9, 0.9, 12, 30, 0.8, 20, 12, 0.5]
    marks = [{"x": i / 40, "y": 0.5, "z": 0, "visibility": 0.5} for i in range(33)]
    return write(
        folder / "x.json",
        [{"image_id": "a.png", "category_id": 1, "keypoints": known + [0] * 42}],
        {"version": 1.3, "people": [{"pose_keypoints_2d": known + [0] * 66}]},
        {"pose_landmarks": [marks]},
        {"landmark": marks},
        {"a.png": [{"box": [2, 2, 28, 38], "keypoints": {"nose": [9, 9]}, "size": SIZE}]},
    )


def _read_detections(path: Path) -> None:
    from hmr_edu.data.detections.files import read_detections, read_frame

    for read in (
        lambda: read_detections(path),
        lambda: read_detections(path, path.with_name("a.png")),
        lambda: read_frame(path, SIZE),
    ):
        refusing(read)


def refusing(read: Callable[[], Any]) -> None:
    """Read, and let it refuse; another reader follows."""
    try:
        read()
    except (DataError, FileNotFoundError):
        return


def _cameras(folder: Path) -> list[Path]:
    view = {"K": [[100, 0, 15], [0, 100, 20], [0, 0, 1]], "R": np.eye(3).tolist(), "t": [0, 0, 3]}
    bent = view | {"distortion": [0.1, -0.2, 0.001, 0.002, 0.05], "size": SIZE}
    return write(folder / "x.json", {"left": view, "right": bent})


def _read_cameras(path: Path) -> None:
    from hmr_edu.data.photos.calibration import read_cameras

    for view in read_cameras(path).values():
        view.rays(torch.tensor([[15.0, 20.0], [30.0, 40.0]]))


def _motion(name: str, folder: Path) -> list[Path]:
    make_motion(folder)
    return [folder / name]


def _amass(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    ours = {"poses": rng.normal(0, 2000, (4, 72)).astype(np.int16), "scale": 1e-4, "fps": 12}
    ours |= {"clip": np.array([0, 0, 1, 1]), "clip_names": np.array(["walk", "run"])}
    parts = {"root_orient": rng.normal(0, 1, (4, 3)), "pose_body": rng.normal(0, 1, (4, 63))}
    poses = {"poses": rng.normal(0, 0.4, (4, 156)), "mocap_framerate": np.float64(60)}
    np.savez(folder / "x.npz", **poses)
    np.savez(folder / "ours.npz", **ours)
    np.savez(folder / "parts.npz", mocap_frame_rate=60, **parts)
    return [folder / name for name in ("x.npz", "ours.npz", "parts.npz")]


def _skeleton(folder: Path) -> list[Path]:
    make_motion(folder)
    return [folder / "07.asf"]


def _read_skeleton(path: Path) -> None:
    refusing(lambda: _read_motion(path))
    _read_motion(path.with_name("07_01.amc"))


def _read_motion(path: Path) -> None:
    from hmr_edu.data.poses.formats.registry import read_clips
    from hmr_edu.data.poses.import_motion import ImportOptions, import_motion
    from hmr_edu.data.poses.mocap import load_mocap

    if path.suffix == ".npz":
        refusing(lambda: load_mocap(path))
    refusing(lambda: import_motion([path], ImportOptions()))
    read_clips(path)


def _prior(folder: Path) -> list[Path]:
    from hmr_edu.data.poses.prior import SHIPPED

    arrays = dict(np.load(SHIPPED))
    one = len(arrays["cholesky"])
    few = {name: a[:2] if a.ndim and len(a) == one else a for name, a in arrays.items()}
    few["weights"] = np.full(2, 0.5, few["weights"].dtype) if "weights" in few else 0
    np.savez(folder / "x.npz", **few)
    return [folder / "x.npz"]


def _read_prior(path: Path) -> None:
    from hmr_edu.data.poses.prior import is_pose_prior, load_pose_prior

    is_pose_prior(path)
    load_pose_prior(path)


def _body(folder: Path) -> list[Path]:
    from hmr_edu.body import save_body

    body = toy_body(24)
    save_body(folder / "x.npz", body)
    np.savez(folder / "theirs.npz", **_official(body))
    return [folder / "x.npz", folder / "theirs.npz"]


def _official(body: Any) -> dict[str, np.ndarray]:
    from hmr_edu.body import read_body

    names = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    arrays = {name: getattr(body, name) for name in names}
    # Upright: a vertex at each joint of the free body.
    free = read_body("lite")
    arrays["v_template"] = free.J_regressor @ free.v_template
    arrays["J_regressor"] = np.eye(24, dtype=np.float32)
    arrays["f"] = body.faces.astype(np.uint32)
    return arrays | {"kintree_table": np.stack([body.parents, np.arange(24)])}


def _official_pickle(folder: Path) -> list[Path]:
    from scipy import sparse

    arrays = _official(toy_body(24))
    thin = arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}
    return write(folder / "x.pkl", *(pickle.dumps(a, protocol=2) for a in (arrays, thin)))


def _official_json(folder: Path) -> list[Path]:
    arrays = _official(toy_body(24))
    arrays["posedirs"] *= 0  # most of the file
    return write(folder / "x.json", {k: array.round(3).tolist() for k, array in arrays.items()})


def _read_body(path: Path) -> None:
    from hmr_edu.body import read_body

    read_body(path)


def _wardrobe(folder: Path) -> list[Path]:
    from hmr_edu.body.build.garments.writing import save_wardrobe

    save_wardrobe(folder / "x.npz", toy_wardrobe())
    return [folder / "x.npz"]


def _read_wardrobe(path: Path) -> None:
    from hmr_edu.body.wardrobe import load_wardrobe

    load_wardrobe(path)


def _charts(folder: Path) -> list[Path]:
    point = {name: [20.0, 200.0] for name in ("dp_x", "dp_y")}
    point |= {"dp_I": [1, 2], "dp_U": [0.2, 0.4], "dp_V": [0.3, 0.1], "bbox": [2, 2, 28, 38]}
    return write(folder / "x.json", point)


def _read_charts(path: Path) -> None:
    from hmr_edu.body.atlas import Atlas
    from hmr_edu.camera import CropBox
    from hmr_edu.data.photos.densepose import densepose_points
    from hmr_edu.io.jsonfile import read_json

    uv = torch.tensor([[[0.0, 0], [1, 0], [0, 1]], [[0.0, 0], [1, 0], [0, 1]]])
    atlas = Atlas(torch.tensor([[0, 1, 2], [1, 2, 3]]), torch.tensor([1, 2]), uv)
    densepose_points(read_json(path, "annotation"), atlas, CropBox(15, 20, 40), 5)


PHOTOS = {
    "coco": _data_set("json", "coco", "*.json", 1),
    "lsp": _data_set("matlab", "lsp", "*.mat"),
    "lspet": _data_set("matlab", "lspet", "*.mat"),
    "mpii": _data_set("matlab", "mpii", "*.mat", 1),
    "mpii of HRNet": _data_set("json", "mpii of HRNet", "*.json", 1),
    "mpii of the hourglass": _data_set("json", "mpii of the hourglass", "*.json"),
    "aic": _data_set("json", "aic", "*.json"),
    "mpi-inf-3dhp": _data_set("matlab", "mpi-inf-3dhp", "*.mat", 2),
    "3dpw": _data_set("pickle", "3dpw", "*.pkl", 2),
    "spin": _data_set("npz", "spin", "*.npz"),
    "4dhumans": _data_set("npz", "4dhumans", "*.npz"),
    "openpose": _data_set("json", "openpose", "*.json"),
    "json": _data_set("json", "json", "*.json"),
    "annotations": Reader("json", _annotations, _read_annotations),
    "detections": Reader("json", _detections, _read_detections),
    "cameras": Reader("json", _cameras, _read_cameras),
    "densepose": Reader("json", _charts, _read_charts),
}
BODIES = {
    "amass": Reader("npz", _amass, _read_motion),
    "mosh": Reader("pickle", partial(_motion, "mosh.pkl"), _read_motion),
    "bvh": Reader("text", partial(_motion, "walk.bvh"), _read_motion),
    "amc": Reader("text", partial(_motion, "07_01.amc"), _read_motion),
    "asf": Reader("text", _skeleton, _read_skeleton),
    "deepmimic": Reader("json", partial(_motion, "run.txt"), _read_motion),
    "pose prior": Reader("npz", _prior, _read_prior),
    "body": Reader("npz", _body, _read_body),
    "SMPL's pickle": Reader("pickle", _official_pickle, _read_body),
    "SMPL's JSON": Reader("json", _official_json, _read_body),
    "wardrobe": Reader("npz", _wardrobe, _read_wardrobe),
}
