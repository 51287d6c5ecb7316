"""Read 2D keypoints of people from files of detectors and annotators: everybody in a picture.

These can be read; `formats.py` says what exactly each of them holds:

- COCO's annotations, `person_keypoints_*.json`, and the people by name of `read_annotations`;
- COCO's results, the list of predictions that MMPose, Detectron2 and AlphaPose write;
- OpenPose's JSON, `--write_json`: one file a picture, BODY_25 or COCO's 18;
- MediaPipe's 33 landmarks, as JSON.

A folder of such files, named after their pictures, can be read too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from hmr_edu.data.detections.formats import (
    Detection,
    is_mediapipe,
    is_openpose,
    is_results,
    read_mediapipe,
    read_openpose,
    read_results,
)
from hmr_edu.data.photos.annotations import ordered_keypoints, other_format, read_by_name
from hmr_edu.data.photos.coco import is_coco, read_coco
from hmr_edu.data.photos.pictures import check_size, upright_size
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input
from hmr_edu.io.jsonfile import read_json

# What OpenPose adds to a picture's name, and COCO put before its own until 2014.
OPENPOSE_ENDING = "_keypoints"
_COCO_2014 = re.compile(r"^COCO_[a-z]+\d+_")


def read_detections(path: str | Path, picture: str | Path | None = None) -> list[Detection]:
    """Read everybody in a file, or in a folder of files, in COCO+ order and pixels.

    Confidences above 1 count as 1: OpenPose's reach 1.1 or so. Annotated keypoints, hidden or not,
    have confidence 1. People of whom no keypoint is known are left out. With a `picture` only its
    own people are read; a file that names no picture belongs to every one. MediaPipe's files need
    it: their numbers are shares of its width and height.

    Raises FileNotFoundError when the file or the picture is missing, DataError, which names the
    file and the place in it, when something cannot be used: a keypoint far outside the picture,
    nobody of this picture where there are people of others.
    """
    path = Path(path)
    read = _read_folder if path.is_dir() else _read_file
    if picture is None:
        return read(path, None, None)
    picture = Path(picture)
    size = upright_size(picture)
    people = read(path, picture, size)
    people = _of_picture(people, path, picture)
    for person in people:
        _check_places(person, size)
    return people


def read_frame(path: Path, size: tuple[int, int]) -> list[Detection]:
    """Read everybody in the file of one frame of a video, whose size is (width, height).

    Raises as `read_detections`.
    """
    people = _read_file(path, None, size)
    for person in people:
        _check_places(person, size)
    return people


def _read_folder(
    folder: Path, picture: Path | None, size: tuple[int, int] | None
) -> list[Detection]:
    """Read the files of a folder; each says by its name to which picture it belongs."""
    files = {path: path.stem.removesuffix(OPENPOSE_ENDING) for path in folder.glob("*.json")}
    if not files:
        raise DataError(f"{folder}: a folder without JSON files")
    chosen = {
        path: name for path, name in files.items() if picture is None or _is_name(name, picture)
    }
    if not chosen and picture is not None:
        raise DataError(
            f"{folder}: no file belongs to {picture.name}; {picture.stem}{OPENPOSE_ENDING}.json "
            f"would, and there are {len(files)} others"
        )
    return [
        person if person.file else person._replace(file=name)
        for name, path in sorted((name, path) for path, name in chosen.items())
        for person in _read_file(path, picture, size)
    ]


def _read_file(path: Path, picture: Path | None, size: tuple[int, int] | None) -> list[Detection]:
    check_input(path, "keypoints")
    content = read_json(path, "keypoints")
    if is_results(content):
        return read_results(path, content)
    if is_openpose(content):
        return read_openpose(path, content, size)
    if is_mediapipe(content):
        return read_mediapipe(path, content, size)
    if other := other_format(content):
        raise DataError(f"{path}: {other}")
    return _read_annotations(path, content, picture)


def _read_annotations(path: Path, content: dict[str, Any], picture: Path | None) -> list[Detection]:
    """Read annotated people; the recorded size of the picture is compared with its own."""
    people = []
    for described in (read_coco if is_coco(content) else read_by_name)(path, content):
        keypoints2d, visible = ordered_keypoints(described)
        person = Detection(keypoints2d, visible, described.file, described.where, described.box)
        people.append(person)
        if picture is not None and described.size and _is_name(described.file, picture):
            check_size(picture, described.size, described.where)
    return people


def _of_picture(people: Sequence[Detection], path: Path, picture: Path) -> list[Detection]:
    """Choose the people of a picture: by its name, and by its folders where two have one name."""
    own = [person for person in people if person.file is None or _is_name(person.file, picture)]
    if len({person.file for person in own}) > 1:
        there = picture.resolve().parts
        own = [
            person
            for person in own
            if person.file is None or there[-len(_parts(person.file)) :] == _parts(person.file)
        ]
    if people and not own:
        others = sorted({str(person.file) for person in people})
        listed = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise DataError(f"{path}: nobody in it belongs to {picture.name}; there are {listed}")
    return own


def _is_name(file: str, picture: Path) -> bool:
    """Return whether a file's name, with or without its ending, is that of a picture."""
    name = _parts(file)[-1] if _parts(file) else ""
    own = _COCO_2014.sub("", picture.name)
    return name in (picture.name, picture.stem, own, Path(own).stem)


def _parts(file: str) -> tuple[str, ...]:
    return PureWindowsPath(file).parts  # takes both kinds of slash


def _check_places(person: Detection, size: tuple[int, int]) -> None:
    """Raise DataError when keypoints are those of another picture, or of one of another size."""
    known = person.keypoints2d[person.confidence > 0]
    edges = known.new_tensor(size)
    inside = ((known > -1) & (known < edges)).all(1)
    far = ((known < -max(size)) | (known > edges + max(size))).any(1)
    if far.any() or not inside.any():
        what = "a keypoint lies far outside" if far.any() else "none of the keypoints lies in"
        raise DataError(
            f"{person.where}: {what} the picture, which is {size[0]} x {size[1]} pixels; was it "
            "another size?"
        )
