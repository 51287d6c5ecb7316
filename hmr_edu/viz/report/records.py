"""Read the records of a training run, which may be complete, partial or damaged.

A run may have been killed at any moment, so no file is required. Whatever is missing or unusable
becomes a sentence in `Run.notes`, and the rest is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from hmr_edu.io.errors import DataError
from hmr_edu.io.npz import read_arrays


class Step(NamedTuple):
    """One line of metrics.jsonl; a number that is not in the line is NaN."""

    step: int
    images: int
    seconds: float
    images_per_second: float
    learning_rate: float
    losses: dict[str, float]


class Samples(NamedTuple):
    """The same held-out people after `images_seen` training images."""

    images_seen: int
    images: UInt8[np.ndarray, "n height width 3"]
    theta: Float32[np.ndarray, "n steps 85"]
    true_theta: Float32[np.ndarray, "n 85"] | None
    true_keypoints2d: Float32[np.ndarray, "n 19 2"]
    visible: Bool[np.ndarray, "n 19"]


@dataclass
class Run:
    """The records of a run folder, and `notes` on what is missing."""

    path: Path
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    sample_files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


MISSING = {
    "config.json": "the options of the run are unknown",
    "environment.json": "versions and hardware are unknown",
    "metrics.jsonl": "there are no curves",
    "evaluation.json": "the run stopped before it was evaluated",
}


def read_run(path: str | Path) -> Run:
    """Read a run folder. Raises FileNotFoundError when there is no such folder."""
    run = Run(Path(path))
    if not run.path.is_dir():
        raise FileNotFoundError(f"no run folder {run.path}")
    run.config = _read_object(run, "config.json")
    run.environment = _read_object(run, "environment.json")
    run.evaluation = _read_object(run, "evaluation.json")
    run.steps = _read_steps(run)
    # Nine digits, so that the order of names is the order of time.
    run.sample_files = sorted((run.path / "samples").glob("[0-9]" * 9 + ".npz"))
    if not run.sample_files:
        run.notes.append("samples: no pictures were kept, so no bodies can be shown.")
    return run


def read_samples(path: Path) -> Samples:
    """Read one samples file. Raises DataError when it is damaged or its shapes do not fit."""
    arrays = read_arrays(path, ("images", "theta", "true_keypoints2d"), ("true_theta", "visible"))
    images, theta = arrays["images"], arrays["theta"]
    n = len(images) if images.ndim else 0
    # Photographs have no true theta; the oldest runs recorded no visibility.
    true_theta = arrays.get("true_theta", np.zeros((n, 85)))
    visible = arrays.get("visible", np.ones((n, 19), bool))
    fits = (
        n > 0
        and images.dtype == np.uint8
        and (images.ndim, images.shape[-1]) == (4, 3)
        and (theta.ndim, theta.shape[0], theta.shape[-1]) == (3, n, 85)
        and theta.shape[1] > 0
        and true_theta.shape == (n, 85)
        and arrays["true_keypoints2d"].shape == (n, 19, 2)
        and visible.shape == (n, 19)
    )
    if not fits:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise DataError(f"{path}: not the samples of a run ({shapes})")
    numbers = [a.astype(np.float32) for a in (theta, true_theta, arrays["true_keypoints2d"])]
    if not all(np.isfinite(array).all() for array in numbers):
        raise DataError(f"{path}: holds NaN or infinite values")
    theta, true_theta, keypoints2d = numbers
    known = true_theta if "true_theta" in arrays else None
    return Samples(int(path.stem), images, theta, known, keypoints2d, visible > 0)


def _read_text(run: Run, name: str) -> str | None:
    try:
        return (run.path / name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else f"unreadable ({error})"
        run.notes.append(f"{name} is {reason}: {MISSING[name]}.")
        return None


def _read_object(run: Run, name: str) -> dict[str, Any]:
    text = _read_text(run, name)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        run.notes.append(f"{name} is damaged ({error}): {MISSING[name]}.")
        return {}
    if not isinstance(value, dict):
        run.notes.append(f"{name} holds no JSON object: {MISSING[name]}.")
        return {}
    return value


def _read_steps(run: Run) -> list[Step]:
    lines = _read_text(run, "metrics.jsonl") or ""
    steps: list[Step] = []
    damaged: list[int] = []
    for number, line in enumerate(lines.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            step = _as_step(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            damaged.append(number)
            continue
        # A resumed run repeats the steps since its checkpoint: the later record counts.
        while steps and steps[-1].step >= step.step:
            steps.pop()
        steps.append(step)
    if damaged:
        numbers = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
        plural = "lines" if len(damaged) > 1 else "line"
        run.notes.append(f"metrics.jsonl: {plural} {numbers} damaged and left out.")
    return steps


def _as_step(record: dict[str, Any]) -> Step:
    nan = float("nan")
    return Step(
        step=int(record["step"]),
        images=int(record["images"]),
        seconds=float(record.get("seconds", nan)),
        images_per_second=float(record.get("images_per_second", nan)),
        learning_rate=float(record.get("learning_rate", nan)),
        losses={str(name): float(value) for name, value in record.get("losses", {}).items()},
    )
