"""Write annotated keypoints as COCO's person keypoints, which `read_annotations` reads back.

COCO's 17 keypoints lack the neck and the head top, so the category "person" lists them after the
17. A program that knows only the 17 finds these where it expects them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.photos.coco import is_coco
from hmr_edu.data.photos.described import objects
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.keypoints import COCO17, COCOPLUS

# COCO's 17, then what COCO+ has more.
NAMES = COCO17 + tuple(name for name in COCOPLUS if name not in COCO17)
SKELETON = (
    *(("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee")),
    *(("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip")),
    *(("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder")),
    *(("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
    *(("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_eye", "right_eye")),
    *(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear")),
    *(("right_eye", "right_ear"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder")),
    ("neck", "head_top"),
)
CATEGORY = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(NAMES),
    "skeleton": [[NAMES.index(a) + 1, NAMES.index(b) + 1] for a, b in SKELETON],
}
VISIBLE = 2  # COCO's v of a keypoint that is annotated and seen


def write_person(
    path: str | Path,
    file: str,
    size: tuple[int, int],
    keypoints2d: Float[Tensor, "19 2"],
    confidence: Float[Tensor, " 19"],
) -> None:
    """Write the keypoints of the person in a picture, the file whole or not at all.

    A file of this function's may already be there: this picture's person is replaced, those of
    other pictures stay. The person's box is that of the keypoints.

    Raises ValueError on fewer than two keypoints, DataError when another file is there.

    Args:
        path: the JSON file.
        file: the picture, relative to the folder of `path`.
        size: its width and height, pixels.
        keypoints2d: in COCO+ order, pixels of the upright picture, counted from 0 at their centres.
        confidence: 0 where a keypoint is missing.
    """
    known = confidence > 0
    if int(known.sum()) < 2:
        raise ValueError("a person needs at least two keypoints")
    path = Path(path)
    images, annotations = _there(path) if path.exists() else ([], [])
    old = [image["id"] for image in images if image["file_name"] == file]
    image_id = old[0] if old else _next_id(images)
    images = [image for image in images if image["id"] not in old]
    annotations = [person for person in annotations if person["image_id"] not in old]

    values: list[float] = []
    for name in NAMES:
        k = COCOPLUS.index(name)
        x, y = (round(float(number), 2) for number in keypoints2d[k])
        values += [x, y, VISIBLE] if known[k] else [0, 0, 0]
    low, high = keypoints2d[known].amin(0), keypoints2d[known].amax(0)
    # From edge to edge: a pixel is 1 wide.
    box = [round(float(number), 2) for number in (*low, *(high - low + 1))]
    width, height = size
    images.append({"id": image_id, "file_name": file, "width": width, "height": height})
    annotations.append(
        {
            "id": _next_id(annotations),
            "image_id": image_id,
            "category_id": CATEGORY["id"],
            "keypoints": values,
            "num_keypoints": int(known.sum()),
            "bbox": box,
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
        }
    )
    content = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    write_json(path, content, indent=1)


def _there(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return pictures and people of a file of ours; DataError on any other."""
    content = read_json(path, "annotations")
    if not isinstance(content, dict) or not is_coco(content):
        raise DataError(f"{path} holds something else; save to another file")
    images = list(objects(content["images"], f"{path}: `images`"))
    people = list(objects(content["annotations"], f"{path}: `annotations`"))
    pictures = [repr(image.get("id")) for image in images]
    ours = (
        content.keys() == {"images", "annotations", "categories"}
        and content["categories"] == [CATEGORY]
        and all(isinstance(image.get("file_name"), str) for image in images)
        and all(isinstance(entry.get("id"), int) for entry in images + people)
        # One person a picture.
        and sorted(pictures) == sorted(repr(person.get("image_id")) for person in people)
    )
    if not ours:
        raise DataError(f"{path} holds annotations of another program; save to another file")
    return images, people


def _next_id(entries: list[dict[str, Any]]) -> int:
    return max((entry["id"] for entry in entries), default=0) + 1
