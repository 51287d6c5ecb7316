"""Checkpoints: one file, complete or absent, from which a run continues exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from hmr_edu.io.errors import DataError, naming
from hmr_edu.io.files import atomic_write
from hmr_edu.io.schema import check_type, shown
from hmr_edu.io.torchfile import check_plain, read_torch_file
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
        if not isinstance(name, str):
            raise DataError(f"{path}: {shown(name)} is no name of a part of a checkpoint")
        with naming(path):
            place = not_finite(value, name)
        if place:
            raise DataError(
                f"{path}: {place} is NaN or infinite: this run has diverged. Begin again with a "
                "lower learning rate"
            )
    return state


def not_finite(value: Any, where: str) -> str | None:
    """Return the place of the first tensor or number in a state that is not finite, or None.

    A list may hold itself, or another one twice: each is looked through once. Raises DataError on a
    tensor that is none of plain numbers.
    """
    left, seen = [(where, value)], set[int]()
    while left:
        place, part = left.pop()
        if isinstance(part, Tensor):
            check_plain(part, place)
            if not part.isfinite().all():
                return place
        elif isinstance(part, float):
            if part - part != 0:
                return place
        elif isinstance(part, Mapping | list | tuple) and id(part) not in seen:
            seen.add(id(part))
            keys = part.items() if isinstance(part, Mapping) else enumerate(part)
            left += [(f"{place}.{key!s:.80}", inner) for key, inner in reversed(list(keys))]
    return None


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
            if key != "params" and not _alike(group[key], value):
                raise DataError(f"{place}.{key} must be like {value}")
    wanted = MOMENTS[type(own).__name__]
    for index, moments in state.items():
        place = f"{where}.state.{index!s:.20}"
        if index not in known or not isinstance(moments, dict) or moments.keys() != wanted:
            raise DataError(f"{place} is not what {type(own).__name__} remembers of a parameter")
        for key, tensor in moments.items():
            like = torch.tensor(0.0) if key == "step" else known[index]
            check_tensor(tensor, like, f"{place}.{key}")


def _alike(saved: Any, own: Any) -> bool:
    """Return whether a setting has the type of our own of its name."""
    if isinstance(own, int | float) and not isinstance(own, bool):
        return isinstance(saved, int | float) and not isinstance(saved, bool)
    if isinstance(own, tuple | list):
        fits = isinstance(saved, tuple | list) and len(saved) == len(own)
        return fits and all(map(_alike, saved, own))
    return type(saved) is type(own)
