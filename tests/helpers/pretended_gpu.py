"""A GPU that is not there: tensors on the CPU that refuse to meet tensors which were not moved.

Inside `PretendedGPU`, "cuda" is a name that tensors carry. Everything is computed on the CPU, and
what a real GPU refuses is refused: an operation on tensors of two devices, NumPy's hands on a
tensor that was not brought back, a CPU's generator for a GPU's numbers. `waits` lists what a real
GPU would have been waited for: nobody gives it work meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)
# May join devices: what is copied over, and what stands inside the brackets.
_MAY_MIX = {
    torch._has_compatible_shallow_copy_type,
    Tensor.copy_,
    Tensor.__getitem__,
    Tensor.__setitem__,
    Tensor.data.__set__,
}
# Of single numbers from elsewhere these make no exception.
_STRICT = {torch.stack, torch.cat}
_TO_NUMPY = {Tensor.numpy, Tensor.__array__}
# Read a number, or a size that follows from the numbers.
_READ = {
    *(Tensor.item, Tensor.tolist, Tensor.cpu, Tensor.__bool__, Tensor.__float__, Tensor.__int__),
    *(Tensor.__index__, Tensor.nonzero, torch.nonzero, torch.masked_select, Tensor.unique),
}
# A copy of more than this many bytes waits, unless it comes from pinned memory.
SMALL = 1 << 16


class PretendedGPU(TorchFunctionMode):
    """While it is entered, "cuda" can be named as a device, and tensors remember it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Do what was asked on the CPU, as a GPU would or would not have done it."""
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:
            return GPU if _there(args[0]) else func(*args)
        if func == Tensor.is_cuda.__get__:
            return _there(args[0])
        tensors = list(_tensors((args, kwargs)))
        if func in _TO_NUMPY and any(map(_there, tensors)):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if _waits(func, args, kwargs):
            self.waits.append(getattr(func, "__name__", str(func)))
        if func is Tensor.cpu:
            return _put(func(*args).clone(), False)
        if func is Tensor.to:
            return _move(args, kwargs)
        if func is Tensor.pin_memory:
            pinned = args[0].clone()
            pinned.__dict__["pinned"] = True
            return pinned
        there = any(map(_there, tensors))
        if func not in _MAY_MIX:
            met = [t for t in tensors if t.dim() or func in _STRICT]
            if len({_there(t) for t in met}) == 2:
                shapes = [(tuple(t.shape), "cuda" if _there(t) else "cpu") for t in tensors]
                name = getattr(func, "__name__", func)
                raise RuntimeError(f"{name}: tensors on two devices: {shapes}")
        elif func is Tensor.__getitem__ and there and not _there(args[0]):
            raise RuntimeError("indices on the GPU cannot choose from a tensor on the CPU")
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]).type == "cuda"
            kwargs["device"] = "cpu"
        generator = kwargs.get("generator")
        if there and generator is not None and generator.device.type == "cpu":
            raise RuntimeError("a CPU's generator for a GPU's tensor")
        result = func(*args, **kwargs)
        if func == Tensor.data.__set__:
            _put(args[0], _there(args[1]))
        elif isinstance(result, Tensor | tuple | list):
            for tensor in _tensors(result):
                _put(tensor, there)
        return result


def _there(tensor: Tensor) -> bool:
    return tensor.__dict__.get("on_pretended_gpu", False)


def _put(tensor: Tensor, there: bool) -> Tensor:
    tensor.__dict__["on_pretended_gpu"] = there
    return tensor


def _waits(func, args: tuple, kwargs: dict) -> bool:
    """Would the program stand still until the GPU has done what it was given?"""
    if func in _READ:
        return _there(args[0])
    if func in (torch.tensor, torch.as_tensor, Tensor.new_tensor):
        return _there(args[0]) if func is Tensor.new_tensor else bool(kwargs.get("device") == GPU)
    if func in (Tensor.__getitem__, Tensor.__setitem__):
        return any(t.dtype is torch.bool and _there(t) for t in _tensors(args[1]))
    if func is Tensor.to and _destination(args, kwargs)[0] != _there(args[0]):
        tensor = args[0]
        there, pinned = _there(tensor), tensor.__dict__.get("pinned", False)
        large = tensor.nbytes > SMALL and not pinned
        return there or large or not kwargs.get("non_blocking", False)
    return False


def _destination(args: tuple, kwargs: dict) -> tuple[bool, torch.dtype | None]:
    """What `Tensor.to` asks for: its forms name a device, a type, both, or a tensor with them."""
    tensor, *rest = args
    there, dtype = _there(tensor), kwargs.get("dtype")
    for value in (*rest, kwargs.get("device"), kwargs.get("other")):
        if isinstance(value, Tensor):
            there, dtype = _there(value), value.dtype
        elif isinstance(value, str | torch.device):
            there = torch.device(value).type == "cuda"
        elif isinstance(value, torch.dtype):
            dtype = value
    return there, dtype


def _move(args: tuple, kwargs: dict) -> Tensor:
    tensor, (there, dtype) = args[0], _destination(args, kwargs)
    result = tensor.to(dtype or tensor.dtype, copy=there != _there(tensor))
    return _put(result, there)


def _tensors(value) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
