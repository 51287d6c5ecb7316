"""Weights in fewer bytes, for files that are shipped; computing stays in full precision.

float16 halves them. int8 quarters them: each row of a matrix (each output channel of a
convolution) is kept as whole numbers from -127 to 127 and the one number that they are to be
multiplied by, so a row of small weights loses no more than a row of large ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from hmr_edu.io.errors import DataError

PRECISIONS = ("float32", "float16", "int8")
LEVELS = 127
# What a row's multiplier is called: the name of its matrix, and this.
SCALE = ".scale"


def pack(
    state: Mapping[str, Tensor], parameters: Collection[str], precision: str
) -> dict[str, Tensor]:
    """Return a state dict as it is stored; `parameters` names what may lose precision.

    Buffers stay as they are: a batch norm's variance may exceed float16's 65,504. With "int8",
    vectors (biases, norms) become float16: they are few. Raises ValueError on another precision.
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
    """Return the state dict of stored tensors. Raises DataError naming rows without multiplier."""
    state = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in packed:
            continue
        if tensor.dtype == torch.int8:
            scale = packed.get(name + SCALE)
            if scale is None or tensor.ndim < 2 or scale.shape != tensor.shape[:1]:
                raise DataError(f"{name}: int8 weights need {name + SCALE}, a number for each row")
            tensor = tensor.float() * _beside_rows(scale.float(), tensor)
        state[name] = tensor
    return state


def quantise(weight: Float[Tensor, "rows *rest"]) -> tuple[Int8[Tensor, "rows *rest"], Tensor]:
    """Return whole numbers and a multiplier [rows]; off by half a multiplier at most."""
    scale = weight.abs().flatten(1).amax(1).float() / LEVELS
    # A row of zeros has no largest weight to divide by.
    whole = weight.float() / _beside_rows(torch.where(scale > 0, scale, 1.0), weight)
    return whole.round().to(torch.int8).contiguous(), scale


def _beside_rows(scale: Float[Tensor, " rows"], weight: Tensor) -> Float[Tensor, "rows *ones"]:
    return scale.view(-1, *[1] * (weight.ndim - 1))
