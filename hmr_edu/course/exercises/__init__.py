"""One file for each exercise: its check, its points, the mistakes to expect.

`from hmr_edu.course.exercises import check_skew` loads `lesson_01/skew.py` and no other lesson.
`registry.py` says what such a file holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hmr_edu.course.exercises.registry import CHECK, find, modules
from hmr_edu.io.errors import DataError

__all__ = [CHECK + name for name in sorted(modules())]


def __getattr__(name: str) -> Callable[..., Any]:
    if not name.startswith(CHECK):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return find(name).check
    except DataError as error:
        raise ImportError(str(error), name=name) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
