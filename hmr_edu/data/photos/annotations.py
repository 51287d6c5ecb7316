"""Annotated people in photographs: a box and 2D keypoints for each person.

Two formats can be read. COCO's `person_keypoints_*.json`, and a format that is quick to write by
hand::

    {"beach.jpg": [{"box": [x0, y0, x1, y1], "keypoints": {"left_knee": [x, y], ...}}], ...}

The names are those of COCO+ (`hmr_edu.keypoints`). Keypoints that are not visible are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json
from hmr_edu.keypoints import COCO17, COCOPLUS

# Largest coordinate, in pixels; every picture is smaller.
FARTHEST = 1e9


class AnnotatedPerson(NamedTuple):
    """A person in a picture: the file, the crop for the network, keypoints in pixels.

    `visible` is 1 where a keypoint is annotated; the coordinates of the others are 0.
    """

    path: Path
    crop: CropBox
    keypoints2d: Float[Tensor, "19 2"]
    visible: Float[Tensor, " 19"]


def read_annotations(path: str | Path, folder: str | Path | None = None) -> list[AnnotatedPerson]:
    """Read the annotated people of a JSON file, in its order.

    People without keypoints, and COCO's crowds, are left out. COCO's keypoints count whether hidden
    or visible (v = 1 or 2). `folder` holds the pictures; by default they are beside the JSON file.
    Raises FileNotFoundError when the file or a picture is missing, DataError, which names the
    person, when something cannot be used.
    """
    path = Path(path)
    content = read_json(path, "annotations")
    if not isinstance(content, dict):
        raise DataError(f"{path}: neither COCO's person keypoints nor a map from file to people")
    read = _read_coco if {"images", "annotations"} <= content.keys() else _read_by_name
    folder = path.parent if folder is None else Path(folder)
    people = [p for p in read(path, content, folder) if p.visible.any()]
    if not people:
        raise DataError(f"{path}: nobody in it has a keypoint")
    for person in people:
        if not person.path.is_file():
            raise FileNotFoundError(f"no picture {person.path}, which {path} speaks of")
    return people


def _read_coco(path: Path, content: dict[str, Any], folder: Path) -> list[AnnotatedPerson]:
    """Read COCO, whose images and annotations refer to each other by number."""
    for category in _objects(content.get("categories", []), f"{path}: `categories`"):
        names = category.get("keypoints", list(COCO17))
        if names != list(COCO17):
            raise DataError(f"{path}: the keypoints are not COCO's 17 but {names!r:.200}")
    files = {}
    for image in _objects(content["images"], f"{path}: `images`"):
        key, file = image.get("id"), image.get("file_name")
        if not isinstance(key, int | str) or not isinstance(file, str):
            raise DataError(f"{path}: an image without `id` or `file_name`: {image!r:.80}")
        files[key] = file
    people = []
    for number, person in enumerate(_objects(content["annotations"], f"{path}: `annotations`")):
        where = f"{path}: annotation {number}"
        if person.get("iscrowd"):
            continue
        if not isinstance(person.get("image_id"), int | str) or person["image_id"] not in files:
            raise DataError(f"{where} belongs to no image of the file")
        values = finite_numbers(person.get("keypoints"), 3 * len(COCO17), f"{where}: `keypoints`")
        named = {
            name: values[3 * i : 3 * i + 2] for i, name in enumerate(COCO17) if values[3 * i + 2]
        }
        box = None
        if named and "bbox" in person:
            x, y, width, height = finite_numbers(person["bbox"], 4, f"{where}: `bbox`")
            box = (x, y, x + width, y + height)
        people.append(_person(folder / files[person["image_id"]], box, named, where))
    return people


def _read_by_name(path: Path, content: dict[str, Any], folder: Path) -> list[AnnotatedPerson]:
    people = []
    for file, in_picture in content.items():
        if not isinstance(in_picture, list):
            raise DataError(f"{path}: {file!r} must have a list of people")
        for number, person in enumerate(in_picture):
            where = f"{path}: person {number} of {file!r}"
            if not isinstance(person, dict) or not isinstance(person.get("keypoints"), dict):
                raise DataError(f"{where} has no `keypoints` by name")
            named = {
                name: finite_numbers(place, 2, f"{where}: {name}")
                for name, place in person["keypoints"].items()
            }
            box = None
            if named and "box" in person:
                box = finite_numbers(person["box"], 4, f"{where}: `box`")
            people.append(_person(folder / file, box, named, where))
    return people


def _person(
    path: Path,
    box: Sequence[float] | None,
    named: Mapping[str, Sequence[float]],
    where: str,
) -> AnnotatedPerson:
    """Put keypoints into COCO+ order; without a box, use the box around them.

    Args:
        path: the picture.
        box: (x0, y0, x1, y1) in pixels, or None.
        named: keypoints by name, in pixels.
        where: place in the file, for error messages.
    """
    unknown = sorted(named.keys() - set(COCOPLUS))
    if unknown:
        raise DataError(f"{where}: no keypoint is called {unknown[0]!r}; {', '.join(COCOPLUS)} are")
    keypoints2d, visible = torch.zeros(len(COCOPLUS), 2), torch.zeros(len(COCOPLUS))
    for name, place in named.items():
        keypoints2d[COCOPLUS.index(name)] = torch.tensor(place)
        visible[COCOPLUS.index(name)] = 1.0
    try:
        if box is not None:
            crop = CropBox.around_box(*box, padding=PADDING)
        elif named:
            crop = CropBox.around_keypoints(keypoints2d, visible, padding=PADDING)
        else:
            crop = CropBox(0, 0, 1)  # unused: this person has no keypoint and is left out
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    return AnnotatedPerson(path, crop, keypoints2d, visible)


def finite_numbers(values: Any, count: int, what: str) -> list[float]:
    """Return a list of finite numbers; raise DataError that says what was expected."""
    numbers = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < FARTHEST for v in values
    )
    if not numbers or len(values) != count:
        raise DataError(f"{what} must be {count} finite numbers, not {values!r:.60}")
    return [float(value) for value in values]


def _objects(values: Any, what: str) -> list[dict[str, Any]]:
    """Return a list of JSON objects; raise DataError that names what is not one."""
    if not isinstance(values, list):
        raise DataError(f"{what} must be a list, not {values!r:.60}")
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            raise DataError(f"{what}: entry {number} is not an object")
    return values
