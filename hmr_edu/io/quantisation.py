"""Store weights in fewer bytes. Computation stays in full precision.

float16 halves the bytes. int8 quarters them: each row of a matrix (each output channel of a
convolution) is stored as whole numbers from -127 to 127, with one multiplier. Each row has its own
multiplier, so a row of small weights keeps as many digits as a row of large ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from hmr_edu.io.errors import DataError

PRECISIONS = ("float32", "float16", "int8")
# int8 weights are whole numbers from -127 to 127.
INT8_LEVELS = 127
# The multipliers of a matrix are stored under its name with this suffix.
SCALE = ".scale"


def pack(
    state: Mapping[str, Tensor], parameters: Collection[str], precision: str
) -> dict[str, Tensor]:
    """Return a state dict in the form in which it is stored.

    Buffers stay as they are: a batch norm's variance may exceed 65,504, the largest float16. With
    "int8", vectors (biases, norms) become float16, because they are few. Raises ValueError on an
    unknown precision.

    Args:
        state: the weights and buffers of a network.
        parameters: names of the tensors that may lose precision.
        precision: "float32", "float16" or "int8".
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if precision == "float32" or name not in parameters:
            packed[name] = tensor.contiguous()
        elif precision == "int8" and tensor.ndim >= 2:
            packed[name], packed[name + SCALE] = quantise(tensor)
        else:
            packed[name] = tensor.half().contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of stored tensors.

    Raises DataError that names a matrix without multipliers.
    """
    state = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in packed:
            continue
        if tensor.dtype == torch.int8:
            scale = packed.get(name + SCALE)
            if scale is None or tensor.ndim < 2 or scale.shape != tensor.shape[:1]:
                raise DataError(f"{name}: int8 weights need {name + SCALE}, a number for each row")
            tensor = tensor.float() * _per_row(scale.float(), tensor)
        state[name] = tensor
    return state


def quantise(weight: Float[Tensor, "rows *rest"]) -> tuple[Int8[Tensor, "rows *rest"], Tensor]:
    """Return a matrix as whole numbers, and the multiplier of each row.

    The error of a weight is at most half a multiplier.
    """
    scale = weight.abs().flatten(1).amax(1).float() / INT8_LEVELS
    # A row of zeros has no largest weight to divide by.
    whole = weight.float() / _per_row(torch.where(scale > 0, scale, 1.0), weight)
    return whole.round().to(torch.int8).contiguous(), scale


def _per_row(scale: Float[Tensor, " rows"], weight: Tensor) -> Float[Tensor, "rows *ones"]:
    return scale.view(-1, *[1] * (weight.ndim - 1))
