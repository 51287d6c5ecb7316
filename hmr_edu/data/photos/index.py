"""The index of a data set: its `PeopleTable` in files that open at once, whatever their size.

Reading COCO's annotations takes seconds and much memory. This is done once: the table's arrays are
written into the user's cache, and later mapped into memory, where processes share them. An index
belongs to the very files that it was made from, and to the reader: when the module of the reader or
one of the files changes it is made again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.io.jsonfile import read_json, write_json

# To be raised when what the readers share changes: older indices are then made again.
VERSION = 1
# Smaller data sets are read as fast as their index.
SMALLEST = 2000
FACTS = "facts.json"


def cache_folder() -> Path:
    """Return the folder of indices: $HMR_EDU_CACHE, or `hmr_edu` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HMR_EDU_CACHE") or Path(home) / "hmr_edu").expanduser()


def indexed(
    name: str,
    layout: Layout,
    read: Callable[[], PeopleTable],
    reader: Callable[..., Any],
) -> PeopleTable:
    """Return a data set's table from its index; read it, and write the index, if there is none.

    Where the cache cannot be written the table stays in memory.

    Args:
        name: of the data set.
        layout: its files.
        read: returns the table.
        reader: the function behind `read` whose code the index depends on.
    """
    folder = cache_folder() / "people" / f"{name}-{_key(name, layout, reader)}"
    table = open_index(folder)
    if table is None:
        table = read()
        if len(table) >= SMALLEST:
            _try_to_write(folder, table)
            table = open_index(folder) or table
    return table


def open_index(folder: Path) -> PeopleTable | None:
    """Open an index; None where there is none, or where it is damaged."""
    try:
        facts = read_json(folder / FACTS, "index")
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in facts["arrays"]
        }
        table = PeopleTable(folder=Path(facts["folder"]), left_out=facts["left_out"], **arrays)
        rows = {len(array) for array in table.arrays().values()}
        return table if rows == {facts["people"]} else None
    except Exception:  # a damaged array fails in numpy or Python's tokenizer, each in its own way
        return None


def write_index(folder: Path, table: PeopleTable) -> None:
    """Write a table as an index, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        arrays = {
            entry.name: value
            for entry in fields(table)
            if isinstance(value := getattr(table, entry.name), np.ndarray)
        }
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        facts = {
            "folder": str(table.folder.absolute()),
            "left_out": dict(table.left_out),
            "people": len(table),
            "arrays": list(arrays),
        }
        write_json(temporary / FACTS, facts)
        if folder.exists():  # damaged, or another process was faster
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _try_to_write(folder: Path, table: PeopleTable) -> None:
    try:
        check_folder(folder)
        write_index(folder, table)
    except (OSError, DataError):  # a read-only or full disk: the table is in memory
        return


def source_of(reader: Callable[..., Any]) -> str:
    """Return the text of the module that defines a reader, or of the reader alone in a notebook.

    Empty where there is none, as for what was typed into a terminal.
    """
    while isinstance(reader, partial):
        reader = reader.func
    reader = inspect.unwrap(reader)
    for part in (sys.modules.get(getattr(reader, "__module__", None) or ""), reader):
        try:
            return inspect.getsource(cast("Any", part))
        except (OSError, TypeError):  # no file; or no module, nor a function of Python
            continue
    return ""


def _key(name: str, layout: Layout, reader: Callable[..., Any]) -> str:
    """Return a name for the state of a data set's files and of its reader."""
    facts: list[Any] = [VERSION, name, str(layout.pictures.absolute()), layout.part]
    facts.append(source_of(reader))
    for file in (*layout.annotations, *layout.beside):
        state = file.stat()
        facts.append([str(file.absolute()), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
