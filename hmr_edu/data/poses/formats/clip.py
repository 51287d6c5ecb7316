"""What every reader of motion returns: a clip of SMPL poses; and what its readers can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from hmr_edu.io.errors import DataError

POSE_SIZE = 72
# No joint rotates more than this. Larger numbers are degrees, or another layout.
LARGEST_ANGLE = 2 * np.pi + 1e-3

# Larger numbers are no angles, whatever their unit: rounding leaves nothing of them.
LARGEST_NUMBER = 1e6

Up = Literal["auto", "y", "z"]
Rest = Literal["zero", "first"]


@dataclass(frozen=True)
class Clip:
    """A recording: `poses` [T, 72], axis-angle radians, SMPL's joints, root first, Y up.

    A frame may hold NaN, which whoever uses the clip leaves out. `notes` say what looked odd.
    """

    name: str
    poses: Float[np.ndarray, "T 72"]
    fps: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a file does not say of itself.

    Args:
        up: the axis that points up in the file's world; "auto" finds it.
        rest: the skeleton's rest pose: all rotations zero, or the first frame.
        source_fps: frames a second, where the file has none.
        skeleton: the ASF file of AMC files; found beside them where it is None.
    """

    up: Up = "auto"
    rest: Rest = "zero"
    source_fps: float | int = 120.0
    skeleton: Path | None = None


def usable(numbers: Float[np.ndarray, "T C"]) -> Bool[np.ndarray, " T"]:
    """Return which rows hold numbers that can be angles, and nothing else."""
    return np.asarray((np.abs(numbers) <= LARGEST_NUMBER).all(1))


def check_angles(path: Path, poses: np.ndarray) -> None:
    """Raise DataError where numbers are too large for radians of axis-angle; NaN passes."""
    largest = np.nanmax(np.abs(poses)) if np.isfinite(poses).any() else 0.0
    if largest > LARGEST_ANGLE:
        raise DataError(
            f"{path}: `poses` reaches {largest:.6g}; radians of axis-angle are expected"
        )


def check_rate(path: Path, fps: float | int) -> float:
    """Return a frame rate; raise DataError where no camera has it."""
    if not 0.5 <= fps <= 10_000:
        # A whole number may be larger than every float.
        said = f"{fps:.6g}" if abs(fps) < 1e300 else "too many"
        raise DataError(f"{path}: {said} frames a second; from 0.5 to 10,000 are read")
    return float(fps)
