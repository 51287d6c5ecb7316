"""Questions and answers as bytes: plain values only, and nothing in them is ever executed.

A value is a tensor, a number, a string, None, or a list, tuple or dict of values. A tensor travels
as the bytes of an npy file, which can hold no objects. Whatever else somebody sends arrives as an
`Other`, which has the name of its type and nothing more.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

LARGEST = 2**24  # bytes of a message
DEPTH = 32  # lists inside of lists
NAME = 60  # characters of a type's name
PLAIN = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128,
}  # fmt: skip
BFLOAT16 = "bfloat16"  # NumPy has no such type: it travels as float32


class Other:
    """Stands for a value that is not plain; a subclass of it has the name of the value's type."""


def encode(value: Any) -> bytes:
    """Return a value as bytes. Raises ValueError when it is too large or too deep."""
    message = json.dumps(_pack(value, DEPTH)).encode()
    if len(message) > LARGEST:
        raise ValueError(f"{len(message) >> 20} MB; at most {LARGEST >> 20} MB may be sent")
    return message


def decode(message: bytes) -> Any:
    """Return the value of `encode`'s bytes. Raises ValueError at anything else."""
    if len(message) > LARGEST:
        raise ValueError("the message is too long")
    try:
        return _unpack(json.loads(message))
    except ValueError:
        raise
    # Also a number beyond all floats, and what numpy and Python's own tokenizer say of a header.
    except Exception as error:
        raise ValueError(f"no message of ours: {type(error).__name__}") from None


def _pack(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError(f"lists inside of lists, more than {DEPTH} deep")
    if value is None or type(value) in (bool, str):
        return value
    # A subclass of a number (numpy.float64, say) counts as the number; its methods are not asked.
    if isinstance(value, float):
        return {"float": float.hex(value)}
    if isinstance(value, int):
        return {"int": int.__format__(value, "x")}
    if isinstance(value, Tensor):
        # A subclass may say anything of itself: it is not asked.
        with torch._C.DisableTorchFunctionSubclass():
            return _pack_tensor(value)
    if isinstance(value, list | tuple):
        parts = tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value)
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_pack(part, depth - 1) for part in parts]}
    if isinstance(value, dict) and all(type(key) is str for key in dict.keys(value)):
        return {"dict": {key: _pack(part, depth - 1) for key, part in dict.items(value)}}
    return {"other": type(value).__name__[:NAME]}


def _pack_tensor(value: Tensor) -> Any:
    kind = f"{value.dtype}_{value.device.type}_{value.layout}".replace("torch.", "")
    brain = kind == "bfloat16_cpu_strided"
    if not brain and (value.dtype not in PLAIN or not kind.endswith("cpu_strided")):
        return {"other": f"Tensor_{kind}"}
    if value.numel() * value.element_size() > LARGEST:
        raise ValueError(f"a tensor of shape {list(value.shape)}: too large to be sent")
    plain = torch.Tensor.as_subclass(torch.Tensor.detach(value), Tensor)
    file = io.BytesIO()
    array = (plain.float() if brain else plain).resolve_conj().resolve_neg().numpy()
    npy.write_array(file, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    # As the base class has it; a subclass may have a property of that name.
    needs = bool(vars(torch._C.TensorBase)["requires_grad"].__get__(value))
    packed: dict[str, Any] = {"tensor": base64.b64encode(file.getvalue()).decode(), "grad": needs}
    return packed | ({"as": BFLOAT16} if brain else {})


def _unpack(packed: Any) -> Any:
    if packed is None or isinstance(packed, bool | str):
        return packed
    if not isinstance(packed, dict):
        raise ValueError("no message of ours")
    if "float" in packed:
        return float.fromhex(packed["float"])
    if "int" in packed:
        return int(packed["int"], 16)
    if "tensor" in packed:
        return _unpack_tensor(packed)
    if "list" in packed:
        return [_unpack(part) for part in packed["list"]]
    if "tuple" in packed:
        return tuple(_unpack(part) for part in packed["tuple"])
    if "dict" in packed:
        return {str(key): _unpack(part) for key, part in packed["dict"].items()}
    name = packed["other"]
    return type(name if name.isidentifier() else "object", (Other,), {})()


def _unpack_tensor(packed: dict[str, Any]) -> Tensor:
    data = base64.b64decode(packed["tensor"], validate=True)
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"npy version {version}")
    shape, _, dtype = npy.read_array_header_1_0(file, max_header_size=1000)
    # Before anything is made of that size: are the numbers there?
    if (
        dtype.hasobject
        or int(np.prod(shape, dtype=object)) * dtype.itemsize != len(data) - file.tell()
    ):
        raise ValueError("an array that says another size than it has")
    array = npy.read_array(io.BytesIO(data), allow_pickle=False, max_header_size=1000)
    tensor = torch.from_numpy(np.array(array))
    if packed.get("as") == BFLOAT16:
        tensor = tensor.to(torch.bfloat16)
    float_like = tensor.is_floating_point() or tensor.is_complex()
    return tensor.requires_grad_(bool(packed["grad"]) and float_like)
