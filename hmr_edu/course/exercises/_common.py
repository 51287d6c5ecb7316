"""Helpers that checks of several lessons share: float64 numbers, random inputs, counts."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, inputs
from hmr_edu.course.questions import called

DOUBLE = torch.float64


def tensor(values: Any) -> Tensor:
    """Return the values as a float64 tensor."""
    return torch.as_tensor(values, dtype=DOUBLE)


def normal(seed: int, *shape: int) -> Tensor:
    """Draw normal numbers, float64: another draw for every student."""
    return draw(inputs(seed), *shape)


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw normal numbers from a generator, float64."""
    return torch.randn(shape, generator=generator, dtype=DOUBLE)


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers between 0 and 1 from a generator, float64."""
    return torch.rand(shape, generator=generator, dtype=DOUBLE)


def random_rotations(seed: int, number: int, spread: float) -> Tensor:
    """Draw rotations [number, 3, 3] by SciPy; `spread` scales their vectors, in radians."""
    vectors = spread * normal(seed, number, 3).numpy()
    return torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix())


def two_values(check: Check, *arguments: Any, by: FunctionType = called) -> tuple[Any, Any]:
    """Call the learner's function, which is to return a tuple of two."""
    result = check.call(*arguments, by=by)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mismatch(f"it returned {type(result).__name__}", "return two values")
    return result


def compare_counts(got: Any, want: int, mistakes: Mapping[str, int], case: str) -> None:
    """Fail unless the int `got` is `want`; `mistakes` maps a hint to the count that it explains."""
    if isinstance(got, bool) or not isinstance(got, int):
        raise Mismatch(f"it returned {type(got).__name__}, an int is wanted")
    if got != want:
        hint = next((text for text, count in mistakes.items() if got == count), "")
        raise Mismatch(f"{case}: {got:,}, wanted {want:,}", hint)
