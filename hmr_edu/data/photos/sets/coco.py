"""COCO's people: `annotations/person_keypoints_train2017.json` beside the folder `train2017`.

https://cocodataset.org/#download. COCO-WholeBody's annotations have the same first 17 keypoints.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hmr_edu.data.photos.coco import is_coco, read_coco
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable, TableBuilder
from hmr_edu.io.big_json import read_big_json
from hmr_edu.io.errors import DataError

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


def find(path: Path, split: str) -> Layout:
    """Return the annotations and the pictures' folder of a split.

    `path` is COCO's folder, or one JSON file, whose pictures are beside it.
    """
    if path.is_file():
        return Layout((path,), path.parent)
    annotations = path / "annotations"
    return first_layout(
        path,
        [Layout((annotations / f"{name}.json",), path / part) for name, part in SPLITS[split]],
    )


def read(layout: Layout) -> PeopleTable:
    """Read the people who have keypoints; crowds and people without any are left out."""
    (path,) = layout.annotations
    content = read_big_json(path, "annotations", ("annotations",))
    if not is_coco(content):
        raise DataError(f"{path}: not COCO's annotations: it has no `images` or no `annotations`")
    builder = TableBuilder(layout.pictures)
    for person in read_coco(path, content):
        builder.describe(person)
    table = builder.table()
    others = len(content["annotations"]) - len(table)
    return replace(table, left_out={"crowds, and people without keypoints": others})
