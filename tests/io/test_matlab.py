"""MATLAB's files: what scipy trusts without a look is checked before."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from hmr_edu.io.errors import DataError
from hmr_edu.io.matlab import read_matlab

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
DOUBLE, TEXT, CELLS, STRUCTURES, SPARSE = 6, 4, 1, 2, 5


def part(kind, content):
    """A part of a file: its tag, its bytes, and zeros up to a multiple of eight."""
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def value(kind, shape, *parts, name=b""):
    """A matrix of a class."""
    sizes = part(5, np.array(shape, "<i4").tobytes())
    return part(14, part(6, struct.pack("<II", kind, 0)) + sizes + part(1, name) + b"".join(parts))


def joints(kind, shape, *parts):
    """A file with one variable."""
    return HEADER + value(kind, shape, *parts, name=b"joints")


NUMBER = part(9, struct.pack("<d", 2.5))
ONE = value(DOUBLE, (1, 1), NUMBER)
HOSTILE = {
    "numbers of no type": joints(DOUBLE, (1, 1), part(29193, bytes(8))),
    "numbers of type 0": joints(DOUBLE, (1, 1), part(0, bytes(8))),
    "numbers of type 8": joints(DOUBLE, (1, 1), part(8, bytes(8))),
    "numbers that are a value": joints(DOUBLE, (1, 1), ONE),
    "small numbers of no type": joints(DOUBLE, (1, 1), struct.pack("<HHI", 95, 1, 0)),
    "a small part of 9 bytes": joints(DOUBLE, (1, 1), struct.pack("<HHI", 1, 9, 0)),
    "no numbers": joints(DOUBLE, (1, 1)),
    "no numbers, but another variable": joints(DOUBLE, (1, 1)) + part(14, b""),
    "a value that ends before its numbers": HEADER
    + value(DOUBLE, (1, 1), name=b"joints")
    + part(29193, bytes(8)),
    "numbers of no type in a cell": joints(
        CELLS, (1, 1), value(DOUBLE, (1, 1), part(100, bytes(8)))
    ),
    "a cell that is none": joints(CELLS, (1, 1), NUMBER),
    "cells that are not there": joints(CELLS, (2**15, 2**15), ONE),
    "a text of two billion letters": joints(TEXT, (1, 2**31 - 1), part(16, b"")),
    "a negative shape": joints(DOUBLE, (-1, 1), NUMBER),
    "no shape": joints(DOUBLE, (), NUMBER),
    "40 dimensions": joints(DOUBLE, (1,) * 40, NUMBER),
    "fields without a length": joints(
        STRUCTURES, (1, 1), part(5, struct.pack("<i", 0)), part(1, b"a"), ONE
    ),
    "a million fields": joints(
        STRUCTURES, (0, 0), part(5, struct.pack("<i", 1)), part(1, b"a" * 10**6)
    ),
    "600 million structures without fields": joints(
        STRUCTURES, (1, 600_000_000), part(5, struct.pack("<i", 1)), part(1, b"")
    ),
    "half of a sparse matrix": joints(SPARSE, (1, 1), part(5, bytes(4)), part(5, bytes(8))),
    "a function": joints(16, (1, 1), ONE),
    "version 4": b"MA\x00LAB" + joints(DOUBLE, (1, 1), NUMBER)[6:],
    "a million empty cells": HEADER
    + part(15, zlib.compress(joints(CELLS, (1000, 1000), bytes(8 * 10**6).replace(
        bytes(8), struct.pack("<II", 14, 0)
    ))[128:], 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_error(tmp_path, name):
    """scipy alone ends the process at the first of them, without a word."""
    path = tmp_path / "a.mat"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError, match=r"a\.mat: "):
        read_matlab(path, "joints", ["joints"])


@pytest.mark.parametrize("compressed", [False, True])
def test_all_kinds_of_values(tmp_path, compressed):
    from scipy import sparse

    made = {
        "numbers": np.arange(6.0).reshape(2, 3),
        "whole": np.arange(6, dtype=np.int16),
        "complex": np.ones(2) * 1j,
        "yes": np.array([True, False]),
        "text": "Bäume",
        "empty": "",
        "nothing": np.zeros((0, 3)),
        "cells": np.array([np.ones(2), "a", np.zeros((0, 0))], object),
        "deep": {"a": {"b": [1.0, {"c": "x"}]}, "d": np.eye(2)},
        "thin": sparse.csc_matrix(np.eye(3)),
    }
    savemat(tmp_path / "a.mat", made, do_compression=compressed)
    read = read_matlab(tmp_path / "a.mat", "values", list(made))
    np.testing.assert_array_equal(read["numbers"], made["numbers"])
    assert read["text"] == "Bäume"
    assert read["deep"]["a"]["b"][1].c == "x"
    assert read["thin"].shape == (3, 3)
    assert len(read["cells"]) == 3


def test_what_stands_beside_is_not_read(tmp_path):
    function = value(16, (1, 1), ONE, name=b"other")
    opaque = part(14, part(6, struct.pack("<II", 17, 0)) + part(1, b"x"))
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + function + opaque + joints(DOUBLE, (1, 1), NUMBER)[128:])
    assert read_matlab(path, "joints", ["joints"])["joints"] == 2.5
