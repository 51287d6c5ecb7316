"""What the options of a run must be, said before any work begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from hmr_edu import losses
from hmr_edu.data.synthetic.appearance import LARGEST
from hmr_edu.io.errors import DataError
from hmr_edu.training.config import TrainConfig

# Options that a run cannot change when it goes on (it would not be the same run), but a folder may
# be elsewhere.
KEPT, FREE = ("seed", "mode", "poses", "model", "data"), "data.appearance.photos"


def check_options(config: TrainConfig) -> None:
    """Raise DataError naming the first option that no run can have."""
    for name, value, allowed, words in _rules(config):
        if not allowed(value):
            shown = value if not isinstance(value, tuple) else " ".join(map(str, value))
            raise DataError(f"--{name.replace('_', '-')} must be {words}, not {shown}")
    try:
        losses.step_weights(config.loss.steps, config.model.iterations)
    except ValueError as error:
        raise DataError(f"--loss.steps: {error}") from None
    if not any(value for _, value in _loss_weights(config)):
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


def _loss_weights(config: TrainConfig) -> Iterator[tuple[str, float | int]]:
    for name, value in config.loss.weights.items():
        yield f"loss.{name}", value


def _rules(c: TrainConfig) -> Iterator[tuple[str, Any, Callable[[Any], bool], str]]:
    """Options, their values, what these must fulfil, and how to say it."""

    def whole(low: int) -> tuple[Callable[[Any], bool], str]:
        return lambda value: value >= low, f"{low} or more"

    def not_negative(value: float | int) -> bool:
        return math.isfinite(value) and value >= 0

    for name in ("images", "processes", "checkpoint_every", "sample_every", "log_every"):
        yield name, getattr(c, name), *whole(1)
    for name in ("workers", "threads", "seed", "test_images"):
        yield name, getattr(c, name), *whole(0)
    if c.minutes is not None:
        yield "minutes", c.minutes, lambda m: m > 0, "more than 0"
    yield "model.iterations", c.model.iterations, *whole(1)
    yield "model.width", c.model.width, *whole(1)
    yield "model.hidden", c.model.hidden, *whole(1)
    yield "model.dropout", c.model.dropout, lambda d: 0 <= d < 1, "at least 0 and below 1"
    for name, value in _loss_weights(c):
        yield name, value, not_negative, "a number, 0 or more"
    o, d = c.optimizer, c.data
    yield "optimizer.critic_every", o.critic_every, *whole(1)
    above = (lambda rate: math.isfinite(rate) and rate > 0), "more than 0"
    yield "optimizer.learning_rate", o.learning_rate, *above
    # Critics or a regressor that do not learn are experiments.
    names = ("critic_learning_rate", "regressor_scale", "weight_decay", "warmup", "clip")
    for name in names:
        yield f"optimizer.{name}", getattr(o, name), not_negative, "0 or more"
    yield "data.batch_size", d.batch_size, *whole(1)
    size = f"between 1 and {LARGEST}"
    yield "data.image_size", d.image_size, lambda side: 1 <= side <= LARGEST, size
    yield "data.fill", d.fill, lambda f: 0 < f[0] <= f[1], "two numbers above 0, the smaller first"
    order = "two numbers, 0 or more, the smaller first"
    yield "data.inverse_focal", d.inverse_focal, lambda f: 0 <= f[0] <= f[1], order
    yield "data.cut", d.cut, lambda share: 0 <= share <= 1, "between 0 and 1"
    for name in ("shift", "pitch", "roll", "betas"):
        yield f"data.{name}", getattr(d, name), not_negative, "0 or more"
