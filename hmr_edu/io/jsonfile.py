"""JSON files: written whole or not at all; every problem of reading is one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import atomic_write, check_input


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file.

    Raises FileNotFoundError that says `what` is missing, DataError when the file is not JSON.
    """
    check_input(path, what)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not JSON, not text, nested without end
        raise DataError(f"{path}: not JSON ({first_meaning(error)})") from None


def write_json(path: str | Path, value: Any, indent: int = 2) -> None:
    """Write JSON, whole or not at all.

    Raises ValueError on NaN, which JSON cannot express.
    """
    text = json.dumps(value, indent=indent, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
