"""Questions that checks of every lesson ask: a call, gradients, second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.learner import question


@question
def called(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, int]:
    """Call the function; return its result, and the number of an argument that it changed or -1."""
    kept = _copied(arguments)
    result = function(*arguments)
    changed = [number for number, a in enumerate(arguments) if not _same(a, kept[number])]
    return result, changed[0] if changed else -1


@question
def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    return (
        type(value)(_copied(part) for part in value) if isinstance(value, list | tuple) else value
    )


@question
def _same(value: Any, kept: Any) -> bool:
    if isinstance(kept, Tensor):
        # NaN, which stands for missing labels, equals itself here.
        return value.shape == kept.shape and torch.allclose(value.detach(), kept, 0, 0, True)
    if isinstance(kept, list | tuple):
        return len(value) == len(kept) and all(map(_same, value, kept))
    return True


@question
def gradients(
    function: Callable[..., Any], arguments: Sequence[Any], of: Sequence[int], part: int
) -> tuple[bool, Any, list[Tensor | None]]:
    """Differentiate the sum of a result with respect to some arguments.

    An argument may be a list of tensors: it counts as one tensor each. `part` names the element of
    a result that is a tuple, -1 the result itself. Returns whether the result has a gradient, the
    result, and the gradients: None where none arrives.
    """
    leaves, given = [], list(arguments)
    for number in of:
        several = isinstance(given[number], list)
        mine = [a.clone().requires_grad_() for a in (given[number] if several else [given[number]])]
        leaves += mine
        given[number] = mine if several else mine[0]
    result = function(*given)
    value = result[part] if part >= 0 and isinstance(result, list | tuple) else result
    if not isinstance(value, Tensor) or not value.requires_grad:
        return False, result, []
    return True, result, list(torch.autograd.grad(value.sum(), leaves, allow_unused=True))


@question
def jacobian(function: Callable[..., Any], at: Tensor) -> Any:
    """Return the Jacobian of the function at a point, or the function's None."""
    return torch.autograd.functional.jacobian(function, at)


@question
def hessian(function: Callable[..., Any], at: Tensor, weights: Tensor) -> Any:
    """Return the Hessian of a weighted sum of the function's values."""
    return torch.autograd.functional.hessian(lambda u: (function(u) * weights).sum(), at)
