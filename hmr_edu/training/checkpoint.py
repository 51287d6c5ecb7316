"""Checkpoints: one file, complete or absent, from which a run continues exactly."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write the whole state of the run; the old checkpoint stays until this one is complete."""
    path = folder / NAME
    with atomic_write(path) as temporary:
        torch.save(state, temporary)
    return path


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the run's last state, or None when it has none yet.

    Raises DataError when the file is damaged. Only tensors and plain values are read.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: not a readable checkpoint ({error})") from None
