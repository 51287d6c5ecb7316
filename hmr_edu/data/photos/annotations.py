"""Annotated people in photographs: a box and 2D keypoints for each person.

Two formats can be read. COCO's `person_keypoints_*.json`, and a format that is quick to write by
hand::

    {"beach.jpg": [{"box": [x0, y0, x1, y1], "keypoints": {"left_knee": [x, y], ...}}], ...}

The names are those of COCO+ (`hmr_edu.keypoints`). Keypoints that are not visible are left out. A
person may also have `"size": [width, height]`, the picture's pixels when it was annotated. The
picture must then have this size, as in COCO. All pixels are those of the upright picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.coco import is_coco, read_coco
from hmr_edu.data.photos.described import (
    Described,
    check_keys,
    finite_numbers,
    picture_size,
    plain,
)
from hmr_edu.data.photos.pictures import check_size
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import is_there
from hmr_edu.io.jsonfile import read_json
from hmr_edu.keypoints import COCOPLUS


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
    A size that the file records is compared with the picture's.

    Raises FileNotFoundError when the file or a picture is missing, DataError, which names the
    person, when something cannot be used.
    """
    path = Path(path)
    content = read_json(path, "annotations")
    if other := other_format(content):
        raise DataError(f"{path}: {other}")
    read = read_coco if is_coco(content) else read_by_name
    folder = path.parent if folder is None else Path(folder)
    people, sizes = [], {}
    for described in read(path, content):
        person = annotated_person(folder / described.file, described)
        people.append(person)
        if not (is_there(person.path) and person.path.is_file()):
            raise FileNotFoundError(f"no picture {person.path}, which {path} speaks of")
        if described.size and sizes.get(person.path) != described.size:
            check_size(person.path, described.size, described.where)
            sizes[person.path] = described.size
    if not people:
        hint = ": COCO's are in person_keypoints_*.json" if is_coco(content) else ""
        raise DataError(f"{path}: nobody in it has a keypoint{hint}")
    return people


def other_format(content: Any) -> str | None:
    """Say what the content of a JSON file is, if it is in neither of the two formats."""
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, dict) and {"image_id", "keypoints"} <= first.keys():
        return (
            "COCO's format of results: a network's predictions, not annotations. They are not "
            "read; give the annotations, person_keypoints_*.json"
        )
    if not isinstance(content, dict):
        return "neither COCO's person keypoints nor a map from file to people"
    if isinstance(content.get("people"), list) and "version" in content:
        return "the output of OpenPose, which is not read: write COCO's format, or ours"
    if {"shapes", "imagePath"} <= content.keys():
        return "a file of LabelMe, which is not read: export COCO's person keypoints"
    if {"images", "categories"} <= content.keys() and "annotations" not in content:
        return "COCO's list of pictures, without `annotations`"
    return None


def read_by_name(path: Path, content: dict[str, Any]) -> Iterator[Described]:
    """Yield the people of our own format who have keypoints."""
    for file, in_picture in content.items():
        if not isinstance(in_picture, list):
            raise DataError(f"{path}: {file!r} must have a list of people")
        for number, person in enumerate(in_picture):
            where = f"{path}: person {number} of {file!r}"
            if not isinstance(person, dict) or not isinstance(person.get("keypoints", {}), dict):
                raise DataError(f"{where} has no `keypoints` by name")
            check_keys(person, ("box", "keypoints", "size"), where)
            named = {
                name: finite_numbers(place, 2, f"{where}: {name}")
                for name, place in person.get("keypoints", {}).items()
            }
            box = finite_numbers(person["box"], 4, f"{where}: `box`") if "box" in person else None
            size = None
            if "size" in person:
                width, height = finite_numbers(person["size"], 2, f"{where}: `size`")
                size = picture_size(width, height, where)
            if named:
                yield Described(file, size, box, named, where)


def ordered_keypoints(
    person: Described,
) -> tuple[Float[Tensor, "19 2"], Float[Tensor, " 19"]]:
    """Return keypoints in COCO+ order, and 1 for each that is annotated.

    Raises DataError on a name that is none of COCO+, and on a place that is not x and y.
    """
    unknown = sorted(person.named.keys() - set(COCOPLUS))
    if unknown:
        raise DataError(
            f"{person.where}: no keypoint is called {unknown[0]!r}; {', '.join(COCOPLUS)} are"
        )
    keypoints2d, visible = torch.zeros(len(COCOPLUS), 2), torch.zeros(len(COCOPLUS))
    for name, place in person.named.items():
        what = f"{person.where}: {name}, x and y in pixels,"
        keypoints2d[COCOPLUS.index(name)] = torch.tensor(finite_numbers(plain(place), 2, what))
        visible[COCOPLUS.index(name)] = 1.0
    return keypoints2d, visible


def annotated_person(path: Path, person: Described) -> AnnotatedPerson:
    """Put keypoints into COCO+ order; without a box, use the box around them.

    Raises DataError that names the place in the file.
    """
    keypoints2d, visible = ordered_keypoints(person)
    box = None
    if person.box is not None:
        what = f"{person.where}: the box, x0, y0, x1 and y1 in pixels,"
        box = finite_numbers(plain(person.box), 4, what)
    try:
        if box is not None:
            crop = CropBox.around_box(*box, padding=PADDING)
        else:
            crop = CropBox.around_keypoints(keypoints2d, visible, padding=PADDING)
    except ValueError as error:
        raise DataError(f"{person.where}: {error}") from None
    return AnnotatedPerson(path, crop, keypoints2d, visible)
