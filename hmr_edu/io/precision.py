"""Precision: geometry in float32 at least, and checks that do not fail where there are no values.

A bfloat16 number has 8 significant bits, a float16 number 11. An angle of pi is rounded to 0.4 or
0.05 degrees, a coordinate of 1 m to 2 or 0.2 mm, and sums of many terms lose more. Networks live
with that, geometry does not. So the functions marked here leave autocast and convert their inputs:
floating tensors get one dtype, the one they promote to, and float32 at least. For float32 and for
float64 that changes nothing. What comes back has

- the inputs' dtype where the result is of the same kind as the inputs, such as points, rotations
  and bodies (`float32_inside`),
- float32 at least where the result is a measure of them, such as a loss, a metric, a log density
  (`at_least_float32`). Its gradient has the inputs' dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import reduce, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

P = ParamSpec("P")
T = TypeVar("T")

LOW = (torch.float16, torch.bfloat16)
AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def float32_inside(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function compute in float32 at least; its results have the dtype of its inputs."""
    return _precise(function, back=True)


def at_least_float32(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function compute in float32 at least; its results are float32 or float64."""
    return _precise(function, back=False)


def float32_by_default(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function create tensors in float32, in autocast and under another default dtype too.

    So its random numbers, and all that follows from them, depend on its generator alone.
    """

    @wraps(function)
    def in_float32(*args: Any, **kwargs: Any) -> Any:
        default = torch.get_default_dtype()
        with ExitStack() as stack:
            if default != torch.float32:
                torch.set_default_dtype(torch.float32)
                stack.callback(torch.set_default_dtype, default)
            for device in AUTOCAST_DEVICES:
                if torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, enabled=False))
            return function(*args, **kwargs)

    return in_float32


def at_least(dtype: torch.dtype) -> torch.dtype:
    """Return float32 for a dtype of half the size, and other dtypes as they are."""
    return torch.float32 if dtype in LOW else dtype


def holds(condition: Tensor) -> bool:
    """Return whether a condition holds everywhere, for checks of a tensor's values.

    It is True where no values can be read: in `torch.compile`, in `torch.vmap`, on the meta device.
    """
    if torch.compiler.is_compiling():
        return True
    try:
        return bool(condition.all())
    except RuntimeError:  # what all of them raise
        return True


def check_tensors(**values: object) -> None:
    """Raise TypeError that names the first value that is no tensor, such as a numpy array."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"{name} must be a tensor, not {kind.removeprefix('builtins.')}: "
                "torch.from_numpy(array) makes one of a numpy array"
            )


class PreciseModule(nn.Module):
    """A module of constants that stay in float32 at least, whatever the network around is in.

    `half()`, `bfloat16()` and `to(dtype)` leave float32 as it is; `double()` makes float64 of it.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PreciseModule:
        def convert(tensor: Tensor) -> Tensor:
            converted = fn(tensor)
            lost = converted.dtype in LOW and tensor.dtype not in LOW
            return tensor.to(converted.device) if lost else converted

        return super()._apply(convert, recurse)


def _precise(function: Callable[P, T], back: bool) -> Callable[P, T]:
    @wraps(function)
    def precise(*args: Any, **kwargs: Any) -> Any:
        tensors = _floating((*args, *kwargs.values()))
        if not tensors:
            return function(*args, **kwargs)
        device, dtype = tensors[0].device.type, tensors[0].dtype
        mixed = any(tensor.dtype != dtype for tensor in tensors)
        caller = _promoted(tensors) if mixed else dtype
        wanted = at_least(caller)
        if mixed or wanted != caller:
            args = _map(lambda tensor: tensor.to(wanted), args)
            kwargs = {k: _map(lambda tensor: tensor.to(wanted), v) for k, v in kwargs.items()}
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                result = function(*args, **kwargs)
        else:
            result = function(*args, **kwargs)
        if back and wanted != caller:
            result = _map(lambda tensor: tensor.to(caller), result)
        return result

    return precise


def _promoted(tensors: list[Tensor]) -> torch.dtype:
    """Return the common dtype; as in PyTorch, numbers [] do not raise that of arrays."""
    arrays = [tensor for tensor in tensors if tensor.ndim] or tensors
    return reduce(torch.promote_types, (tensor.dtype for tensor in arrays))


def _floating(values: tuple[Any, ...] | list[Any]) -> list[Tensor]:
    """Return the floating tensors among values, tuples and lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            if value.is_floating_point():
                found.append(value)
        elif isinstance(value, tuple | list):
            found += _floating(value)
    return found


def _map(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to the floating tensors of a value, a list or a (named) tuple."""
    if isinstance(value, Tensor):
        return function(value) if value.is_floating_point() else value
    if isinstance(value, list):
        return [_map(function, part) for part in value]
    if isinstance(value, tuple):
        parts = [_map(function, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
