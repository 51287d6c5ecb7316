"""AI Challenger's human keypoints: a JSON list of pictures with 14 joints of each person.

https://github.com/AIChallenger/AI_Challenger_2017. The third number of a joint is 1 where it is
visible, 2 where it is hidden, and 3 where it is not annotated. COCO's numbers are others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_edu.data.detections.joint_sets import AIC14
from hmr_edu.data.photos.blocks import BlockBuilder, Joints, crops_of_boxes
from hmr_edu.data.photos.described import finite_numbers, objects
from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.big_json import read_big_list
from hmr_edu.io.errors import DataError, naming

VISIBLE, HIDDEN, MISSING = 1, 2, 3
PARTS = {
    "train": "ai_challenger_keypoint_train_20170902",
    "test": "ai_challenger_keypoint_validation_20170911",
}
NAMES = {
    "train": ("keypoint_train_annotations_20170909", "keypoint_train_images_20170902"),
    "test": ("keypoint_validation_annotations_20170911", "keypoint_validation_images_20170911"),
}


def find(path: Path, split: str) -> Layout:
    """Return the annotations of a split in its folder, or in the folder above it."""
    annotations, pictures = NAMES[split]
    if path.is_file():
        beside = [path.parent / part for _, part in NAMES.values()]
        return Layout((path,), next((p for p in beside if p.is_dir()), path.parent))
    return first_layout(
        path,
        [
            Layout((folder / f"{annotations}.json",), folder / pictures)
            for folder in (path, path / PARTS[split])
        ],
    )


def read(layout: Layout) -> PeopleTable:
    """Read everybody; hidden joints count as in COCO."""
    (path,) = layout.annotations
    files, places, boxes, unboxed = [], [], [], 0
    with naming(path):
        pictures = read_big_list(path, "AI Challenger's annotations")
        for number, picture in enumerate(objects(pictures, "the list of pictures")):
            where = f"picture {number}"
            name, people = picture.get("image_id"), picture.get("keypoint_annotations")
            given = picture.get("human_annotations")
            if not isinstance(name, str) or not isinstance(people, dict):
                raise DataError(f"{where} has no `image_id` or no `keypoint_annotations`")
            if not isinstance(given, dict):
                raise DataError(f"{where} has no `human_annotations`")
            for person, values in people.items():
                if person not in given:
                    unboxed += 1
                    continue
                files.append(f"{name}.jpg")
                places.append(finite_numbers(values, 42, f"{where}: the joints of {person:.40}"))
                boxes.append(finite_numbers(given[person], 4, f"{where}: the box of {person:.40}"))
        joints = np.array(places, np.float64).reshape(-1, len(AIC14), 3)
        flags = joints[..., 2]
        if not np.isin(flags, (0, VISIBLE, HIDDEN, MISSING)).all():
            raise DataError("the third number of a joint must be 1, 2 or 3")
        known = np.isin(flags, (VISIBLE, HIDDEN)).astype(np.float32)
        builder = BlockBuilder(layout.pictures, len(files))
        builder.leave_out("without a box", unboxed)
        # From pixel to pixel; a box goes from edge to edge.
        crops = crops_of_boxes(np.array(boxes, np.float64).reshape(-1, 4) + np.array([0, 0, 1, 1]))
        builder.add(files, [Joints(joints[..., :2], known, AIC14)], crops)
        return builder.table()
