"""Functions that numba compiles to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile on first use; cache the machine code beside its file or in the user's cache.

    Put `no_type_check` below it, so that run-time type checkers do not wrap the function.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(function, cache=True, **options)
    except RuntimeError:  # no writable folder for the cache: every process compiles for itself
        return njit(function, **options)
