"""Read the pickles of data sets and bodies; nothing in a file is executed.

A pickle is a program: Python's own reader calls whatever the file names. This reader knows a short
list of names, and for each of them a class or function of this file that only keeps the values.
Everything else is refused. Arrays of chumpy, which no longer installs, become plain arrays.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.pickled import (
    MOST,
    Array,
    Chumpy,
    Converter,
    DType,
    Inert,
    Sparse,
    SparseRows,
    State,
    latin1,
    make_array,
    make_scalar,
)

# Bytes of the largest file that is read, and numbers in all its arrays together.
LARGEST = 2**31
# The longest tuple that is a key; no tuple is in it.
LONGEST_KEY = 100


def read_pickle(path: str | Path, what: str) -> Any:
    """Read a pickle: numbers, text, lists, dicts, sets, numpy and chumpy arrays, sparse matrices.

    Text of Python 2 is read as Latin-1. Chumpy's arrays become numpy's.

    Raises FileNotFoundError that says `what` is missing, DataError that names the file when it is
    damaged, holds anything else, or holds itself.
    """
    path = check_input(path, what)
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"larger than {LARGEST:,} bytes")
        with path.open("rb") as file:
            return Converter(max(MOST, 4 * path.stat().st_size)).plain(_Reader(file).load())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    # A damaged pickle fails in any of Python's opcodes, each in its own way.
    except (Exception, RecursionError) as error:
        reason = first_meaning(error)
        raise DataError(f"{path}: damaged, or not a pickle of {what} ({reason})") from None


def read_pickled_array(file: Any) -> np.ndarray:
    """Read an array of text that numpy pickled into an npz; the file stands after its header.

    Raises DataError on everything else; a damaged pickle fails in other ways too.
    """
    array = Converter().plain(_Reader(file).load())
    if not isinstance(array, np.ndarray):
        raise DataError("an array of objects that is no array")
    return array


def check_pickle(file: Any) -> None:
    """Read a pickle from an open file without making what it names; DataError where it has no end.

    Tuples of twice the same tuple take for ever to hash and to print: another reader, which looks
    at names only, does so. Keys may be text, numbers and flat tuples; all values together may be
    hardly more than the pickle has bytes, each counted as often as it stands. A damaged pickle
    fails in other ways too.
    """
    began, reader = file.tell(), _InertReader(file)
    values = [reader.load(), reader.kind.made]
    Converter(2**16 + 8 * (file.tell() - began)).plain(values)


def _known(module: str, name: str) -> Any:
    """Return what stands for a name in a file; None where it is not known."""
    package = module.partition(".")[0]
    if package == "numpy":
        return {
            "ndarray": Array,
            "dtype": DType,
            "_reconstruct": lambda *_: Array(),
            "_frombuffer": lambda content, dtype, shape, order: make_array(
                content, dtype, shape, order
            ),
            "scalar": make_scalar,
        }.get(name)
    if package == "scipy":
        columns, rows = name in ("csc_matrix", "csc_array"), name in ("csr_matrix", "csr_array")
        return Sparse if columns else SparseRows if rows else None
    if package == "chumpy":
        return Chumpy
    if (module, name) == ("_codecs", "encode"):
        return latin1
    if module in ("copyreg", "copy_reg"):  # objects of Python's oldest format
        return {
            "_reconstructor": lambda kind, *_: kind(),
            "__newobj__": lambda kind, *args: kind(),
        }.get(name)
    if module in ("__builtin__", "builtins"):
        return {
            "set": lambda *values: set(*map(_checked, values)),
            "frozenset": lambda *values: frozenset(*map(_checked, values)),
            "object": State,
            "bytes": lambda: b"",
            "bytearray": lambda *values: latin1(*values) if values else b"",
        }.get(name)
    return None


# Python's slower reader: the fast one reserves as much memory as a damaged file asks for.
class _Reader(pickle._Unpickler):
    # Python's, of an open pickle.
    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    _build: Any = staticmethod(dispatch[pickle.BUILD[0]])

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="latin1")
        self.stack: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; DataError where nothing does."""
        if (known := _known(module, name)) is None:
            raise DataError(f"it asks to run {module}.{name}, which is no array: not read")
        return known

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to other files."""
        raise DataError("it refers to another file")

    def load_bytearray8(self) -> None:
        """Read bytes before a place is made for them: a file of ten bytes may say a terabyte."""
        (size,) = struct.unpack("<Q", self.read(8))
        if size > LARGEST:
            raise DataError(f"larger than {LARGEST:,} bytes")
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_build(self) -> None:
        """Give an object its state: only to those that are made for it, never to a function."""
        if not isinstance(self.stack[-2], Array | DType | State):
            raise DataError("it changes what is no array")
        self._build(self)

    dispatch[pickle.BUILD[0]] = load_build


class _InertReader(_Reader):
    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.kind = type("Kind", (Inert,), {"made": []})

    def find_class(self, module: str, name: str) -> Any:
        return self.kind

    def persistent_load(self, pid: Any) -> Any:
        return self.kind(pid)


def _checked(keys: Iterable[Any]) -> list[Any]:
    """Return keys; DataError on one that takes for ever to hash: a tuple may hold one twice."""
    keys = list(keys)
    for key in keys:
        if isinstance(key, tuple) and (
            len(key) > LONGEST_KEY or any(isinstance(part, tuple) for part in key)
        ):
            raise DataError("a key that is neither text nor a number")
    return keys


def _with_keys(load: Callable[[Any], None], keys: slice) -> Callable[[Any], None]:
    """Return the reader of an opcode that looks at the keys on the stack first."""

    def checked(reader: Any) -> None:
        _checked(reader.stack[keys])
        load(reader)

    return checked


for _opcode, _keys in {
    pickle.SETITEM: slice(-2, -1),
    pickle.SETITEMS: slice(0, None, 2),
    pickle.DICT: slice(0, None, 2),
    pickle.ADDITEMS: slice(None),
    pickle.FROZENSET: slice(None),
}.items():
    _Reader.dispatch[_opcode[0]] = _with_keys(_Reader.dispatch[_opcode[0]], _keys)
