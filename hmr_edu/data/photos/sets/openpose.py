"""Pictures with OpenPose's JSON, one file a picture: `NAME.jpg` and `NAME_keypoints.json`.

The files are beside the pictures, or in the folder `keypoints` beside the folder `images`. Their
keypoints count with OpenPose's confidences.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_edu.data.detections.files import OPENPOSE_ENDING
from hmr_edu.data.detections.formats import is_openpose, read_openpose
from hmr_edu.data.photos.blocks import BlockBuilder, Joints
from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json
from hmr_edu.keypoints import COCOPLUS

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
NO_PICTURE = "in files without a picture"


def find(path: Path, split: str) -> Layout:
    """Return OpenPose's files; a split is the folder of its name, if there is one."""
    if path.is_file():
        return Layout((path,), path.parent)
    if not path.exists():
        raise FileNotFoundError(f"no data set {path}")
    root = path / split if (path / split).is_dir() else path
    for keypoints, pictures in ((root, root), (root / "keypoints", root / "images")):
        files = tuple(sorted(keypoints.glob(f"*{OPENPOSE_ENDING}.json")))
        if files:
            return Layout(files, pictures, beside=(pictures,) if pictures.is_dir() else ())
    raise FileNotFoundError(f"{path}: in it should be NAME{OPENPOSE_ENDING}.json beside NAME.jpg")


def read(layout: Layout) -> PeopleTable:
    """Read everybody; people of files without a picture are left out."""
    pictures = {}
    if layout.pictures.is_dir():
        for file in sorted(layout.pictures.iterdir(), reverse=True):
            if file.suffix.lower() in PICTURES:
                pictures[file.stem] = file.name
    names, people, lost = [], [], 0
    for path in layout.annotations:
        content = read_json(path, "keypoints")
        if not is_openpose(content):
            raise DataError(f"{path}: not OpenPose's keypoints")
        found = read_openpose(path, content, None)
        picture = pictures.get(path.stem.removesuffix(OPENPOSE_ENDING))
        if picture is None:
            lost += len(found)
            continue
        names += [picture] * len(found)
        people += found
    builder = BlockBuilder(layout.pictures, len(people))
    builder.leave_out(NO_PICTURE, lost)
    if people:
        places = np.stack([person.keypoints2d.numpy() for person in people])
        known = np.stack([person.confidence.numpy() for person in people])
        builder.add(names, [Joints(places, known, COCOPLUS)])
    try:
        return builder.table()
    except DataError as error:
        raise DataError(f"{layout.annotations[0].parent}: {error}") from None
