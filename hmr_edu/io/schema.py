"""Check a value from a JSON file against types, written as Python's own annotations.

A record is a TypedDict: `class Line(TypedDict): step: Annotated[int, Range(0)]`. It may hold more
than its fields, because later versions write more.
"""

from __future__ import annotations

import math
import reprlib
import types
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from hmr_edu.io.errors import DataError
from hmr_edu.io.ranges import Range

# How lists and objects are written: four levels, as many entries as there is place for.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 4, 20, 20, 20
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200
WORDS = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def check_type(value: Any, annotation: Any, where: str) -> None:
    """Raise DataError, which begins with `where`, when a value does not have a type.

    Known are int, float (finite; whole numbers too), str, bool, None, Any, Literal, unions, lists,
    dicts with text keys, TypedDicts, and numbers with a `Range`.
    """
    if not _fits(value, annotation):
        inner = _first_misfit(value, annotation)
        if inner is not None:
            key, part, wanted = inner
            check_type(part, wanted, f"{where}: {key}")
            return
        raise DataError(f"{where} must be {_words(annotation)}, not {shown(value)}")


def shown(value: Any, longest: int = 60) -> str:
    """Return a value as text for a message: one line, not long."""
    if isinstance(value, list | tuple | dict):
        # A list of twice the same list, thirty deep, has a text of gigabytes.
        text = _SHORT.repr(value)
    else:
        try:
            text = repr(value)
        except ValueError:  # Python writes no number of more than 4,300 digits
            return "a number without end"
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[:longest]} ..."


def _fits(value: Any, annotation: Any) -> bool:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return True
    if origin is Annotated:
        ranges = [extra for extra in arguments[1:] if isinstance(extra, Range)]
        return _fits(value, arguments[0]) and all(range_.allows(value) for range_ in ranges)
    if origin in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if is_typeddict(annotation):
        return isinstance(value, dict) and _first_misfit(value, annotation) is None
    if origin in (list, dict):
        return isinstance(value, origin) and _first_misfit(value, annotation) is None
    if annotation in (None, type(None)):
        return value is None
    if annotation is float:
        return _is_number(value) and _is_finite(value)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _first_misfit(value: Any, annotation: Any) -> tuple[str, Any, Any] | None:
    """Return the first part of a value that does not fit: its name, itself, its type."""
    arguments = get_args(annotation)
    parts: list[tuple[str, Any, Any]] = []
    if is_typeddict(annotation) and isinstance(value, dict):
        for name, wanted in get_type_hints(annotation, include_extras=True).items():
            optional = get_origin(wanted) is NotRequired
            needed = annotation.__total__ and not optional
            wanted = get_args(wanted)[0] if optional else wanted
            if name in value:
                parts.append((f"`{name}`", value[name], wanted))
            elif needed:
                return f"`{name}`", _MISSING, wanted
    elif get_origin(annotation) is list and isinstance(value, list):
        parts = [(f"entry {i}", part, arguments[0]) for i, part in enumerate(value)]
    elif get_origin(annotation) is dict and isinstance(value, Mapping):
        parts = [(f"the name {shown(key)}", key, arguments[0]) for key in value]
        parts += [(f"`{_name(key)}`", part, arguments[1]) for key, part in value.items()]
    return next((part for part in parts if not _fits(part[1], part[2])), None)


def _name(key: Any) -> str:
    return shown(key)[1:-1] if isinstance(key, str) else shown(key)


class _Missing:
    def __repr__(self) -> str:
        return "missing"


_MISSING = _Missing()


def _words(annotation: Any) -> str:
    """Say what a value of a type is."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = [str(extra) for extra in arguments[1:] if isinstance(extra, Range)]
        return ", ".join([_words(arguments[0]), *ranges])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if is_typeddict(annotation):
        return WORDS[dict]
    kind = origin or (type(None) if annotation is None else annotation)
    return WORDS.get(kind, str(kind))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float | int) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is larger than every float
        return False
