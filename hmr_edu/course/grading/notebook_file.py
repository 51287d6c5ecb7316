"""Reading a notebook by a stranger: whatever of it is a notebook, cell by cell."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from hmr_edu.io.errors import DataError, first_meaning

LARGEST = 100 * 2**20  # bytes
MOST_TEXT = 5 * 2**20  # characters of all cells; a lesson has a hundredth of that
MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any version. Raises DataError that says what it is instead.

    A cell that is damaged costs itself only. Outputs are left out.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise DataError(f"has {size / 2**20:,.0f} MiB, more than {LARGEST // 2**20}: clear outputs")
    text = _text(path.read_bytes())
    try:
        content = json.loads(text)
    except RecursionError:
        raise DataError("is no notebook: it is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"is no notebook: {_where(text, error)}") from None
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise DataError("is JSON, and no notebook: it has no cells")
    if "cells" not in content:
        return _older(text)
    return _whole(_objects(content["cells"]))


def _objects(cells: Any) -> list[Any]:
    """Return what may be cells; what else stands there is left out."""
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _whole(cells: Iterable[Any]) -> NotebookNode:
    notebook = new_notebook(cells=[_cell(cell) for cell in cells])
    if sum(len(cell.source) for cell in notebook.cells) > MOST_TEXT:
        raise DataError("holds more text than a whole course")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
    return notebook


def _text(data: bytes) -> str:
    if not data.strip():
        raise DataError("is empty")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("is no notebook: it is not text") from None


def _where(text: str, error: ValueError) -> str:
    if text.lstrip()[:1] == "<":
        return "it is a web page; save the notebook itself (File > Download)"
    line = getattr(error, "lineno", None)
    message = getattr(error, "msg", str(error))
    return f"no JSON in line {line} ({message})" if line else message


def _older(text: str) -> NotebookNode:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, and of cells without a name
            cells = nbformat.reads(text, as_version=4)["cells"]
    except Exception as error:  # nbformat's converters have no kind of their own
        reason = first_meaning(error)
        raise DataError(f"is a notebook of an old kind that cannot be read: {reason}") from error
    return _whole(_objects(cells))


def _cell(cell: Any) -> NotebookNode:
    kind, source = cell.get("cell_type"), cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    metadata = cell.get("metadata")
    made = MAKE.get(kind if isinstance(kind, str) else "raw", new_raw_cell)(
        _printable(source if isinstance(source, str) else "")
    )
    if isinstance(metadata, dict):
        tags = metadata.get("tags")
        if isinstance(tags, list):
            # nbformat takes each tag once, and none that is empty or holds a comma.
            sound = [_printable(tag) for tag in tags if isinstance(tag, str) and "," not in tag]
            made.metadata["tags"] = [tag for tag in dict.fromkeys(sound) if tag]
        about = metadata.get("nbgrader")
        if isinstance(about, dict) and isinstance(about.get("grade_id"), str):
            made.metadata["nbgrader"] = NotebookNode(grade_id=_printable(about["grade_id"]))
    return made


def _printable(text: str) -> str:
    r"""JSON may hold half a character, "\ud800", which no file can."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
