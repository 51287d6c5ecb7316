"""The arrays of a body in SMPL's format, and what must hold for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float32, Int32

from hmr_edu.io.errors import DataError
from hmr_edu.io.npz import Header
from hmr_edu.keypoints import COCOPLUS, SMPL_PARENTS

# No vertex is farther from the origin, in metres: a body in other units is larger.
LARGEST = 1e4


@dataclass(frozen=True)
class BodyData:
    """The arrays of an SMPL-format body. Metres; Y up; facing +Z; its left is +X."""

    v_template: Float32[np.ndarray, "V 3"]
    faces: Int32[np.ndarray, "F 3"]
    shapedirs: Float32[np.ndarray, "V 3 10"]
    posedirs: Float32[np.ndarray, "V 3 207"]
    J_regressor: Float32[np.ndarray, "24 V"]
    weights: Float32[np.ndarray, "V 24"]
    parents: Int32[np.ndarray, "24"]
    keypoint_regressor: Float32[np.ndarray, "19 V"]


def check_shapes(arrays: Mapping[str, np.ndarray | Header]) -> tuple[int, int]:
    """Return the numbers of vertices and faces.

    Raises DataError that names the first array whose shape does not fit the others.
    """
    V, F = (a.shape[0] if (a := arrays[name]).ndim else 0 for name in ("v_template", "faces"))
    expected = {
        "v_template": (V, 3),
        "faces": (F, 3),
        "shapedirs": (V, 3, 10),
        "posedirs": (V, 3, 9 * (len(SMPL_PARENTS) - 1)),
        "J_regressor": (len(SMPL_PARENTS), V),
        "weights": (V, len(SMPL_PARENTS)),
        "parents": (len(SMPL_PARENTS),),
        "keypoint_regressor": (len(COCOPLUS), V),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise DataError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    return V, F


def check_arrays(arrays: dict[str, np.ndarray]) -> None:
    """Raise DataError that names the first array that does not fit the others."""
    V, F = check_shapes(arrays)
    for name in (f.name for f in fields(BodyData)):
        if not np.isfinite(arrays[name]).all():
            raise DataError(f"{name} holds NaN or infinite values")
    largest = np.abs(arrays["v_template"]).max(initial=0)
    if largest > LARGEST:
        raise DataError(f"v_template reaches {largest:.6g} metres, a body {LARGEST:g} at most")
    faces = arrays["faces"]
    if V < 4 or F < 4 or faces.min() < 0 or faces.max() >= V:
        raise DataError(f"faces must index the {V} vertices")
    if tuple(arrays["parents"].tolist()) != tuple(SMPL_PARENTS):
        raise DataError("parents is not SMPL's tree of 24 joints")
    for name in ("weights", "J_regressor", "keypoint_regressor"):
        sums = arrays[name].sum(1)
        if np.abs(sums - 1).max() > 1e-3:
            worst = sums[np.abs(sums - 1).argmax()]
            raise DataError(f"each row of {name} must sum to 1, one sums to {worst:.4f}")


def as_stored(name: str, array: np.ndarray) -> np.ndarray:
    """Convert an array to its type; raise DataError when that would change its meaning."""
    if name in ("faces", "parents"):
        if array.dtype.kind not in "iu":
            raise DataError(f"{name} must hold whole numbers, not {array.dtype}")
        if array.size and (array.max() > np.iinfo(np.int32).max or array.min() < -1):
            raise DataError(f"{name} holds numbers that index nothing")
        return array.astype(np.int32)
    if array.dtype.kind not in "fiu":
        raise DataError(f"{name} must hold real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # infinite then, and named by the check
        return array.astype(np.float32)
