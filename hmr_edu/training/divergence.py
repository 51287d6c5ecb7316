"""Stopping a run that has diverged, before its last good state is lost."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from hmr_edu.io.errors import DataError
from hmr_edu.training import checkpoint


class NonFiniteLossError(DataError):
    """A loss or a weight became NaN or infinite; the message says where, and what to do."""


def check_losses(unread: list[tuple[int, str, Tensor]], folder: Path) -> None:
    """Bring (step, term, loss) from the device, all at once, and forget them.

    Raises NonFiniteLossError where one is not finite.
    """
    values = torch.stack([loss.float() for _, _, loss in unread]).tolist()
    for (step, name, _), value in zip(unread, values, strict=True):
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"the loss term {name!r} became {value} at step {step}: lower the learning rate "
                f"or that term's weight, and {_way_back(folder)}"
            )
    unread.clear()


def check_weights(network: nn.Module, step: int, folder: Path) -> None:
    """Raise NonFiniteLossError where a weight is not finite: no such state is to be kept."""
    if not all(weight.isfinite().all() for weight in network.parameters()):
        raise NonFiniteLossError(
            f"weights became infinite by step {step}: lower the learning rate, and "
            f"{_way_back(folder)}"
        )


def _way_back(folder: Path) -> str:
    path = folder / checkpoint.NAME
    if path.exists():
        return f"go on with --resume from the last good state, {path}"
    return "begin again (there is no checkpoint yet)"
