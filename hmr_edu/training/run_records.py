"""The records of a run: what each of its files holds, and the one place where they are read.

Files may be damaged: a kill, a full disk, an editor. Each damage is one error that names its file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input
from hmr_edu.io.jsonfile import read_json
from hmr_edu.io.npz import read_arrays
from hmr_edu.io.ranges import Range
from hmr_edu.io.schema import check_type

CONFIG, ENVIRONMENT, EVALUATION = "config.json", "environment.json", "evaluation.json"
METRICS, START = "metrics.jsonl", "start.json"
# Bytes of the arrays of one file of samples: a hundred people at 1024 pixels.
LARGEST_SAMPLES = 2**29
# No number of theta or of a keypoint is larger, even when a run diverges.
FARTHEST = 1e6
# No run is longer, in steps, pictures or seconds; a float still counts so far exactly.
LONGEST = 2**53
Total = Annotated[int, Range(0, LONGEST)]
Seconds = Annotated[float, Range(0, LONGEST)]
Number = float | None


class Config(TypedDict):
    """config.json: the options of the run, as far as other parts read them."""

    seed: Total
    mode: str
    poses: list[str]
    model: dict[str, Any]
    data: dict[str, Any]


class Environment(TypedDict):
    """environment.json; see `hmr_edu.io.environment`."""

    command: str
    commit: str | None
    cpu: str
    gpu: str | None
    threads: Annotated[int, Range(1, 65_536)]
    python: str
    torch: str
    numpy: str
    hmr_edu: str


class Start(TypedDict):
    """start.json: the weights that the run started from, and how they were made, if known."""

    sha256: str
    provenance: dict[str, Any] | None


class Line(TypedDict):
    """A line of metrics.jsonl: one step."""

    step: Total
    images: Total
    seconds: NotRequired[Seconds]
    images_per_second: NotRequired[Number]
    learning_rate: NotRequired[Number]
    losses: NotRequired[dict[str, float]]


class TimedLine(Line):
    """A line of a finished run, which says how long it took."""

    seconds: Seconds  # ty: ignore[invalid-typed-dict-field]


# Metrics by name, and details for each joint or lean, which are drawn as far as they go.
Row = dict[str, Number | str | dict[str, Any] | list[Any]]


class After(TypedDict):
    """What was measured on the trained network, and on each of its steps."""

    pa_mpjpe: float
    steps: list[dict[str, Number]]


class Scores(TypedDict):
    """What was measured on one test set."""

    about: dict[str, int | str]
    baselines: dict[str, Row]
    after: After


class Numbers(TypedDict):
    """The same, as rows of metrics: JSON knows no NaN."""

    after: Row


Evaluation = dict[str, Scores]
Read = TypeVar("Read")


class Log(NamedTuple):
    """Lines of metrics.jsonl: text and content, the numbers of damaged ones, and a torn end."""

    lines: list[tuple[str, dict[str, Any]]]
    damaged: list[int]
    torn: bool


def read_record(folder: Path, name: str, annotation: Any) -> Any:
    """Read a JSON file of a run.

    Raises FileNotFoundError, or DataError that names the file and what is wrong in it.
    """
    path = folder / name
    value = read_json(path, "record")
    check_type(value, annotation, str(path))
    return value


def read_optional(folder: Path, name: str, annotation: Any) -> Any:
    """Read a JSON file that a run may lack; None when it does. Raises as `read_record`."""
    return read_record(folder, name, annotation) if os.path.lexists(folder / name) else None


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Read evaluation.json of a finished run. Raises as `read_record`."""
    value = read_record(folder, EVALUATION, Evaluation)
    if not value:
        raise DataError(f"{folder / EVALUATION}: no test set is in it")
    check_type(value, dict[str, Numbers], str(folder / EVALUATION))
    return value


