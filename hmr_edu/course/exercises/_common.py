"""Helpers that checks of several lessons share: float64 numbers, random inputs, counts."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import (
    Check,
    Mismatch,
    compare,
    described,
    inputs,
    require,
    returned,
    several,
)
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


CUT = "a way back is cut: no .item(), .detach(), no_grad, torch.tensor(...) or NumPy on it"


def slopes_of(
    check: Check, arguments: list[Any], of: list[int], value: Tensor, tolerance: float
) -> list[Tensor]:
    """Return gradients of the sum of a result, or fail; see `questions.gradients`.

    That no gradient arrives says that a way is cut only where the values are right: where every
    part before passed.
    """
    depends, result, slopes = check.ask(questions.gradients, arguments, of, -1)
    compare(returned(result), value, tolerance)
    hint = CUT * all(part.passed for part in check.parts)
    require(depends, "it has no gradient", hint)
    require(None not in slopes, "a gradient is missing", hint)
    return slopes


def two_values(
    check: Check, *arguments: Any, names: str, by: FunctionType = called
) -> tuple[Any, Any]:
    """Call the learner's function, which is to return a tuple of two, called `names`."""
    one, other = several(check.call(*arguments, by=by), names)
    return one, other


def compare_counts(got: Any, want: int, mistakes: Mapping[str, int], case: str) -> None:
    """Fail unless the int `got` is `want`; `mistakes` maps a hint to the count that it explains."""
    if isinstance(got, bool) or not isinstance(got, int):
        raise Mismatch(f"it returned {described(got)}, an int is wanted")
    if got != want:
        hint = next((text for text, count in mistakes.items() if got == count), "")
        raise Mismatch(f"{case}: {got:,}, wanted {want:,}", hint)
