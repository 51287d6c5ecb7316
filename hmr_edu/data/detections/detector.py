"""Keypoints of everybody in a picture, from a detector that is installed.

None comes with the package. Two are known:

- mediapipe, `pip install 'hmr_edu[detect]'`, Apache-2.0. The wheels from 0.10.14 to 0.10.21 carry
  the pose model, and exist for Python up to 3.12; only 0.10.14 takes numpy 2. The model finds one
  person at a time, so `windows.py` looks through many parts of a picture. People close together, or
  smaller than a sixth of the picture, may be missed.
- rtmlib, Apache-2.0, once it has downloaded its model files. It finds everybody at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from PIL import Image

from hmr_edu.data.detections.formats import Detection
from hmr_edu.data.detections.joint_sets import MEDIAPIPE33, to_cocoplus
from hmr_edu.data.detections.windows import Found, Photo, find_everybody
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17

# Pixels of the longer side of a picture that a detector is shown: larger ones are reduced.
LARGEST = 2000
# A keypoint less sure than this was not found.
LEAST_SURE = 0.1
# The mean confidence of a person whom rtmlib found: where nobody is, it looks at the whole picture.
LEAST_MEAN = 0.3

# Finds everybody in a picture.
FindAll = Callable[[Photo], list[Found]]


def installed_detectors() -> list[str]:
    """Return the names of the detectors that can be used, the best first."""
    return [name for name, ready in (("rtmlib", _rtmlib_mode), ("mediapipe", _has_pose)) if ready()]


def detect_people(photo: Photo, detector: str | None = None) -> list[Detection]:
    """Find everybody in a picture: COCO+ keypoints in pixels, the surest person first.

    Keypoints outside the picture and those less sure than 0.1 have confidence 0. Raises DataError
    that says what to install when there is no detector, or not the one that was asked for.

    Args:
        photo: the upright picture, RGB.
        detector: "mediapipe" or "rtmlib"; the best of those that can be used if None.
    """
    ready = installed_detectors()
    if not ready or (detector is not None and detector not in ready):
        raise DataError(_what_to_install(detector))
    name = detector or ready[0]
    find_all = {"mediapipe": _mediapipe, "rtmlib": _rtmlib}[name]()
    height, width = photo.shape[:2]
    ratio = min(1.0, LARGEST / max(height, width))
    if ratio < 1:
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        photo = np.array(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))
    scale = torch.tensor((width / photo.shape[1], height / photo.shape[0]))
    people = []
    for number, person in enumerate(find_all(photo)):
        confidence = person.confidence.where(person.confidence >= LEAST_SURE, 0.0)
        # Pixel centres: the left edge is at -0.5 in both.
        points = ((person.keypoints2d + 0.5) * scale - 0.5).where(confidence[:, None] > 0, 0.0)
        if bool((confidence > 0).any()):
            people.append(Detection(points, confidence, None, f"{name}: person {number}"))
    return people


def _what_to_install(detector: str | None) -> str:
    if detector == "rtmlib" or (detector is None and find_spec("rtmlib")):
        found = (
            "rtmlib is not installed"
            if not find_spec("rtmlib")
            else ("rtmlib has not downloaded its models yet")
        )
        return f"{found}: `pip install rtmlib onnxruntime`, then run its Body() once"
    if find_spec("mediapipe"):
        return (
            "this mediapipe has no pose model of its own: pip install mediapipe==0.10.14 (Python "
            "3.12 or older)"
        )
    return (
        "no detector is installed: pip install 'hmr_edu[detect]' (Python 3.12 or older), or give "
        "keypoints"
    )


def _has_pose() -> bool:
    """Return whether a mediapipe is installed that carries its pose model."""
    try:
        return find_spec("mediapipe.python.solutions.pose") is not None
    except ModuleNotFoundError:
        return False


@cache
def _mediapipe() -> FindAll:
    """Load mediapipe's pose model."""
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # of its other libraries
        solution = import_module("mediapipe.python.solutions.pose")
        model = solution.Pose(static_image_mode=True, model_complexity=1)

    def find_one(photo: Photo) -> Found | None:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            marks = model.process(photo).pose_landmarks
        if marks is None:
            return None
        height, width = photo.shape[:2]
        table = torch.tensor([(mark.x, mark.y, mark.visibility) for mark in marks.landmark])
        points = table[:, :2] * torch.tensor((width, height)) - 0.5
        return Found(*to_cocoplus(points, table[:, 2].clamp(0, 1), MEDIAPIPE33))

    return lambda photo: find_everybody(find_one, photo)


def _rtmlib_mode() -> str | None:
    """Return a mode of rtmlib whose two model files are on disk; it would download others."""
    if not (find_spec("rtmlib") and find_spec("onnxruntime")):
        return None
    cache_home = os.getenv("XDG_CACHE_HOME", "~/.cache")
    home = os.getenv("TORCH_HOME", str(Path(cache_home) / "rtmlib"))
    folder = Path(home).expanduser() / "hub" / "checkpoints"
    modes: dict[str, dict[str, Any]] = import_module("rtmlib").Body.MODE
    for mode in ("balanced", "performance", "lightweight"):
        files = [PurePosixPath(modes[mode][part]).stem for part in ("det", "pose")]
        if all((folder / f"{file}.onnx").is_file() for file in files):
            return mode
    return None


@cache
def _rtmlib() -> FindAll:
    """Load rtmlib's two models."""
    with contextlib.redirect_stdout(io.StringIO()):
        body = import_module("rtmlib").Body(mode=_rtmlib_mode(), backend="onnxruntime")

    def find_all(photo: Photo) -> list[Found]:
        keypoints, scores = body(np.ascontiguousarray(photo[..., ::-1]))  # BGR
        points, confidence = torch.tensor(keypoints).float(), torch.tensor(scores).float()
        people = [
            Found(*to_cocoplus(*person, COCO17))
            for person in zip(points, confidence.clamp(0, 1), strict=True)
        ]
        sure = [person for person in people if person.confidence.sum() >= LEAST_MEAN * len(COCO17)]
        return sorted(sure, key=lambda person: -person.sure)

    return find_all


@contextlib.contextmanager
def _quiet():
    """Keep what C++ libraries write to the process's standard error out of the way."""
    try:
        kept = os.dup(2)
    except OSError:  # no standard error, as in some windows without a terminal
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
