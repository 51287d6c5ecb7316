"""A helper that the checks of lesson 08 share."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.exercises._common import DOUBLE


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers between 0 and 1, float64."""
    return torch.rand(*shape, generator=generator, dtype=DOUBLE)
