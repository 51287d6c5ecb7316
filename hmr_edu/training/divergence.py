"""Stop a run that has diverged, before its last good state is overwritten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
            cause = "lower the learning rate or that term's weight"
            if step == 0:  # no weight has changed yet
                cause = "look for labels or weights of the start that are not finite"
            raise NonFiniteLossError(
                f"the loss term {name!r} became {value} at step {step}: {cause}, and "
                f"{_advice(folder)}"
            )
    unread.clear()


def check_state(parts: Mapping[str, Any], step: int, folder: Path) -> None:
    """Raise NonFiniteLossError when a weight or a moment is not finite.

    Such a state must not be saved. `parts` are networks and optimisers by name.
    """
    for name, part in parts.items():
        place = checkpoint.not_finite(part.state_dict(), name)
        if place:
            raise NonFiniteLossError(
                f"weights became infinite by step {step} ({place}): lower the learning rate, and "
                f"{_advice(folder)}"
            )


def _advice(folder: Path) -> str:
    try:
        state = checkpoint.load_checkpoint(folder)
    except (DataError, OSError):
        return f"begin again ({folder / checkpoint.NAME} cannot be used)"
    if state is None:
        return "begin again (there is no checkpoint yet)"
    return f"go on with --resume from the last good state, {folder / checkpoint.NAME}"
