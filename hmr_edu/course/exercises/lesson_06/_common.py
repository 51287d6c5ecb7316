"""A helper that the checks of lesson 06 share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hmr_edu.course.check import Mismatch


def as_list(result: Any, length: int) -> list[Tensor]:
    """Return what the learner's function returned, a list or tuple of this length, or fail."""
    if not isinstance(result, list | tuple) or len(result) != length:
        raise Mismatch(f"it returned {type(result).__name__}", "return a list, a tensor for each")
    return list(result)
