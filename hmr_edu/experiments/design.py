"""What an experiment is: a claim, its source, and variants of one training that differ in it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

Config = TypeVar("Config")


@dataclass(frozen=True)
class Forecast:
    """What a claim predicts: `better` has less of `measure` than `worse`.

    Both are variants; "3 @ 6" is the sixth step of variant "3". `relation` "<=": no more of it.
    """

    says: str
    better: str
    worse: str
    measure: str = "pa_mpjpe"
    relation: Literal["<", "<="] = "<"


@dataclass(frozen=True)
class Experiment:
    """A claim and the trainings that test it.

    `lab` says what is trained: "keypoints" a regressor alone on noisy 2D keypoints, in seconds;
    "pictures" the whole network on pictures, in minutes; "photographs" the same on picture files
    with 2D keypoints; "cpu", "cpu-long", "people" and "keypoints-quick"
    the preset of that name, as `hmr-edu train` does. So "keypoints-quick" has an encoder, people
    without end and everything that a detector does wrong, and "keypoints" has none of these.
    `variants` are changes to the lab's base configuration, as {"loss.steps": "last"}; `shared`
    changes it for all of them.
    """

    name: str
    claim: str
    source: str
    lab: Literal[
        "keypoints", "pictures", "photographs", "cpu", "cpu-long", "people", "keypoints-quick"
    ]
    variants: dict[str, dict[str, Any]]
    predicts: tuple[Forecast, ...]
    # The measures that its table shows, as far as a record holds them.
    measures: tuple[str, ...]
    shared: dict[str, Any] = field(default_factory=dict)


def changed(config: Config, changes: dict[str, Any]) -> Config:
    """Return a copy of a dataclass with some of its fields, named by dotted paths, replaced.

    Raises ValueError on a field that does not exist.
    """
    result = copy.deepcopy(config)
    for path, value in changes.items():
        try:
            result = _replaced(result, path.split("."), value)
        except LookupError:
            raise ValueError(f"{type(config).__name__} has no option {path!r}") from None
    return result


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    """Return `config` with one field replaced; some of the options are frozen."""
    name, *inner = path
    if not is_dataclass(config) or name not in {f.name for f in fields(config)}:
        raise LookupError(name)
    if inner:
        value = _replaced(getattr(config, name), inner, value)
    return replace(config, **{name: value})


def differences(config: Config, other: Config) -> dict[str, Any]:
    """Return the changes that make `other` of `config`: `changed` takes them."""
    changes: dict[str, Any] = {}
    for name in (f.name for f in fields(config)):  # ty: ignore[invalid-argument-type]
        mine, theirs = getattr(config, name), getattr(other, name)
        if is_dataclass(mine) and type(mine) is type(theirs):
            inner = differences(mine, theirs)
            changes |= {f"{name}.{path}": value for path, value in inner.items()}
        elif mine != theirs:
            changes[name] = theirs
    return changes
