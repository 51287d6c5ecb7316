"""Checkpoints: one file, complete or absent, from which a run continues exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write
from hmr_edu.io.schema import check_type, shown
from hmr_edu.io.torchfile import read_torch_file
from hmr_edu.io.weights import check_state, check_tensor
from hmr_edu.training.run_records import Seconds, Total

NAME = "checkpoint.pt"
# What an optimiser remembers of each parameter.
MOMENTS = {
    "Adam": {"step", "exp_avg", "exp_avg_sq"},
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
    "Muon": {"momentum"},
}


class Clock(TypedDict):
    """How far a run had come."""

    step: Total
    seconds: Seconds


class Memory(TypedDict):
    """What an optimiser remembers: of parameters by number, and the options of its groups."""

    state: dict[int, Any]
    param_groups: list[dict[str, Any]]


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write the whole state of the run; the old checkpoint stays until this one is complete."""
    path = folder / NAME
    with atomic_write(path) as temporary:
        torch.save(state, temporary)
    return path


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the run's last state, or None when it has none yet.

    Raises DataError when the file is damaged, when its clock is not one, and when a weight or a
    moment in it is NaN or infinite. Only tensors and plain values are read.
    """
    path = folder / NAME
    # A link to itself or to nowhere is no fresh start.
    if not os.path.lexists(path):
        return None
    state = read_torch_file(path, "checkpoint")
    check_type(state, Clock, str(path))
    for name, value in state.items():
        place = not_finite(value, name) if isinstance(name, str) else repr(name)
        if place:
            raise DataError(
                f"{path}: {place} is NaN or infinite: this run has diverged. Begin again with a "
                "lower learning rate"
            )
    return state


def not_finite(value: Any, where: str) -> str | None:
    """Return the place of the first tensor or number in a state that is not finite, or None."""
    if isinstance(value, Tensor):
        return None if value.isfinite().all() else where
    if isinstance(value, float):
        return None if value - value == 0 else where
    if isinstance(value, Mapping):
        places = (not_finite(part, f"{where}.{key}") for key, part in value.items())
    elif isinstance(value, list | tuple):
        places = (not_finite(part, f"{where}.{i}") for i, part in enumerate(value))
    else:
        return None
    return next((place for place in places if place), None)


def check_parts(path: Path, state: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Compare the state of a checkpoint with what it will be loaded into.

    Raises DataError that names the first tensor that is missing, unknown, of another shape or type.
    """
    for name, part in parts.items():
        where = f"{path}: the checkpoint does not fit these options: {name}"
        saved = state.get(name)
        if not isinstance(saved, dict):
            raise DataError(f"{where} must be an object, not {shown(saved)}")
        if isinstance(part, nn.Module):
            check_state(saved, part.state_dict(), f"{where}.")
        else:
            _check_optimizer(saved, getattr(part, "optimizer", part), where)
            # Critics may not have learnt yet; the network has.
            if state["step"] and not saved["state"] and name != "critic_optimizer":
                raise DataError(f"{where}.state is empty, after {state['step']} steps")


def _check_optimizer(saved: dict[str, Any], own: torch.optim.Optimizer, where: str) -> None:
    """Compare the saved groups and moments with an optimiser's; PyTorch compares their number."""
    check_type(saved, Memory, where)
    groups, state = saved["param_groups"], saved["state"]
    if len(groups) != len(own.param_groups):
        raise DataError(f"{where} has {len(groups)} groups, not {len(own.param_groups)}")
    known: dict[int, Tensor] = {}
    for number, (group, mine) in enumerate(zip(groups, own.param_groups, strict=True)):
        place = f"{where}.param_groups.{number}"
        indices = group.get("params")
        check_type(indices, list[int], f"{place}.params")
        if len(indices) != len(mine["params"]) or group.keys() != mine.keys():
            raise DataError(f"{place} is not the group of these parameters")
        known |= dict(zip(indices, mine["params"], strict=True))
        for key, value in mine.items():
            if key != "params" and _kind(group[key]) != _kind(value):
                raise DataError(f"{place}.{key} must be like {value}, not {shown(group[key])}")
    wanted = MOMENTS[type(own).__name__]
    for index, moments in state.items():
        place = f"{where}.state.{index!s:.20}"
        if index not in known or not isinstance(moments, dict) or moments.keys() != wanted:
            raise DataError(f"{place} is not what {type(own).__name__} remembers of a parameter")
        for key, tensor in moments.items():
            like = torch.tensor(0.0) if key == "step" else known[index]
            check_tensor(tensor, like, f"{place}.{key}")


def _kind(value: Any) -> Any:
    """Return what a setting must have in common with another of its name."""
    if isinstance(value, bool) or value is None:
        return type(value)
    if isinstance(value, int | float):
        return float
    return tuple(map(_kind, value)) if isinstance(value, tuple | list) else type(value)
