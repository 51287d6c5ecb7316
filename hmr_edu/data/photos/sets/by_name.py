"""Pictures beside a JSON file of people: keypoints by name, or COCO's person keypoints.

`hmr_edu.data.photos.annotations` describes both formats. A folder must hold one such file.
"""

from __future__ import annotations

from pathlib import Path

from hmr_edu.data.photos.annotations import other_format, read_by_name
from hmr_edu.data.photos.coco import is_coco, read_coco
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable, TableBuilder
from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.jsonfile import read_json


def find(path: Path, split: str) -> Layout:
    """Return the JSON file: the path itself, or `<split>.json` or `annotations.json` in it."""
    if path.is_file():
        return Layout((path,), path.parent)
    names = (f"{split}.json", "annotations.json")
    return first_layout(path, [Layout((path / name,), path) for name in names])


def read(layout: Layout) -> PeopleTable:
    """Read everybody, as `read_annotations` does; pictures are not looked at."""
    (path,) = layout.annotations
    content = read_json(path, "annotations")
    if other := other_format(content):
        raise DataError(f"{path}: {other}")
    builder = TableBuilder(layout.pictures)
    with naming(path):
        for person in (read_coco if is_coco(content) else read_by_name)(path, content):
            builder.describe(person)
        return builder.table()
