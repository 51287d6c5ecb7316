"""Body files: one npz of plain arrays, small on disk, dense and checked in memory.

Only arrays are ever read: no pickle, nothing in a file is executed. The format is that of
SMPL (same names, same shapes, any number of vertices), so `smplx` can be given the same arrays.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from hmr_edu.errors import DataError
from hmr_edu.files import atomic_write
from hmr_edu.keypoints import COCOPLUS, SMPL_PARENTS

FORMAT = "hmr_edu body 1"
ASSETS = Path(__file__).parent / "assets"
SHIPPED = ("lite", "full")

# Half precision costs about 0.02 mm here and halves the file.
HALF_ON_DISK = ("shapedirs", "posedirs")


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

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together. Raises DataError naming the array."""
        V, F = len(self.v_template), len(self.faces)
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
            array = getattr(self, name)
            if array.shape != shape:
                raise DataError(f"{name} has shape {array.shape}, expected {shape}")
            if not np.isfinite(array).all():
                raise DataError(f"{name} holds NaN or infinite values")
        if V < 4 or F < 4 or self.faces.min() < 0 or self.faces.max() >= V:
            raise DataError(f"faces must index the {V} vertices")
        if tuple(self.parents.tolist()) != tuple(SMPL_PARENTS):
            raise DataError("parents is not SMPL's tree of 24 joints")
        for name, sums in (
            ("weights", self.weights.sum(1)),
            ("J_regressor", self.J_regressor.sum(1)),
            ("keypoint_regressor", self.keypoint_regressor.sum(1)),
        ):
            if np.abs(sums - 1).max() > 1e-3:
                raise DataError(f"each row of {name} must sum to 1, one sums to {sums.min():.4f}")


def save_body(path: str | Path, body: BodyData) -> None:
    """Write a body file; the same arrays always give the same bytes."""
    arrays = {f.name: getattr(body, f.name) for f in fields(BodyData)}
    for name in HALF_ON_DISK:
        arrays[name] = arrays[name].astype(np.float16)
    index = np.uint16 if len(body.v_template) <= 2**16 else np.int32
    arrays["faces"] = body.faces.astype(index)
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, format=np.array(FORMAT), **arrays)


def read_body(name_or_path: str | Path) -> BodyData:
    """Read a shipped body ("lite", "full") or a body file.

    Raises FileNotFoundError when there is none, DataError when it is not a body file.
    """
    if name_or_path in SHIPPED:
        path = ASSETS / f"{name_or_path}.npz"
    else:
        path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(f"no body file {path}; shipped bodies: {', '.join(SHIPPED)}")
    if path.suffix != ".npz":
        raise DataError(f"{path}: only .npz body files are read (see hmr_edu.body.save_body)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive.get("format")) != FORMAT:
                raise DataError(f"{path}: not a body file (its `format` is not {FORMAT!r})")
            arrays = {
                f.name: archive[f.name].astype(
                    np.int32 if f.name in ("faces", "parents") else np.float32
                )
                for f in fields(BodyData)
            }
        return BodyData(**arrays)
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None
    except KeyError as error:
        raise DataError(f"{path}: the array {error} is missing") from None
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged or not a body file ({error})") from None
