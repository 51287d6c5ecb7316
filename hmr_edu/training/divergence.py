"""Stop a run that has diverged, before its last good state is overwritten."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from hmr_edu.io.errors import DataError
from hmr_edu.training import checkpoint


class NonFiniteLossError(DataError):
    """A loss or a weight is NaN or infinite; the message says where, and what to do."""


def check_losses(unread: list[tuple[int, str, Tensor]], folder: Path) -> None:
    """Read the losses (step, term, loss) from the device, all at once, and empty the list.

    Raises NonFiniteLossError when a loss is not finite.
    """
    values = torch.stack([loss.float() for _, _, loss in unread]).tolist()
    for (step, name, _), value in zip(unread, values, strict=True):
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"the loss term {name!r} became {value} at step {step}: lower the learning rate "
                f"or that term's weight, and {_advice(folder)}"
            )
    unread.clear()


def check_weights(network: nn.Module, step: int, folder: Path) -> None:
    """Raise NonFiniteLossError when a weight is not finite: such a state must not be saved."""
    if not all(weight.isfinite().all() for weight in network.parameters()):
        raise NonFiniteLossError(
            f"weights became infinite by step {step}: lower the learning rate, and "
            f"{_advice(folder)}"
        )


def _advice(folder: Path) -> str:
    path = folder / checkpoint.NAME
    if path.exists():
        return f"go on with --resume from the last good state, {path}"
    return "begin again (there is no checkpoint yet)"
