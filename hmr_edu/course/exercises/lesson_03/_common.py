"""Helpers that the checks of lesson 03 share: points as far apart as a person's."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hmr_edu.course.check import require
from hmr_edu.course.exercises._common import normal, tensor

TIGHT = 1e-9


def people(batch: int, n: int, seed: int = 0) -> Tensor:
    """Draw points about as far apart as those of a person, metres [batch, n, 3]."""
    return normal(seed, batch, n, 3) * tensor([0.3, 0.6, 0.2])


def two_left(got: Any) -> Any:
    """Say of points that kept their depth that two coordinates are wanted."""
    three = isinstance(got, Tensor) and got.ndim == 3 and got.shape[-1] == 3
    require(
        not three, "three coordinates a point, two are wanted", "depth is gone: points[..., :2]"
    )
    return got
