"""What detectors write: COCO's results, OpenPose's JSON, MediaPipe's landmarks.

Each reader takes the parsed content of a file and returns everybody of whom a keypoint is known.
Nothing is guessed: a number that no detector writes is a DataError that names file and place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.detections.joint_sets import BODY25, MEDIAPIPE33, OPENPOSE18, to_cocoplus
from hmr_edu.data.photos.described import finite_numbers, objects
from hmr_edu.io.errors import DataError
from hmr_edu.io.ranges import Range
from hmr_edu.io.schema import check_type, shown
from hmr_edu.keypoints import COCO17

# Confidences above 1 count as 1: OpenPose's reach 1.1, AlphaPose's 6. A number above this is none.
MOST_SURE = 10.0
# MediaPipe places landmarks outside the picture by guessing; so far it never does.
MOST_OUTSIDE = 10.0
OPENPOSE_SETS = {3 * len(names): names for names in (BODY25, OPENPOSE18)}
OPENPOSE_KEYS = ("pose_keypoints_2d", "pose_keypoints")  # the second until version 1.1
MEDIAPIPE_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")

Size = tuple[int, int]


class Detection(NamedTuple):
    """A person's 2D keypoints in a picture.

    `keypoints2d` are pixels of the upright picture; the confidence of a missing keypoint is 0, and
    so are its coordinates. `file` is the picture's name, if it is known; `where` says for messages
    where the person was read; `box` is (x0, y0, x1, y1) in pixel edges, where the file has one.
    """

    keypoints2d: Float[Tensor, "19 2"]
    confidence: Float[Tensor, " 19"]
    file: str | None
    where: str
    box: Sequence[float | int] | None = None


class Landmark(TypedDict):
    """A landmark of MediaPipe: shares of the picture's width and height, and its visibility."""

    x: Annotated[float, Range(-MOST_OUTSIDE, MOST_OUTSIDE)]
    y: Annotated[float, Range(-MOST_OUTSIDE, MOST_OUTSIDE)]
    visibility: Annotated[float, Range(0, 1)]


def is_results(content: Any) -> bool:
    """Return whether the content of a JSON file is a list of COCO's results; it may be empty."""
    if content == []:
        return True
    first = content[0] if isinstance(content, list) else None
    return isinstance(first, dict) and {"image_id", "keypoints"} <= first.keys()


def read_results(path: Path, content: list) -> list[Detection]:
    """Read COCO's results, https://cocodataset.org/#format-results.

    Each person has an `image_id` and 17 x (x, y, confidence). An `image_id` that is a number is
    COCO's: 785 is the picture 000000000785. AlphaPose writes the picture's name instead.
    """
    people = []
    for number, person in enumerate(objects(content, f"{path}")):
        where = f"{path}: person {number}"
        picture = person.get("image_id")
        if isinstance(picture, bool) or not isinstance(picture, int | str):
            raise DataError(f"{where}: `image_id` must be a number or a name, not {picture!r:.60}")
        try:
            file = picture if isinstance(picture, str) else f"{picture:012d}"
        except ValueError:  # Python writes no number of more than 4,300 digits
            raise DataError(f"{where}: `image_id` is a number without end") from None
        values = finite_numbers(
            person.get("keypoints"), 3 * len(COCO17), f"{where}: `keypoints`, COCO's 17,"
        )
        box = None
        if "bbox" in person:
            x, y, width, height = finite_numbers(person["bbox"], 4, f"{where}: `bbox`")
            box = (x, y, x + width, y + height)
        people.append(_detection(values, COCO17, file, where)._replace(box=box))
    return _known(people)


