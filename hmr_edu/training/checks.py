"""Checks of a run's options before any work begins."""

from __future__ import annotations

from typing import Any

from hmr_edu import losses
from hmr_edu.io.errors import DataError
from hmr_edu.io.ranges import check_ranges
from hmr_edu.training.config import TrainConfig

# Options that a run cannot change when it goes on (it would not be the same run), but a folder may
# be elsewhere.
KEPT, FREE = ("seed", "mode", "poses", "model", "data"), "data.appearance.photos"


def check_options(config: TrainConfig) -> None:
    """Raise DataError naming the first option that no run can have."""
    try:
        check_ranges(config)
    except DataError as error:
        option, *words = str(error).split(" ")
        raise DataError(" ".join([f"--{option.replace('_', '-')}", *words])) from None
    try:
        losses.step_weights(config.loss.steps, config.model.iterations)
    except ValueError as error:
        raise DataError(f"--loss.steps: {error}") from None
    if not any(config.loss.weights.values()):
        raise DataError("every loss has the weight 0: there is nothing to learn")


def check_same_run(begun: dict[str, Any], now: dict[str, Any], folder: str) -> None:
    """Raise DataError where a run that goes on is asked to be another one.

    `begun` and `now` are records of its options. Losses and learning rates may change on the way.
    """
    before, after = _flat(begun), _flat(now)
    for name in before.keys() & after.keys():
        if name.split(".")[0] in KEPT and name != FREE and before[name] != after[name]:
            raise DataError(
                f"{folder}: the checkpoint does not fit these options: it was begun with "
                f"{name} = {before[name]}, not {after[name]}"
            )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
