"""SMPL's own files, of every vintage, read without chumpy; nothing in a file is executed.

| file | holds |
|---|---|
| `basicModel_{m,f,neutral}_lbs_10_207_0_v1.0.0.pkl` | arrays of chumpy, a sparse J_regressor |
| `SMPL_{NEUTRAL,MALE,FEMALE}.pkl`, v1.0 and v1.1, cleaned or not | the same, 10 or 300 betas |
| `neutral_smpl_with_cocoplus_reg.pkl` of HMR | the same, and `cocoplus_regressor` |
| `.txt` or `.json` of the PyTorch port of HMR | lists, both regressors transposed |
| `.npz` with SMPL's names | plain arrays |

Files of SMPL-H, SMPL-X, MANO, FLAME and STAR are named and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from hmr_edu.body.coco_plus import fit_coco_plus
from hmr_edu.body.data import BodyData, as_stored, check_arrays
from hmr_edu.io.arrays import as_numbers
from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.jsonfile import read_json
from hmr_edu.io.npz import array_names, read_arrays
from hmr_edu.io.pickles import read_pickle
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS, SMPL_PARENTS

# SMPL's names of the arrays; `faces` is another name of `f`.
NEEDED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
FACES, KEYPOINTS = ("f", "faces"), "cocoplus_regressor"
BETAS = 10
ENDINGS = {"pkl": (".pkl", ".pickle"), "JSON": (".txt", ".json"), "npz": (".npz",)}
# Bytes of a JSON file, and numbers of an array. SMPL's have 120 MB and 6.2 million (300 betas).
LARGEST_JSON, LARGEST_ARRAY = 2**28, 2**27
# The least span of a body in a unit, what makes it metres, and its name. Span of the largest body.
UNITS = ((300.0, 1e-3, "millimetres"), (30.0, 1e-2, "centimetres"), (0.3, 1.0, "metres"))
LARGEST_BODY = 3.0
# A regressor whose rows sum to less or more than one by this much is divided by its sums.
SUM_ERROR = 0.2

WHERE = "SMPL's own files are at https://smpl.is.tue.mpg.de"
# Other models of the family, by their number of joints, and what to do with them.
OTHERS = {
    52: f"SMPL-H, with 52 joints; its first 22 are SMPL's, the body is not. {WHERE}",
    55: f"SMPL-X, with 55 joints and another mesh. {WHERE}; smplx converts fits",
    16: f"MANO, which is a hand. {WHERE}",
    5: f"FLAME, which is a head. {WHERE}",
}


class OfficialBody(NamedTuple):
    """A body, and what is to be known of it, one line each."""

    body: BodyData
    facts: list[str]


def is_official(path: Path) -> bool:
    """Return whether a body file is of SMPL's making, by its name and the names of its arrays."""
    if path.suffix.lower() != ".npz":
        return True
    names = array_names(path)
    return "format" not in names and bool(names & {"f", "kintree_table"})


def read_official(path: str | Path) -> OfficialBody:
    """Read a file of SMPL's; of 300 betas the first 10.

    Raises FileNotFoundError when there is no such file. Raises DataError that names file and array
    when it is damaged, of another model, or no body.
    """
    path = check_input(path, "body file")
    content = _content(path)
    try:
        return _body(content)
    # The last one where no weights fit a joint.
    except (ValueError, ArithmeticError, RuntimeError) as error:
        raise DataError(f"{path}: {first_meaning(error)}") from None


def _content(path: Path) -> Mapping[Any, Any]:
    """Return what a file holds, by name."""
    ending = path.suffix.lower()
    if ending in ENDINGS["npz"]:
        names = array_names(path)
        faces = [name for name in FACES if name in names] or ["f"]
        return read_arrays(path, (*NEEDED, *faces[:1]), (KEYPOINTS,))
    if ending in ENDINGS["JSON"]:
        if path.stat().st_size > LARGEST_JSON:
            raise DataError(f"{path}: larger than {LARGEST_JSON:,} bytes, too large for a body")
        content = read_json(path, "body file")
    elif ending in ENDINGS["pkl"]:
        content = read_pickle(path, "a body")
    else:
        known = ", ".join(end for ends in ENDINGS.values() for end in ends)
        raise DataError(f"{path}: the name of a body file ends in {known}")
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: no SMPL body: {type(content).__name__}, not arrays by name")
    return content


def _body(content: Mapping[Any, Any]) -> OfficialBody:
    """Make the body of a file's content. Errors do not name the file."""
    _refuse_others(content)
    faces = next((name for name in FACES if name in content), FACES[0])
    for name in (*NEEDED, faces):
        if name not in content:
            held = ", ".join(str(key)[:40] for key in content) or "nothing"
            raise DataError(f"no SMPL body: the array {name!r} is missing (found: {held:.200})")
    raw = {name: dense(content[name], name) for name in (*NEEDED, faces)}
    V = len(raw["v_template"]) if raw["v_template"].ndim else 0
    facts = [f"SMPL, {V:,} vertices, {len(raw[faces]) if raw[faces].ndim else 0:,} faces"]

    shapedirs = raw["shapedirs"]
    if shapedirs.ndim == 3:
        if shapedirs.shape[2] < BETAS:
            raise DataError(f"shapedirs has {shapedirs.shape[2]} betas, HMR's body {BETAS}")
        count = shapedirs.shape[2]
        facts.append(f"{BETAS} betas" + (f", the first of {count}" if count > BETAS else ""))
        shapedirs = shapedirs[:, :, :BETAS]
    posedirs = raw["posedirs"]
    if posedirs.shape == (3 * V, 9 * (len(SMPL_PARENTS) - 1)):
        posedirs = posedirs.reshape(V, 3, -1)
    arrays = {
        "v_template": raw["v_template"],
        "faces": raw[faces],
        "shapedirs": shapedirs,
        "posedirs": posedirs,
        "J_regressor": _upright(raw["J_regressor"], len(SMPL_JOINTS), V),
        "weights": raw["weights"],
        "parents": _parents(raw["kintree_table"]),
        # Any, until it is known that the others fit each other.
        "keypoint_regressor": np.full((len(COCOPLUS), V), 1 / max(V, 1)),
    }
    arrays = {name: as_stored(name, array) for name, array in arrays.items()}
    check_arrays(arrays)
    facts.append(_to_metres(arrays))
    _check_axes(arrays)
    if KEYPOINTS in content:
        given = _upright(dense(content[KEYPOINTS], KEYPOINTS), len(COCOPLUS), V)
        regressor, how = _unit_rows(given)
    else:
        regressor, how = fit_coco_plus(arrays)
    arrays["keypoint_regressor"] = as_stored("keypoint_regressor", regressor)
    check_arrays(arrays)
    return OfficialBody(BodyData(**arrays), [*facts, f"keypoints: {how}"])


