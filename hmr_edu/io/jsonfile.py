"""JSON files: written whole or not at all; every problem of reading is one clear error."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import atomic_write, check_input


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file: UTF-8, or UTF-16 or 32; a byte-order mark is allowed.

    Raises FileNotFoundError that says `what` is missing, DataError when the file is not JSON, and
    when an object has a key twice: Python would drop the first value in silence.
    """
    check_input(path, what)
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:  # not JSON, not text, nested without end
        raise DataError(f"{path}: not JSON ({first_meaning(error)})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raise DataError that names a key that it has twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        # Counted at once: to look for each of 10,000 keys among all takes seconds.
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise DataError(f"the key {twice!r:.60} stands twice in one object: only one value counts")
    return content


def write_json(path: str | Path, value: Any, indent: int = 2) -> None:
    """Write JSON, whole or not at all.

    Raises ValueError on NaN, which JSON cannot express.
    """
    text = json.dumps(value, indent=indent, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
