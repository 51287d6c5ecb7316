"""COCO's people: `annotations/person_keypoints_train2017.json` beside the folder `train2017`.

https://cocodataset.org/#download. COCO-WholeBody's annotations have the same first 17 keypoints in
`keypoints`; those of feet, faces and hands stand in other fields, which are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from hmr_edu.data.photos.blocks import NO_BOX, BlockBuilder, Joints, crops_of_boxes
from hmr_edu.data.photos.coco import VISIBILITIES, is_coco, read_coco
from hmr_edu.data.photos.described import FARTHEST
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.outlines import as_points, join_outlines
from hmr_edu.data.photos.table import PeopleTable, TableBuilder
from hmr_edu.io.big_json import Entries, no_collection, read_big_json
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17

OTHERS = "crowds, and people without keypoints"
# People who are read at a time.
BLOCK = 20_000
# Names of the annotations and of the folder of pictures, for each split.
SPLITS = {
    "train": (
        ("person_keypoints_train2017", "train2017"),
        ("coco_wholebody_train_v1.0", "train2017"),
        ("person_keypoints_train2014", "train2014"),
    ),
    "test": (
        ("person_keypoints_val2017", "val2017"),
        ("coco_wholebody_val_v1.0", "val2017"),
        ("person_keypoints_val2014", "val2014"),
    ),
}
FOLDERS = {name: folder for names in SPLITS.values() for name, folder in names}


def find(path: Path, split: str) -> Layout:
    """Return the annotations and the pictures' folder of a split.

    `path` is COCO's folder, or one JSON file: its pictures are beside it, or where COCO has them.
    """
    if path.is_file():
        pictures = path.parents[1] / FOLDERS.get(path.stem, "") if path.stem in FOLDERS else None
        return Layout((path,), pictures if pictures and pictures.is_dir() else path.parent)
    annotations = path / "annotations"
    return first_layout(
        path,
        [Layout((annotations / f"{name}.json",), path / part) for name, part in SPLITS[split]],
    )


def read(layout: Layout) -> PeopleTable:
    """Read the people who have keypoints; crowds and people without any are left out."""
    (path,) = layout.annotations
    content = read_big_json(path, "annotations", ("annotations", "images"))
    if not is_coco(content):
        raise DataError(f"{path}: not COCO's annotations: it has no `images` or no `annotations`")
    with no_collection():
        table = _read_usual(layout.pictures, content)
    return _read_any(layout, content) if table is None else table


def _read_any(layout: Layout, content: dict[str, Any]) -> PeopleTable:
    """Read people one by one: files of other names and order, and all that is wrong in a file."""
    builder = TableBuilder(layout.pictures)
    for person in read_coco(layout.annotations[0], content):
        builder.describe(person)
    table = builder.table()
    others = len(content["annotations"]) - len(table)
    return replace(table, left_out={OTHERS: others})


def _read_usual(pictures: Path, content: dict[str, Any]) -> PeopleTable | None:
    """Read a file that is like COCO's own in all, many people at a time.

    None where anything is otherwise: ids that are no numbers, other keypoints, any contradiction.
    `read_coco` then says what it is.
    """
    people, listed = content["annotations"], content["images"]
    if not isinstance(people, Entries) or not isinstance(listed, Entries):
        return None
    if (kinds := _kinds(content.get("categories"))) is None:
        return None
    Image, Person = _structures()
    try:
        images = listed.typed(Image, 0, len(listed))
        numbers = np.array([image.id for image in images], np.int64)
        sizes = np.array([(image.width, image.height) for image in images], np.int64)
    except (ValueError, OverflowError):
        return None
    order = np.argsort(numbers)
    ordered = numbers[order]
    wrong = not len(images) or (ordered[1:] == ordered[:-1]).any() or sizes.min() < 1
    if wrong or sizes.max() > 2**31 - 1:
        return None
    files = [image.file_name for image in images]
    del images
    builder, seen, outlines = BlockBuilder(pictures, len(people)), [], []
    polygons = _polygon_reader()
    for start in range(0, len(people), BLOCK):
        try:
            block = people.typed(Person, start, start + BLOCK)
            ids = np.array([person.id for person in block], np.int64)
            which = np.array([person.image_id for person in block], np.int64)
            flags = np.array([(p.category_id, p.iscrowd, p.num_keypoints) for p in block], np.int64)
            boxes = np.array([person.bbox for person in block], np.float64).reshape(-1, 4)
            if any(len(person.keypoints) != 3 * len(COCO17) for person in block):
                return None
            values = chain.from_iterable([person.keypoints for person in block])
            joints = np.fromiter(values, np.float64).reshape(len(block), len(COCO17), 3)
        except (ValueError, OverflowError):
            return None
        seen.append(ids)
        place = np.searchsorted(ordered, which).clip(max=len(order) - 1)
        known = joints[..., 2]
        right = (
            np.isin(flags[:, 0], kinds)
            & np.isin(flags[:, 1], (0, 1))
            & (ordered[place] == which)
            & np.isin(known, VISIBILITIES).all(1)
            & ((known > 0).sum(1) == flags[:, 2])
            & (np.abs(joints) < FARTHEST).all((1, 2))
            & (np.abs(boxes) < FARTHEST).all(1)
        )
        keep = np.flatnonzero((flags[:, 1] == 0) & (flags[:, 2] > 0))
        if not right.all() or (boxes[keep, 2:] <= 0).any():
            return None
        number = order[place[keep]]
        crops = crops_of_boxes(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1))
        found = Joints(joints[keep, :, :2], known[keep] > 0, COCO17)
        # Joined block by block: an array of its own for everybody would take twice the memory.
        outlines.append(join_outlines(polygons(block[row].segmentation) for row in keep.tolist()))
        builder.add([files[n] for n in number.tolist()], [found], crops[keep], sizes[number])
    every = np.sort(np.concatenate(seen)) if seen else np.zeros(0)
    if (every[1:] == every[:-1]).any() or builder.left_out[NO_BOX] or not builder.people:
        return None
    builder.leave_out(OTHERS, len(people) - builder.people)
    points = np.concatenate([points for points, _ in outlines])
    before = np.cumsum([0, *(len(points) for points, _ in outlines)])
    rows = [rows + first for (_, rows), first in zip(outlines, before, strict=False)]
    table = builder.table()
    if not len(points):
        return table
    return replace(table, outlines=np.concatenate(rows), outline_points=points)


def _polygon_reader() -> Callable[[Any], np.ndarray]:
    """Return the reader of COCO's `segmentation`; masks in another form give no points."""
    import msgspec

    decode = msgspec.json.Decoder(list[list[float]]).decode

    def read(segmentation: Any) -> np.ndarray:
        try:
            return as_points(decode(segmentation))
        except msgspec.DecodeError:  # a run-length code, which COCO has for crowds
            return as_points([])

    return read


def _kinds(categories: Any) -> list[int] | None:
    """Return the ids of COCO's own categories; None where there are others."""
    if not isinstance(categories, list) or not categories:
        return None
    for entry in categories:
        usual = isinstance(entry, dict) and entry.get("keypoints") == list(COCO17)
        if not usual or type(entry.get("id")) is not int:
            return None
    ids = [entry["id"] for entry in categories]
    return ids if len(set(ids)) == len(ids) else None


def _structures() -> tuple[Any, Any]:
    """Return the types of COCO's pictures and people: only the fields that are read."""
    import msgspec

    image = msgspec.defstruct(
        "Image", [("id", int), ("file_name", str), ("width", int), ("height", int)]
    )
    person = msgspec.defstruct(
        "Person",
        [
            *(("id", int), ("image_id", int), ("category_id", int), ("iscrowd", int)),
            *(("num_keypoints", int), ("bbox", list[float]), ("keypoints", list[float])),
            ("segmentation", msgspec.Raw, msgspec.Raw(b"[]")),
        ],
        gc=False,
    )
    return image, person
