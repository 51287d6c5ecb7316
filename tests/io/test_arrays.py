"""Arrays of a file's lists: numbers and nothing else."""

import resource

import numpy as np
import pytest

from hmr_edu.io.arrays import as_numbers
from hmr_edu.io.errors import DataError


@pytest.mark.parametrize(
    "value", [[1, 2], [[1.5, 2], [3, True]], [np.ones(2), np.zeros(2)], 7, [], (1, np.int8(2))]
)
def test_numbers_are_an_array(value):
    np.testing.assert_array_equal(as_numbers(value, "it"), np.array(value))


@pytest.mark.parametrize(
    "value", ["word", [1, "2"], [None], [{}], [[1, 2], [3]], [np.array(["a"])], [b"a"]]
)
def test_anything_else_is_named(value):
    with pytest.raises(DataError, match=r"^it "):
        as_numbers(value, "it")


def test_texts_take_no_memory():
    """As an array each would take as many bytes as the longest: ten gigabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="must hold numbers, not str"):
        as_numbers(["a" * 50_000] + [""] * 50_000, "it")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
