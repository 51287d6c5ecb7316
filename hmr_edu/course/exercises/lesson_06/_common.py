"""A helper that the checks of lesson 06 share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hmr_edu.course.check import Mismatch, described, shaped


def as_list(result: Any, like: list[Tensor]) -> list[Tensor]:
    """Return what the learner's function returned, a tensor like each of these, or fail."""
    if not isinstance(result, list | tuple) or len(result) != len(like):
        what = f"it returned {described(result)}, a list of {len(like)} is wanted"
        raise Mismatch(what, "return a list, a tensor for each")
    return [shaped(mine, one.shape) for mine, one in zip(result, like, strict=True)]
