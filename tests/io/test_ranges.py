"""Ranges of options: what they allow, how they are said."""

import math
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu.io import DataError
from hmr_edu.io.ranges import Count, Probability, Range, check_ranges


@pytest.mark.parametrize(
    ("range_", "inside", "outside", "words"),
    [
        (Range(1), [1, 1e9, None], [0, math.inf, math.nan], "1 or more"),
        (Range(0, open_low=True), [1e-9], [0, -1], "more than 0"),
        (Range(0, 1), [0, 0.5, 1], [-0.1, 1.1], "between 0 and 1"),
        (Range(0, 1, open_high=True), [0, 0.999], [1], "at least 0 and below 1"),
        (
            Range(0, ordered=True),
            [(0.1, 0.4), (1, 1)],
            [(0.4, 0.1), (-1, 2), (0, math.nan)],
            "two numbers, each 0 or more, the smaller first",
        ),
    ],
)
def test_ranges_by_hand(range_, inside, outside, words):
    assert all(range_.allows(value) for value in inside)
    assert not any(range_.allows(value) for value in outside)
    assert str(range_) == words


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_a_closed_range_is_an_interval(low, high, value):
    assert Range(low, high).allows(value) == (low <= value <= high)


@dataclass
class Inner:
    share: Probability = 0.5
    name: str = "anything"


@dataclass
class Outer:
    people: Count = 1
    minutes: Annotated[float | None, Range(0, open_low=True)] = None
    inner: Inner = field(default_factory=Inner)


def test_the_first_option_out_of_its_range_is_named():
    check_ranges(Outer())
    with pytest.raises(DataError, match=r"^people must be 1 or more, not 0$"):
        check_ranges(Outer(people=0))
    with pytest.raises(DataError, match=r"^inner\.share must be between 0 and 1, not 2\.0$"):
        check_ranges(Outer(inner=Inner(share=2.0)))
    with pytest.raises(DataError, match=r"^--minutes must be more than 0, not nan$"):
        check_ranges(Outer(minutes=math.nan), "--")
