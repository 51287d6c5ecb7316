"""Where a training run computes: the device, the precision, the processes."""

from __future__ import annotations

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState

from hmr_edu.io.errors import DataError
from hmr_edu.training.config import TrainConfig, cpu_computes_in_bf16


def build_accelerator(config: TrainConfig) -> Accelerator:
    """Return what spreads a run over its processes and mixes its precision.

    Raises DataError when CUDA is asked for and PyTorch sees none.
    """
    mixed = precision(config)
    # Accelerate allows one precision in a process, but a notebook may train twice.
    if AcceleratorState._shared_state.get("_mixed_precision", mixed) != mixed:
        AcceleratorState._reset_state()
    accelerator = Accelerator(
        mixed_precision=mixed,
        cpu=config.device == "cpu",
        # No need to send buffers: the body's megabytes are constants, and the running means of
        # batch norm are for testing only.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    if config.device == "cuda" and accelerator.device.type != "cuda":
        raise DataError("--device cuda: PyTorch sees no CUDA device here")
    return accelerator


def precision(config: TrainConfig) -> str:
    """Return the run's precision, "bf16" or "no".

    "auto" is bf16 where the hardware computes in it. Elsewhere bf16 is emulated, ten times slower.
    """
    if config.precision != "auto":
        return config.precision
    if config.device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if cpu_computes_in_bf16() else "no"