def is_openpose(content: Any) -> bool:
    """Return whether the content of a JSON file is that of OpenPose."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("people"), list)
        and _versioned(content)
    )


def _versioned(content: dict[str, Any]) -> bool:
    first = content["people"][0] if content["people"] else {}
    return "version" in content or (isinstance(first, dict) and "pose_keypoints_2d" in first)


def read_openpose(path: Path, content: dict[str, Any], size: Size | None) -> list[Detection]:
    """Read OpenPose's JSON, `--write_json`: the people of one picture.

    https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md. The
    number of values says whether it is BODY_25 or COCO's 18. Coordinates must be pixels, as by
    default (`--keypoint_scale 0`): with a picture of this `size`, shares of it are refused.
    """
    people = []
    for number, person in enumerate(objects(content["people"], f"{path}: `people`")):
        where = f"{path}: person {number}"
        key = next((key for key in OPENPOSE_KEYS if key in person), OPENPOSE_KEYS[0])
        values = person.get(key)
        if values == []:  # a face or a hand without a body
            continue
        if not isinstance(values, list) or len(values) not in OPENPOSE_SETS:
            raise DataError(
                f"{where}: `{key}` must be 75 numbers (BODY_25) or 54 (COCO's 18), not "
                f"{_count(values)}"
            )
        names = OPENPOSE_SETS[len(values)]
        values = finite_numbers(values, len(values), f"{where}: `{key}`")
        detection = _detection(values, names, None, where)
        known = detection.keypoints2d[detection.confidence > 0]
        if size and max(size) > 2 and len(known) > 1 and bool((known.abs() <= 1).all()):
            raise DataError(
                f"{where}: all coordinates are between -1 and 1, shares of the picture; run "
                "OpenPose with --keypoint_scale 0, which writes pixels"
            )
        people.append(detection)
    return _known(people)


def is_mediapipe(content: Any) -> bool:
    """Return whether the content of a JSON file is MediaPipe's landmarks, in a known layout."""
    if isinstance(content, list):
        first = content[0] if content else None
        return isinstance(first, dict) and {"x", "y"} <= first.keys()
    return isinstance(content, dict) and any(
        key in content for key in (*MEDIAPIPE_KEYS, "landmark")
    )


def read_mediapipe(path: Path, content: Any, size: Size | None) -> list[Detection]:
    """Read MediaPipe's 33 landmarks, {"x", "y", "visibility"} each, of a picture of this `size`.

    MediaPipe has no file of its own. What its users write is accepted:

    - `MessageToDict(results.pose_landmarks)`: {"landmark": [33 landmarks]}, alone or under
      "pose_landmarks";
    - the tasks' result: {"pose_landmarks": [[33 landmarks], ...]}, a list for each person
      ("poseLandmarks" and JavaScript's "landmarks" are the same);
    - a bare list of 33 landmarks: one person.

    The confidence is the visibility. A landmark outside the picture is a guess: its confidence
    is 0.
    """
    if size is None:
        raise DataError(
            f"{path}: MediaPipe's x and y are shares of a picture's width and height: name the "
            "picture too"
        )
    width, height = size
    people = []
    for where, landmarks in _mediapipe_people(path, content):
        if not isinstance(landmarks, list) or len(landmarks) != len(MEDIAPIPE33):
            raise DataError(f"{where} must be a list of 33 landmarks, not {_count(landmarks)}")
        check_type(landmarks, list[Landmark], where)
        values = [
            # The left edge of the picture is at -0.5: pixels count from their centres.
            number
            for mark in landmarks
            for number in (
                mark["x"] * width - 0.5,
                mark["y"] * height - 0.5,
                float(mark["visibility"]) if _is_inside(mark) else 0.0,
            )
        ]
        people.append(_detection(values, MEDIAPIPE33, None, where))
    return _known(people)


def _is_inside(mark: Landmark) -> bool:
    return 0 <= mark["x"] <= 1 and 0 <= mark["y"] <= 1


def _mediapipe_people(path: Path, content: Any) -> list[tuple[str, Any]]:
    """Return the landmarks of each person, and where in the file they are."""
    where = f"{path}: the landmarks"
    if isinstance(content, dict):
        key = next(key for key in MEDIAPIPE_KEYS if key in content)
        where, content = f"{path}: `{key}`", content[key]
    if isinstance(content, dict):
        where, content = f"{where}: `landmark`", content.get("landmark")
    if content is None:  # nobody was found
        return []
    if isinstance(content, list) and not (content and isinstance(content[0], dict)):
        return [(f"{where}: person {i}", person) for i, person in enumerate(content)]
    return [(where, content)]


def _detection(
    values: Sequence[float], names: Sequence[str], file: str | None, where: str
) -> Detection:
    """Make a person from (x, y, confidence) of each joint of a set."""
    table = torch.tensor(values, dtype=torch.float64).view(-1, 3)
    for name, sure in zip(names, table[:, 2].tolist(), strict=True):
        if not 0 <= sure <= MOST_SURE:
            raise DataError(f"{where}: the confidence of {name} is {sure:g}; it must be 0 to 1")
    points, confidence = table[:, :2].float(), table[:, 2].clamp_max(1).float()
    return Detection(*to_cocoplus(points, confidence, names), file, where)


def _count(values: Any) -> str:
    """Say how many values there are instead of the right number, or what is there."""
    return str(len(values)) if isinstance(values, list) else shown(values)


def _known(people: Sequence[Detection]) -> list[Detection]:
    """Leave out people of whom no keypoint is known."""
    return [person for person in people if bool((person.confidence > 0).any())]
