"""What differs between two tensors, in words: by how much, where, and in which way.

Nothing here prints more digits than another machine would agree with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

NOISE = 1e-5  # of the largest value: where a smaller difference is largest is chance


def told_apart(got: Tensor, want: Tensor, tolerance: float, mistakes: Mapping[str, Tensor]) -> str:
    """Return the first of the hints whose mistake gives these values, or nothing.

    A mistake that gives what is wanted, too, explains nothing.
    """
    near: dict[str, Any] = {"atol": max(tolerance, 1e-6), "rtol": 1e-4}
    for hint, wrong in mistakes.items():
        wrong = wrong.detach()
        if wrong.shape != want.shape:
            continue
        apart = (wrong.to(want.dtype) - want).abs().max()
        off = (got.to(wrong.dtype) - wrong).abs().max()
        if (
            apart > tolerance
            and off < 0.1 * apart
            and torch.allclose(got.to(wrong.dtype), wrong, **near)
        ):
            return hint
    return ""


def words(got: Tensor, want: Tensor, tolerance: float) -> str:
    """Say how `got` differs from `want`: finite numbers of the same shape."""
    off = (got.to(want.dtype) - want).abs()
    if not want.dtype.is_floating_point:
        first = int((off > tolerance).flatten().nonzero()[0])
        what = f"got {got.flatten()[first].item()}, wanted {want.flatten()[first].item()}"
        if want.numel() > 1:
            others = int((off > tolerance).sum()) - 1
            what += f" (number {first} of {want.numel()}, and {others} more)"
        return what
    largest = off.max().item()
    if largest < NOISE * want.abs().max().item():
        return f"largest difference {largest:.0e}, allowed {tolerance:.0e}"
    place = _place(off, largest)
    tiny = NOISE * max(largest, want.abs().max().item())
    mine, right = (_written(float(x[place]), tiny) for x in (got, want))
    where = f" at {list(place)}" * bool(place)
    values = f" (got {mine}, wanted {right})" * (mine != right)
    what = f"largest difference {largest:.2g}{where}{values}, allowed {tolerance:.0e}"
    alike = pattern(got.to(want.dtype), want, tolerance)
    return f"{what}; {alike}" if alike else what


def _written(value: float, tiny: float) -> str:
    """Write a number in three digits; what is next to 0 as 0."""
    return f"{value if abs(value) > tiny else 0.0:.3g}"


def _place(off: Tensor, largest: float) -> tuple[int, ...]:
    """Return the index of the largest difference; of several as large, the first."""
    index = int((off >= 0.99 * largest).flatten().nonzero()[0])
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(index), off.shape))


def pattern(got: Tensor, want: Tensor, tolerance: float) -> str:
    """Say what all values have in common: a sign, a factor, an offset, an order; or how many fit.

    Each is said only where it is so for every value.
    """
    if want.numel() < 2:
        return ""
    near: dict[str, Any] = {"atol": 1e-4 * float(got.abs().max()), "rtol": 1e-4}

    def same(other: Tensor) -> bool:
        return other.shape == want.shape and torch.allclose(other, want, **near)

    if not got.any():
        return "all of your values are 0"
    if same(-got):
        return "every value has the other sign"
    if want.ndim > 1 and same(got.mT):
        return "rows and columns are exchanged: it is transposed"
    for axis in range(want.ndim):
        if same(got.flip(axis)):
            return f"axis {axis} is in the opposite order"
    if torch.allclose(got, got.flatten()[0].expand_as(got), **near):
        return "all of your values are the same"
    factor = ((got * want).sum() / want.square().sum()).item() if want.any() else 0.0
    if factor and int((want.abs() > 1e-3).sum()) > 1 and same(got / factor):
        return f"every value is {factor:.3g} times what is wanted"
    offset = (got - want).mean()
    if same(got - offset):
        return f"every value is {abs(offset.item()):.3g} too {'large' if offset > 0 else 'small'}"
    right = (got - want).abs() <= tolerance
    rows = right.flatten(1).all(1) if want.ndim > 1 else right[:0]
    if rows.any():
        return f"{int(rows.sum())} of {len(rows)} along axis 0 are right, the others not"
    if right.any():
        return f"{int(right.sum())} of {want.numel()} values are right"
    return ""


def shape_hint(got: Sequence[int], want: Sequence[int]) -> str:
    """Say which axis is at fault."""
    got, want = tuple(got), tuple(want)
    if len(got) == len(want):
        axes = [k for k in range(len(want)) if got[k] != want[k]]
        if sorted(got) == sorted(want) and len(axes) == 2:
            return f"axes {axes[0]} and {axes[1]} are exchanged"
        k = axes[-1]
        name = "the last axis" if k == len(want) - 1 else f"axis {k}"
        return f"{name} must have length {want[k]}, not {got[k]}"
    if not want:
        return "a single number is wanted, without any axis"
    longer, shorter = (want, got) if len(got) < len(want) else (got, want)
    # Where several axes could be the one, the first of them.
    ways = reversed(list(combinations(range(len(longer)), len(shorter))))
    kept = next((axes for axes in ways if _at(longer, axes) == shorter), ())
    lost = [k for k in range(len(longer)) if k not in kept]
    if len(got) > len(want):
        return f"axis {lost[0]} is one too many" if kept and len(lost) == 1 else "too many axes"
    if kept and len(lost) == 1 and lost[0] > 0:
        return f"axis {lost[0]}, of length {want[lost[0]]}, is lost: x[..., k:k+1] keeps an axis"
    return "keep every leading (batch) dimension"


def _at(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[k] for k in axes)
