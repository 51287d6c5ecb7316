"""Read npz files of plain arrays; every problem of a file is one clear error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmr_edu.io.errors import DataError


def read_arrays(
    path: str | Path, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read the named arrays of an npz file; nothing in the file is executed (no pickle).

    Raises FileNotFoundError when there is no such file, DataError (naming the file and the array)
    when it is not an npz, is cut short or damaged, or lacks a required array.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        # Opened here: np.load leaves a path's file open when the zip in it is damaged.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: a single array, not an npz archive of named arrays")
            missing = [key for key in required if key not in archive]
            if missing:
                held = ", ".join(archive.files) or "nothing"
                raise DataError(f"{path}: the array {missing[0]!r} is missing (found: {held})")
            return {key: archive[key] for key in (*required, *optional) if key in archive}
    except DataError:
        raise
    # A damaged file fails in zipfile, zlib, numpy or Python's own tokenizer, each in its own way.
    except Exception as error:
        raise DataError(f"{path}: damaged, or not an npz of plain arrays ({error})") from None
