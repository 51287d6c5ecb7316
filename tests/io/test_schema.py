"""Types of records, by hand: what fits, what is said of what does not."""

import math
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from hmr_edu.io import DataError
from hmr_edu.io.ranges import Range
from hmr_edu.io.schema import check_type, shown


class Inner(TypedDict):
    count: Annotated[int, Range(0, 10)]
    note: NotRequired[str]


class Outer(TypedDict):
    inner: Inner
    numbers: dict[str, float | None]
    several: list[Inner]


class Loose(TypedDict, total=False):
    size: int


GOOD = {"inner": {"count": 3}, "numbers": {"a": 1, "b": None}, "several": [{"count": 1}]}


@pytest.mark.parametrize(
    ("annotation", "inside", "outside"),
    [
        (int, [0, -5, 10**400], [1.0, True, "1", None, math.nan]),
        (float, [0, 1.5, -3], [math.nan, math.inf, 10**400, True, "1", None]),
        (str, ["", "a"], [1, None, b"a"]),
        (bool, [True, False], [0, 1, "yes"]),
        (None, [None], [0, "", False]),
        (Any, [None, 1, []], []),
        (int | None, [1, None], [1.5, "a"]),
        (Literal["a", "b"], ["a"], ["c", None, ["a"]]),
        (list[int], [[], [1, 2]], [[1, "a"], (1,), None]),
        (dict[str, int], [{}, {"a": 1}], [{"a": None}, [], None, {1: 1}]),
        (dict[int, str], [{3: "a"}], [{"3": "a"}, {3: 3}]),
        (Annotated[float, Range(0, 1)], [0, 0.5, 1], [1.1, math.nan, "a", None]),
        (Loose, [{}, {"size": 1}, {"more": 1}], [{"size": "a"}, []]),
        (Outer, [GOOD, GOOD | {"more": 1}], [{}, [], {**GOOD, "inner": None}]),
    ],
)
def test_types_by_hand(annotation, inside, outside):
    for value in inside:
        check_type(value, annotation, "it")
    for value in outside:
        with pytest.raises(DataError, match=r"^it"):
            check_type(value, annotation, "it")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inner": {}}, "f.json: `inner`: `count` must be a whole number, between 0 and 10, not "),
        ({"inner": {"count": 11}}, "`count` must be a whole number, between 0 and 10, not 11"),
        ({"numbers": {"b": math.nan}}, "`numbers`: `b` must be a finite number or null, not nan"),
        ({"several": [{"count": 1}, 7]}, "`several`: entry 1 must be an object, not 7"),
        ({"several": [{"count": "\u2028"}]}, "`several`: entry 0: `count` must be a whole number"),
    ],
)
def test_the_place_and_the_wanted_are_named(change, words):
    with pytest.raises(DataError) as caught:
        check_type(GOOD | change, Outer, "f.json")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_values_are_shown_in_one_short_line():
    assert shown({"a": "x\ny" * 50}) == repr({"a": "x\ny" * 50})[:60] + " ..."
    assert shown(10**5000) == "a number without end"


def test_a_list_of_twice_the_same_list_is_shown_at_once():
    value = []
    for _ in range(60):
        value = [value, (value,), {"a": value}]
    assert len(shown(value)) < 70
    with pytest.raises(DataError, match="it must be an object, not "):
        check_type(value, Outer, "it")
