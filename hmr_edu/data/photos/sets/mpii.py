"""MPII Human Pose, http://human-pose.mpi-inf.mpg.de: the MATLAB file, or JSON made from it.

The MATLAB file is `mpii_human_pose_v1_u12_1.mat`. Public code has turned it into two JSON files:
`train.json` and `valid.json` of HRNet, and `mpii_annotations.json` of the stacked hourglass. All
count pixels from 1. `scale` is a person's height in units of 200 pixels; the box is around the
middle `objpos`, moved down by 15 pixels for each unit, and 1.25 heights wide, as in the hourglass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hmr_edu.data.detections.joint_sets import MPII16
from hmr_edu.data.photos.blocks import SCALE, BlockBuilder, Joints
from hmr_edu.data.photos.described import finite_numbers, objects
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.big_json import read_big_list
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.matlab import read_matlab

MATLAB = "mpii_human_pose_v1_u12_1.mat"
DOWN, WIDER = 15, 1.25

# A person: the picture, joints by id, middle and scale.
Person = tuple[str, dict[int, list[float]], list[float] | None, float | None]


def find(path: Path, split: str) -> Layout:
    """Return a JSON file of the split, or the MATLAB file, whose people are all for training."""
    if path.is_file():
        folder = path.parent
        if folder.name in ("annot", "annotations", "mpii_human_pose_v1_u12_2"):
            folder = folder.parent
        return Layout((path,), _pictures(folder), split if _has_both(path) else "")
    pictures = _pictures(path)
    json = "train.json" if split == "train" else "valid.json"
    files = [path / "annot" / json, path / json]
    files += [path / "mpii_annotations.json", path / "annot" / "mpii_annotations.json"]
    folders = (path, path / "annot", path / "annotations", path / "mpii_human_pose_v1_u12_2")
    files += [folder / MATLAB for folder in folders]
    layouts = [Layout((file,), pictures, split if _has_both(file) else "") for file in files]
    return first_layout(path, layouts)


def read(layout: Layout) -> PeopleTable:
    """Read everybody with joints, alone in the picture or not, hidden joints too."""
    (path,) = layout.annotations
    with naming(path):
        if path.suffix == ".mat":
            if layout.part == "test":
                raise DataError("MPII's test pictures have no annotations; read the training split")
            people = list(_of_matlab(read_matlab(path, "MPII", ("RELEASE",))["RELEASE"]))
        else:
            entries = objects(read_big_list(path, "MPII's annotations"), "the list of people")
            people = [p for n, e in enumerate(entries) if (p := _of_json(e, n, layout.part))]
        return _table(layout.pictures, people)


def _has_both(path: Path) -> bool:
    return path.name in (MATLAB, "mpii_annotations.json") or path.suffix == ".mat"


def _pictures(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _table(pictures: Path, people: list[Person]) -> PeopleTable:
    places = np.zeros((len(people), len(MPII16), 2))
    known = np.zeros((len(people), len(MPII16)))
    crops = np.zeros((len(people), 3))
    for row, (_, joints, middle, scale) in enumerate(people):
        for joint, place in joints.items():
            places[row, joint], known[row, joint] = place, 1
        if middle is not None and scale is not None:
            crops[row] = middle[0], middle[1] + DOWN * scale, WIDER * SCALE * scale
    builder = BlockBuilder(pictures, len(people))
    crops[:, :2] -= 1  # MATLAB counts pixels from 1
    builder.add([person[0] for person in people], [Joints(places - 1, known, MPII16)], crops)
    return builder.table()


def _of_json(entry: dict[str, Any], number: int, part: str) -> Person | None:
    """Return a person of HRNet's JSON or the hourglass's; None where it is of the other split."""
    where = f"person {number}"
    if "joint_self" in entry:
        if part and bool(entry.get("isValidation")) != (part == "test"):
            return None
        image, middle, scale = entry.get("img_paths"), entry.get("objpos"), "scale_provided"
        rows = _rows(entry["joint_self"], 3, where)
        # v is 0 for a hidden joint too; one that is not annotated is at (0, 0).
        joints = {j: row[:2] for j, row in enumerate(rows) if row[0] > 0 or row[1] > 0}
    elif "joints" in entry:
        image, middle, scale = entry.get("image"), entry.get("center"), "scale"
        seen = finite_numbers(entry.get("joints_vis"), len(MPII16), f"{where}: `joints_vis`")
        rows = _rows(entry["joints"], 2, where)
        joints = {j: rows[j] for j, v in enumerate(seen) if v > 0}
    else:
        raise DataError(f"{where} has neither `joints` nor `joint_self`: not MPII's")
    if not isinstance(image, str):
        raise DataError(f"{where} has no picture")
    place = finite_numbers(middle, 2, f"{where}: its middle")
    (size,) = finite_numbers([entry.get(scale)], 1, f"{where}: `{scale}`")
    return image, joints, place, size


def _rows(values: Any, numbers: int, where: str) -> list[list[float]]:
    if not isinstance(values, list) or len(values) != len(MPII16):
        raise DataError(f"{where}: there must be 16 joints")
    return [finite_numbers(v, numbers, f"{where}: joint {j}") for j, v in enumerate(values)]


def _of_matlab(release: Any) -> Iterator[Person]:
    """Yield the annotated people of the MATLAB structure `RELEASE`."""
    if not isinstance(release, dict) or "annolist" not in release:
        raise DataError("RELEASE has no `annolist`")
    for number, picture in enumerate(_items(release["annolist"])):
        where = f"picture {number}"
        file = _field(_field(picture, "image", where), "name", where)
        if not isinstance(file, str):
            raise DataError(f"{where} has no name")
        for rectangle in _items(picture.get("annorect", [])):
            points = rectangle.get("annopoints") if isinstance(rectangle, dict) else None
            points = _items(_field(points, "point", where)) if isinstance(points, dict) else []
            if points:
                joints = dict(_point(point, where) for point in points)
                yield file, joints, *_place(rectangle, where)


def _point(point: Any, where: str) -> tuple[int, list[float]]:
    joint = _number(_field(point, "id", where), f"{where}: the id of a joint")
    if joint not in range(len(MPII16)):
        raise DataError(f"{where}: no joint has the id {joint:g}")
    place = [_number(_field(point, axis, where), f"{where}: joint {joint:g}") for axis in "xy"]
    return int(joint), place


def _place(rectangle: dict[str, Any], where: str) -> tuple[list[float] | None, float | None]:
    """Return middle and scale of a person; some have none."""
    middle, scale = rectangle.get("objpos"), rectangle.get("scale")
    empty = isinstance(scale, np.ndarray) and scale.size == 0
    if not isinstance(middle, dict) or scale is None or empty:
        return None, None
    place = [_number(_field(middle, axis, where), f"{where}: objpos") for axis in "xy"]
    return place, _number(scale, f"{where}: scale")


def _items(value: Any) -> list[Any]:
    """Return the parts of MATLAB's array of structures: one, several or none."""
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    return value if isinstance(value, list) else [value]


def _field(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise DataError(f"{where} has no `{name}`")
    return value[name]


def _number(value: Any, what: str) -> float:
    plain = isinstance(value, int | float | np.number | np.ndarray)
    if not plain or np.size(value) != 1 or np.asarray(value).dtype.kind not in "iuf":
        raise DataError(f"{what} is no number: {value!r:.60}")
    return float(np.asarray(value).item())
