"""Read the pickles of data sets and bodies; nothing in a file is executed.

A pickle is a program: Python's own reader calls whatever the file names. This reader knows a short
list of names, and for each of them a class or function of this file that only keeps the values.
Everything else is refused. Arrays of chumpy, which no longer installs, become plain arrays.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input

# Bytes of the largest file that is read, and numbers in all its arrays together.
LARGEST = 2**31
# Types of the elements of an array: numbers, booleans, text, bytes, and Python's own objects.
KINDS = "biufUSO"
# The deepest nesting of values; Python's own limit is a little lower than this needs.
DEEPEST = 100


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
            return _Converter().plain(_Reader(file).load())
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
    array = _Converter().plain(_Reader(file).load())
    if not isinstance(array, np.ndarray):
        raise DataError("an array of objects that is no array")
    return array


class _DType:
    """The type of an array's elements, by name; replaces `numpy.dtype`."""

    def __init__(self, name: Any, *_: Any) -> None:
        dtype = np.dtype(name) if isinstance(name, str) else None
        if dtype is None or dtype.fields or dtype.subdtype or dtype.kind not in KINDS:
            raise DataError(f"an array of {name!r:.60}, which is no type of numbers or text")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array whose bytes follow; replaces `numpy.ndarray`."""

    value: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    """Return an array of the file's bytes; its size is that of its bytes."""
    if not isinstance(dtype, _DType) or order not in ("C", "F"):
        raise DataError("an array without a type")
    sizes = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not sizes:
        raise DataError(f"an array of shape {shape!r:.60}")
    if dtype.dtype.kind == "O":
        if not isinstance(content, list) or math.prod(shape) != len(content):
            raise DataError(f"an array of shape {shape} without its values")
        array = np.empty(len(content), object)
        for index, value in enumerate(content):
            array[index] = value
        return array.reshape(shape, order=order)
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin1")
    content = bytes(content)
    if len(content) != math.prod(shape) * dtype.dtype.itemsize:
        raise DataError(f"{len(content)} bytes for an array of {dtype.dtype} {shape}")
    return np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


def _scalar(dtype: Any, content: Any = b"") -> Any:
    return _array(content, dtype, (1,), "C")[0]


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataError(f"text in the encoding {encoding!r:.60}")
    return text.encode("latin1")


class _State:
    """An object of a known class: its attributes, as the file has them."""

    state: dict[str, Any]

    def __new__(cls, *_: Any) -> _State:
        """Make an object without attributes; pickles make theirs without `__init__`."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.state.update(part)


class _Chumpy(_State):
    """An array of chumpy: `x`, or the chosen numbers of another one."""


class _Sparse(_State):
    """A sparse matrix of scipy; the subclass says which way it is compressed."""

    kind: Callable[..., Any] = sparse.csc_matrix


class _SparseRows(_Sparse):
    kind = sparse.csr_matrix


def _known(module: str, name: str) -> Any:
    """Return what stands for a name in a file; None where it is not known."""
    package = module.partition(".")[0]
    if package == "numpy":
        return {
            "ndarray": _Array,
            "dtype": _DType,
            "_reconstruct": lambda *_: _Array(),
            "_frombuffer": lambda content, dtype, shape, order: _array(
                content, dtype, shape, order
            ),
            "scalar": _scalar,
        }.get(name)
    if package == "scipy":
        columns, rows = name in ("csc_matrix", "csc_array"), name in ("csr_matrix", "csr_array")
        return _Sparse if columns else _SparseRows if rows else None
    if package == "chumpy":
        return _Chumpy
    if (module, name) == ("_codecs", "encode"):
        return _latin1
    if module in ("copyreg", "copy_reg"):  # objects of Python's oldest format
        return {
            "_reconstructor": lambda kind, *_: kind(),
            "__newobj__": lambda kind, *args: kind(),
        }.get(name)
    if module in ("__builtin__", "builtins"):
        return {
            "set": lambda *values: set(*values),
            "frozenset": lambda *values: frozenset(*values),
            "object": _State,
            "bytes": lambda: b"",
            "bytearray": lambda *values: _latin1(*values) if values else b"",
        }.get(name)
    return None


# Python's slower reader: the fast one reserves as much memory as a damaged file asks for.
class _Reader(pickle._Unpickler):
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

    def load_build(self) -> None:
        """Give an object its state: only to those that are made for it, never to a function."""
        if not isinstance(self.stack[-2], _Array | _DType | _State):
            raise DataError("it changes what is no array")
        self._build(self)

    dispatch[pickle.BUILD[0]] = load_build


class _Converter:
    """Replace the stand-ins by arrays, in containers too; each value once, however often it stands.

    Lists of twice the same list, thirty deep, would else be a thousand million lists.
    """

    def __init__(self) -> None:
        # What a value became; the value is kept, so that no other gets its id.
        self.done: dict[int, tuple[Any, Any]] = {}
        self.above: list[int] = []

    def plain(self, value: Any) -> Any:
        """Return a value without stand-ins; DataError where it holds itself."""
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            return value
        if not isinstance(
            value, dict | list | tuple | set | frozenset | _Array | _State | np.ndarray
        ):
            return value
        if id(value) in self.done:
            return self.done[id(value)][1]
        if id(value) in self.above:
            raise DataError("a value that holds itself")
        if len(self.above) > DEEPEST:
            raise DataError(f"values nested deeper than {DEEPEST}")
        self.above.append(id(value))
        result = self._convert(value)
        self.above.pop()
        self.done[id(value)] = value, result
        return result

    def _convert(self, value: Any) -> Any:
        if isinstance(value, _Array):
            if not hasattr(value, "value"):
                raise DataError("an array without its bytes")
            return self.plain(value.value)
        if isinstance(value, _Chumpy):
            return self._chumpy(value.state)
        if isinstance(value, _Sparse):
            return self._sparse(value)
        if isinstance(value, _State):
            return self.plain(value.state)
        if isinstance(value, np.ndarray):
            return _array([self.plain(v) for v in value.ravel()], _DType("O"), value.shape, "C")
        if isinstance(value, dict):
            return {self.plain(k): self.plain(v) for k, v in value.items()}
        return type(value)(self.plain(v) for v in value)

    def _chumpy(self, state: dict[str, Any]) -> np.ndarray:
        """Return the numbers of an array of chumpy, as `Ch.r` and `reordering.Select.r` do."""
        if "x" in state:
            return np.asarray(self.plain(state["x"]))
        if {"a", "idxs"} <= state.keys():
            numbers = np.asarray(self.plain(state["a"])).ravel()
            chosen = np.asarray(self.plain(state["idxs"]))
            shape = self.plain(state.get("preferred_shape", chosen.shape))
            return numbers[chosen].reshape(tuple(np.atleast_1d(shape)))
        raise DataError(f"an expression of chumpy with {', '.join(map(str, state)) or 'nothing'}")

    def _sparse(self, matrix: _Sparse) -> Any:
        """Return a sparse matrix, checked: scipy itself trusts its indices."""
        state = {str(key): self.plain(value) for key, value in matrix.state.items()}
        try:
            parts = tuple(np.asarray(state[key]) for key in ("data", "indices", "indptr"))
            rows, columns = (int(n) for n in state.get("_shape", state.get("shape", ())))
        except (KeyError, TypeError, ValueError):
            raise DataError("a sparse matrix without its data, indices or shape") from None
        whole = matrix.kind(parts, shape=(rows, columns))
        whole.check_format(full_check=True)
        return whole