def read_log(folder: Path) -> Log:
    """Read metrics.jsonl as far as it goes.

    A last line that is cut off is torn, not damaged: a power cut leaves it. Raises
    FileNotFoundError, or DataError when it is no file.
    """
    path = check_input(folder / METRICS, "record")
    content = path.read_bytes()
    raws = content.split(b"\n")
    lines: list[tuple[str, dict[str, Any]]] = []
    spoiled: list[int] = []
    for number, raw in enumerate(raws, start=1):
        if not raw.strip():
            continue
        try:
            text = raw.decode().strip()
            record = json.loads(text)
            check_type(record, Line, "")
        except (ValueError, RecursionError):  # no text, no JSON, or not a line
            spoiled.append(number)
        else:
            lines.append((text, record))
    # Nothing ends the last line of a file that is cut off.
    torn = spoiled[-1:] == [len(raws)]
    return Log(lines, spoiled[:-1] if torn else spoiled, torn)


def read_whole_log(folder: Path, say: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """Read the lines of metrics.jsonl; a torn last line is dropped, and this is said.

    Raises FileNotFoundError, or DataError that names the damaged lines.
    """
    log, path = read_log(folder), folder / METRICS
    if log.damaged:
        numbers = listed(log.damaged)
        raise DataError(f"{path}: line {numbers} is not a step of a run: mend it or take it out")
    if log.torn and log.lines and say:
        print(f"{path}: the last line is cut off, and left out", file=sys.stderr)
    return log.lines


def listed(numbers: Sequence[int]) -> str:
    """Return numbers as text; of many, the first ten."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


class Samples(NamedTuple):
    """The same held-out people after `images_seen` training images."""

    images_seen: int
    images: UInt8[np.ndarray, "n height width 3"]
    theta: Float32[np.ndarray, "n steps 85"]
    true_theta: Float32[np.ndarray, "n 85"] | None
    true_keypoints2d: Float32[np.ndarray, "n 19 2"]
    visible: Bool[np.ndarray, "n 19"]


def read_samples(path: Path) -> Samples:
    """Read one samples file. Raises DataError when it is damaged or its shapes do not fit."""
    required, optional = ("images", "theta", "true_keypoints2d"), ("true_theta", "visible")
    arrays = read_arrays(path, required, optional, largest=LARGEST_SAMPLES)
    images, theta = arrays["images"], arrays["theta"]
    n = len(images) if images.ndim else 0
    # Photographs have no true theta; the oldest runs recorded no visibility.
    true_theta = arrays.get("true_theta", np.zeros((n, 85)))
    visible = arrays.get("visible", np.ones((n, 19), bool))
    fits = (
        n > 0
        and images.dtype == np.uint8
        and (images.ndim, images.shape[-1]) == (4, 3)
        and 0 not in images.shape
        and theta.ndim == 3
        and (len(theta), theta.shape[-1]) == (n, 85)
        and theta.shape[1] > 0
        and true_theta.shape == (n, 85)
        and arrays["true_keypoints2d"].shape == (n, 19, 2)
        and visible.shape == (n, 19)
        and all(a.dtype.kind == "f" for a in (theta, true_theta, arrays["true_keypoints2d"]))
        and visible.dtype.kind in "biuf"
        and path.stem.isdecimal()
    )
    if not fits:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise DataError(f"{path}: not the samples of a run ({shapes})")
    with np.errstate(over="ignore"):  # infinite then, and named
        numbers = [a.astype(np.float32) for a in (theta, true_theta, arrays["true_keypoints2d"])]
    if not all((np.abs(array) < FARTHEST).all() for array in numbers):
        raise DataError(f"{path}: holds NaN, infinite or huge values")
    theta, true_theta, keypoints2d = numbers
    known = true_theta if "true_theta" in arrays else None
    return Samples(int(path.stem), images, theta, known, keypoints2d, visible > 0)


__all__ = [
    "CONFIG",
    "ENVIRONMENT",
    "EVALUATION",
    "METRICS",
    "START",
    "Config",
    "Environment",
    "Line",
    "Log",
    "Samples",
    "Start",
    "TimedLine",
    "listed",
    "read_evaluation",
    "read_log",
    "read_optional",
    "read_record",
    "read_samples",
    "read_whole_log",
]
