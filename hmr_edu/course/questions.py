"""Questions that checks of every lesson ask: a call, gradients, second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.learner import question


@question
def called(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, int]:
    """Call the function; return its result, and the number of an argument that it changed or -1.

    Tensors, lists of them and modules are watched: their values, and whether they are to learn.
    """
    kept = [_state(a) for a in arguments]
    result = function(*arguments)
    changed = [number for number, a in enumerate(arguments) if not _same(_state(a), kept[number])]
    return result, changed[0] if changed else -1


@question
def _state(value: Any) -> Any:
    """Return a copy of all that can be changed in an argument."""
    if isinstance(value, Tensor):
        return [value.detach().clone(), value.requires_grad]
    if isinstance(value, nn.Module):
        inside = [*value.parameters(), *value.buffers()]
        return [value.training, *(_state(tensor) for tensor in inside)]
    if isinstance(value, dict):
        return [list(value), *(_state(part) for part in value.values())]
    return [_state(part) for part in value] if isinstance(value, list | tuple) else None


@question
def _same(now: Any, kept: Any) -> bool:
    if isinstance(kept, Tensor):
        if not isinstance(now, Tensor) or (now.shape, now.dtype) != (kept.shape, kept.dtype):
            return False
        # NaN, which stands for missing labels, equals itself here.
        return torch.allclose(now, kept, 0, 0, True)
    if isinstance(kept, list):
        return isinstance(now, list) and len(now) == len(kept) and all(map(_same, now, kept))
    return now is kept or now == kept


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
    # The function gets copies: what it changes in place is judged by `called`, and only there.
    for number in of:
        several = isinstance(given[number], list)
        mine = [a.clone().requires_grad_() for a in (given[number] if several else [given[number]])]
        leaves += mine
        copies = [leaf.clone() for leaf in mine]
        given[number] = copies if several else copies[0]
    result = function(*given)
    pair = isinstance(result, list | tuple) and 0 <= part < len(result)
    value = result[part] if pair else result
    if not isinstance(value, Tensor) or not value.requires_grad:
        return False, result, []
    return True, result, list(torch.autograd.grad(value.sum(), leaves, allow_unused=True))


@question
def jacobian(function: Callable[..., Any], at: Tensor) -> Any:
    """Return the Jacobian of the function at a point, or the function's None."""
    return torch.autograd.functional.jacobian(lambda u: function(u.clone()), at)


@question
def hessian(function: Callable[..., Any], at: Tensor, weights: Tensor) -> Any:
    """Return the Hessian of a weighted sum of the function's values."""
    return torch.autograd.functional.hessian(lambda u: (function(u.clone()) * weights).sum(), at)


@question
def slopes(function: Callable[..., Any], at: Tensor) -> Tensor:
    """Return the gradients of matrices by their own vectors, [N, D] to [N, rows, columns, D]."""
    points = at.clone().requires_grad_()
    values = function(points.clone())
    entries = values.flatten(1).sum(0)
    if not entries.requires_grad:
        return torch.zeros(*values.shape, at.shape[1], dtype=at.dtype)
    rows = [torch.autograd.grad(entry, points, retain_graph=True)[0] for entry in entries]
    return torch.stack(rows, 1).unflatten(1, values.shape[1:])
