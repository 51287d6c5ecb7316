"""Pictures beside a JSON file of people: keypoints by name, or COCO's person keypoints.

`hmr_edu.data.photos.annotations` describes both formats. A folder must hold one such file.
"""

from __future__ import annotations

from pathlib import Path

from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable


def find(path: Path, split: str) -> Layout:
    """Return the JSON file: the path itself, or `<split>.json` or `annotations.json` in it."""
    if path.is_file():
        return Layout((path,), path.parent)
    names = (f"{split}.json", "annotations.json")
    return first_layout(path, [Layout((path / name,), path) for name in names])


def read(layout: Layout) -> PeopleTable:
    """Read everybody, as `read_annotations` does."""
    return PeopleTable.of(read_annotations(layout.annotations[0], layout.pictures))
