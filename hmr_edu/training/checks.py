"""Check the options of a run before any work begins."""

from __future__ import annotations

from typing import Any

from hmr_edu import losses
from hmr_edu.io.errors import DataError
from hmr_edu.io.ranges import check_ranges
from hmr_edu.training.config import TrainConfig

# Options that must stay the same when a run is resumed. One of them may change: the folder of
# photographs may have moved.
KEPT, FREE = ("seed", "mode", "poses", "model", "data"), "data.appearance.photos"


def check_options(config: TrainConfig) -> None:
    """Raise DataError that names the first option outside its range."""
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
    """Raise DataError when a resumed run would become another run.

    `begun` and `now` are records of the options. Losses and learning rates may change.
    """
    before, after = _flat(begun), _flat(now)
    for name in before.keys() & after.keys():
        if name.split(".")[0] in KEPT and name != FREE and before[name] != after[name]:
            raise DataError(
                f"{folder}: the checkpoint does not fit these options: it was begun with "
                f"{name} = {before[name]}, not {after[name]}"
            )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested options: {"a": {"b": 1}} becomes {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
