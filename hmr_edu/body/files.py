"""Body files: one npz of plain arrays, small on disk, dense and checked in memory.

Only arrays are read, and nothing in a file is executed. The format is that of SMPL (same names,
same shapes, any number of vertices), so `smplx` takes the same arrays. SMPL's own files are read by
`hmr_edu.body.official`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from hmr_edu.body.data import BodyData, as_stored, check_arrays, check_shapes
from hmr_edu.body.official import is_official, read_official
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, check_input
from hmr_edu.io.npz import Header, read_arrays

FORMAT = "hmr_edu body 1"
ASSETS = Path(__file__).parent / "assets"
SHIPPED = ("lite", "full")

# Half precision changes vertices by about 0.02 mm here, and halves the file.
HALF_ON_DISK = ("shapedirs", "posedirs")
# Shape spaces that differ by less, in metres, are the same.
SAME = 1e-4


def _check_header(headers: Mapping[str, Header]) -> None:
    """Raise DataError where the arrays cannot be a body's; nothing has been unpacked yet."""
    if headers["format"].shape or headers["format"].dtype.kind != "U":
        raise DataError(f"not a body file (its `format` is not {FORMAT!r})")
    check_shapes(headers)


def save_body(path: str | Path, body: BodyData, exact: bool = False) -> None:
    """Write a body file; equal arrays always give equal bytes.

    `exact` keeps float32 where half precision would do.
    """
    arrays = {f.name: getattr(body, f.name) for f in fields(BodyData)}
    check_arrays(arrays)
    for name in () if exact else HALF_ON_DISK:
        arrays[name] = arrays[name].astype(np.float16)
    index = np.uint16 if len(body.v_template) <= 2**16 else np.int32
    arrays["faces"] = body.faces.astype(index)
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, format=np.array(FORMAT), **arrays)


def read_body(name_or_path: str | Path) -> BodyData:
    """Read a shipped body ("lite", "full"), a body file, or a file of SMPL's.

    Raises FileNotFoundError when there is none, DataError when it is not a body file. Which files
    of SMPL's are read, `hmr_edu.body.official` says.
    """
    path = ASSETS / f"{name_or_path}.npz" if name_or_path in SHIPPED else Path(name_or_path)
    try:
        check_input(path, "body file")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; shipped bodies: {', '.join(SHIPPED)}") from None
    if is_official(path):
        return read_official(path).body
    names = [f.name for f in fields(BodyData)]
    raw = read_arrays(path, ("format", *names), check=_check_header)
    if str(raw["format"]) != FORMAT:
        raise DataError(f"{path}: not a body file (its `format` is not {FORMAT!r})")
    try:
        arrays = {name: as_stored(name, raw[name]) for name in names}
        check_arrays(arrays)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return BodyData(**arrays)


def same_shapes(first: str | Path, second: str | Path) -> bool:
    """Return whether betas mean the same shape in two bodies, given by name or file.

    The shipped bodies share one shape space. Where the first file is gone, the second is believed
    to be its copy. Raises as `read_body` on the second.
    """
    if str(first) == str(second) or {str(first), str(second)} <= set(SHIPPED):
        return True
    dirs = read_body(second).shapedirs
    try:
        known = read_body(first).shapedirs
    except FileNotFoundError:
        return True
    # Half precision on disk moves them by less.
    return known.shape == dirs.shape and bool(np.allclose(known, dirs, rtol=0, atol=SAME))
