"""What `pickles.py` puts in the place of the objects that a pickle names: it only keeps the values.

Nothing here runs what a file says. A value that stands often counts as often as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from hmr_edu.io.errors import DataError
from hmr_edu.io.schema import shown

# Types of the elements of an array: numbers, booleans, text, bytes, and Python's own objects.
KINDS = "biufUSO"
# The deepest nesting of values; Python's own limit is a little lower than this needs.
DEEPEST = 100
# Lists of twice the same list, thirty deep, are a thousand million values once an array is made of
# them. Honest files have fewer values than bytes.
MOST = 2**24


class DType:
    """The type of an array's elements, by name; replaces `numpy.dtype`."""

    def __init__(self, name: Any, *_: Any) -> None:
        dtype = np.dtype(name) if isinstance(name, str) else None
        if dtype is None or dtype.fields or dtype.subdtype or dtype.kind not in KINDS:
            said = shown(name) if isinstance(name, str) else type(name).__name__
            raise DataError(f"an array of {said}, which is no type of numbers or text")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class Array:
    """An array whose bytes follow; replaces `numpy.ndarray`."""

    value: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.value = make_array(content, dtype, shape, "F" if fortran else "C")


def make_array(content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    """Return an array of the file's bytes; its size is that of its bytes."""
    if not isinstance(dtype, DType) or order not in ("C", "F"):
        raise DataError("an array without a type")
    sizes = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not sizes:
        raise DataError("an array whose shape is not whole numbers")
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


def make_scalar(dtype: Any, content: Any = b"") -> Any:
    """Return a single number or text of the file's bytes; replaces numpy's `scalar`."""
    return make_array(content, dtype, (1,), "C")[0]


def latin1(text: Any, encoding: Any = "latin1") -> bytes:
    """Return the bytes of a text, as Python's oldest formats write them."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataError("text in an encoding other than Latin-1")
    return text.encode("latin1")


class State:
    """An object of a known class: its attributes, as the file has them."""

    state: dict[str, Any]

    def __new__(cls, *_: Any) -> State:
        """Make an object without attributes; pickles make theirs without `__init__`."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.state.update(part)


class Inert(State):
    """What a file makes of anything that it names: only the values that it would be made of.

    A subclass has the list of all that were made, also of those that the file throws away again.
    """

    made: ClassVar[list[Any]]

    def __new__(cls, *args: Any) -> Inert:
        """Keep the arguments; nothing is made of them."""
        self: Any = super().__new__(cls)
        self.state = {"parts": [args]}
        cls.made.append(self)
        return self

    def __setstate__(self, state: Any) -> None:
        self.state["parts"].append(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.state["parts"].append((key, value))


class Chumpy(State):
    """An array of chumpy: `x`, or the chosen numbers of another one."""


class Sparse(State):
    """A sparse matrix of scipy; the subclass says which way it is compressed."""

    kind: Callable[..., Any] = sparse.csc_matrix


class SparseRows(Sparse):
    """A sparse matrix of scipy that is compressed by rows."""

    kind = sparse.csr_matrix


class Converter:
    """Replace the stand-ins by arrays, in containers too; each value once, however often it stands.

    Args:
        most: values that the result may have, each as often as it stands.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.count = most, 0
        # What a value became; the value is kept, so that no other gets its id.
        self.done: dict[int, tuple[Any, Any, int]] = {}
        self.above: list[int] = []

    def plain(self, value: Any) -> Any:
        """Return a value without stand-ins; DataError where it holds itself, or too much."""
        before = self.count
        self.count += value.size if isinstance(value, np.ndarray) else 1
        if id(value) in self.done:
            self.count += self.done[id(value)][2]
        if self.count > self.most:
            raise DataError(f"more than {self.most:,} values, each as often as it stands")
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            return value
        if not isinstance(
            value, dict | list | tuple | set | frozenset | Array | State | np.ndarray
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
        self.done[id(value)] = value, result, self.count - before
        return result

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Array):
            if not hasattr(value, "value"):
                raise DataError("an array without its bytes")
            return self.plain(value.value)
        if isinstance(value, Chumpy):
            return self._chumpy(value.state)
        if isinstance(value, Sparse):
            return self._sparse(value)
        if isinstance(value, State):
            return self.plain(value.state)
        if isinstance(value, np.ndarray):
            return make_array([self.plain(v) for v in value.ravel()], DType("O"), value.shape, "C")
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

    def _sparse(self, matrix: Sparse) -> Any:
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
