"""What an experiment is: a claim, its source, and variants of one training that differ in it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass
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

    `lab` says what is trained: "keypoints" a regressor on noisy 2D keypoints, in seconds;
    "pictures" the whole network on pictures, in minutes. `variants` are changes to the lab's
    base configuration, as {"loss.steps": "last"}; `shared` changes it for all of them.
    """

    name: str
    claim: str
    source: str
    lab: Literal["keypoints", "pictures"]
    variants: dict[str, dict[str, Any]]
    predicts: tuple[Forecast, ...]
    # The measures that its table shows; every record holds all of `hmr_edu.experiments.measures`.
    measures: tuple[str, ...]
    shared: dict[str, Any] = field(default_factory=dict)


def changed(config: Config, changes: dict[str, Any]) -> Config:
    """Return a copy of a dataclass with some of its fields, named by dotted paths, replaced.

    Raises ValueError on a field that does not exist.
    """
    result = copy.deepcopy(config)
    for path, value in changes.items():
        *parents, last = path.split(".")
        part: Any = result
        for name in parents:
            part = getattr(part, name, None)
        if not is_dataclass(part) or last not in {f.name for f in fields(part)}:
            raise ValueError(f"{type(config).__name__} has no option {path!r}")
        setattr(part, last, value)
    return result