def dense(value: Any, name: str) -> np.ndarray:
    """Return an array of numbers: plain, sparse, or lists; raise DataError on anything else."""
    if sparse.issparse(value):
        if np.prod(value.shape, dtype=float) > LARGEST_ARRAY:
            raise DataError(f"{name} has shape {value.shape}, too large for a body")
        return np.asarray(value.todense())
    if not isinstance(value, np.ndarray):
        if not isinstance(value, list | tuple):
            raise DataError(f"{name} is no array but {type(value).__name__}")
        value = as_numbers(value, name)
    if value.dtype.kind not in "fiu":
        raise DataError(f"{name} must hold real numbers, not {value.dtype}")
    return value


def _refuse_others(content: Mapping[Any, Any]) -> None:
    """Raise DataError that names another model of the family."""
    if "kintree_table" not in content:
        return
    shape = dense(content["kintree_table"], "kintree_table").shape
    joints = shape[1] if len(shape) == 2 else len(SMPL_JOINTS)
    if joints in OTHERS:
        raise DataError(f"a body of {OTHERS[joints]}")
    if joints != len(SMPL_JOINTS):
        raise DataError(f"a tree of {joints} joints; SMPL has {len(SMPL_JOINTS)}. {WHERE}")
    posedirs = content.get("posedirs")
    if isinstance(posedirs, np.ndarray) and posedirs.shape[-1:] == (93,):
        raise DataError(f"a body of STAR, whose correctives are others. {WHERE}")


def _upright(regressor: np.ndarray, rows: int, V: int) -> np.ndarray:
    """Return a regressor with a row for each joint; the PyTorch port has columns."""
    return regressor.T if regressor.shape == (V, rows) and rows != V else regressor


def _parents(table: np.ndarray) -> np.ndarray:
    """Return the parents in a kintree_table; its root has -1 or 2**32 - 1."""
    if table.ndim != 2 or len(table) != 2 or table.dtype.kind not in "iuf":
        raise DataError(f"kintree_table has shape {table.shape}, expected (2, 24)")
    if not (table[1] == np.arange(table.shape[1])).all():
        raise DataError("kintree_table numbers the joints in another order than SMPL")
    parents = table[0].astype(np.float64)
    parents[(parents < 0) | (parents == 2**32 - 1)] = -1
    if not (np.isin(parents, np.arange(-1, table.shape[1]))).all():
        raise DataError("kintree_table names parents that are no joints")
    return parents.astype(np.int64)


def _to_metres(arrays: dict[str, np.ndarray]) -> str:
    """Turn the arrays into metres, in place; say which unit the file has."""
    size = float(np.ptp(arrays["v_template"], axis=0).max())
    fitting = [(factor, unit) for least, factor, unit in UNITS if size >= least]
    if not fitting or size * fitting[0][0] > LARGEST_BODY:
        raise DataError(f"v_template spans {size:.3g}: in no unit is that a body")
    factor, unit = fitting[0]
    for name in ("v_template", "shapedirs", "posedirs") if factor != 1 else ():
        arrays[name] = arrays[name] * np.float32(factor)
    height = np.ptp(arrays["v_template"][:, 1])
    return f"{height:.2f} m high at rest" + (f", in the file in {unit}" if factor != 1 else "")


def _check_axes(arrays: dict[str, np.ndarray]) -> None:
    """Raise DataError on a body that does not stand along Y with its left at +X."""
    joints = dict(zip(SMPL_JOINTS, arrays["J_regressor"] @ arrays["v_template"], strict=True))
    if not joints["head"][1] > joints["pelvis"][1] > joints["left_ankle"][1]:
        raise DataError("v_template does not stand upright: turn it so that Y points up")
    if not joints["left_wrist"][0] > joints["right_wrist"][0]:
        raise DataError("v_template has its left at -X: turn it so that it faces +Z")


def _unit_rows(regressor: np.ndarray) -> tuple[np.ndarray, str]:
    """Divide rows by their sums where these are nearly one; return where the rows are from."""
    origin = f"the file's {KEYPOINTS}"
    if regressor.ndim != 2:
        return regressor, origin
    sums = regressor.sum(1, dtype=np.float64, keepdims=True)
    error = np.abs(sums - 1).max(initial=0)
    if not 1e-6 < error < SUM_ERROR:
        return regressor, origin
    if error > 1e-3:
        origin += f", its rows divided by their sums ({sums.min():.3f} to {sums.max():.3f})"
    return regressor / sums, origin
