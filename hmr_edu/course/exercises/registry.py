"""The exercises of the course, collected from the folders of this package.

A folder `lesson_01` holds the exercises of lesson 01 and of its problem set, one file each. A file
`skew.py` defines `check_skew`, `POINTS` and `MISTAKES`. It may define `USES`, the files of the
package that an answer may call, and `TRAINS`, the arguments that it is there to change; the card
in the notebook says both (`course/card.py`). Names that begin with `_` are helpers. `hmr-edu course
add` writes such a file.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmr_edu.io.errors import DataError

if TYPE_CHECKING:
    from hmr_edu.course.check import Asked, Report

PACKAGE = "hmr_edu.course.exercises"
FOLDER = Path(__file__).parent
CHECK = "check_"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give, and what they are told.

    Args:
        answer: the wrong function.
        hint: words that the report must contain.
        share: the share of the points that it gets; None where that depends on the random inputs.
        name: what is wrong, where the source does not say it.
    """

    answer: Callable[..., Any]
    hint: str = ""
    share: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise: its check, what it is worth, and the wrong answers to expect."""

    name: str
    lesson: str  # its folder: lesson_01
    path: Path
    check: Callable[[Asked], Report]
    points: int
    mistakes: tuple[Mistake, ...]
    uses: tuple[str, ...]  # files of the package that an answer may call
    trains: tuple[str, ...] = ()  # arguments that an answer is there to change


def nothing_right(*arguments: Any, **options: Any) -> Any:
    """Return zeros of the shape of the first tensor: what a desperate learner hands in."""
    import torch

    return next((torch.zeros_like(a) for a in arguments if isinstance(a, torch.Tensor)), 0)


def given_back(argument: Any, *more: Any, **options: Any) -> Any:
    """Return the first argument as it came."""
    return argument


# Wrong answers to every exercise.
ANYWHERE = (
    Mistake(nothing_right, name="zeros"),
    Mistake(given_back, name="the first argument"),
)


@cache
def modules() -> dict[str, str]:
    """Map the name of every exercise to its module, lesson after lesson.

    Raises DataError when two files have the same name.
    """
    found: dict[str, str] = {}
    for lesson in _names_in(FOLDER, packages=True):
        for name in _names_in(FOLDER / lesson, packages=False):
            module = f"{PACKAGE}.{lesson}.{name}"
            if name in found:
                raise DataError(f"two exercises have the same name: {found[name]} and {module}")
            found[name] = module
    return found


def _names_in(folder: Path, packages: bool) -> list[str]:
    found = [m.name for m in pkgutil.iter_modules([str(folder)]) if m.ispkg is packages]
    return sorted(name for name in found if not name.startswith("_"))


def find(check: str) -> Exercise:
    """Return the exercise of a check, `check_skew`. Raises DataError when there is none."""
    name = check.removeprefix(CHECK)
    if name not in modules():
        near = [CHECK + other for other in get_close_matches(name, modules())]
        meant = f"did you mean {' or '.join(near)}?" if near else "dir(...) lists them"
        raise DataError(f"no {CHECK}{name} in {PACKAGE}: {meant}")
    return _load(name)


@cache
def _load(name: str) -> Exercise:
    module = import_module(modules()[name])
    missing = [m for m in (CHECK + name, "POINTS", "MISTAKES") if not hasattr(module, m)]
    if missing:
        raise DataError(f"{module.__file__} does not define {', '.join(missing)}")
    return Exercise(
        name,
        lesson=module.__name__.split(".")[-2],
        path=Path(str(module.__file__)),
        check=getattr(module, CHECK + name),
        points=module.POINTS,
        mistakes=tuple(module.MISTAKES),
        uses=getattr(module, "USES", ()),
        trains=getattr(module, "TRAINS", ()),
    )


def exercises() -> Iterator[Exercise]:
    """Yield every exercise, lesson after lesson."""
    for name in modules():
        yield find(name)
