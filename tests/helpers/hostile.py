"""A damaged file and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.damages import Damage, copied

Call = Callable[[], int]


class Case(NamedTuple):
    """A damaged file and who reads it; `names` must be in what is said, `code` be its status."""

    kind: str
    name: str
    prepare: Callable[[Path], Call]
    names: str = ""
    code: int = 2


def command(*words: object) -> Call:
    """Call the command line in this process."""

    def call() -> int:
        from hmr_edu.cli import main

        return main([str(word) for word in words])

    return call


def files_of(
    kind: str,
    source: Path,
    damages: dict[str, Damage],
    call: Callable[[Path], Call],
    fine: tuple[str, ...] = (),
) -> Iterator[Case]:
    """Damage a copy of one file; a missing file is one of the damages."""
    for name, damage in damages.items():
        if name in fine:
            continue

        def prepare(folder: Path, damage: Damage = damage) -> Call:
            path = copied(source, folder)
            damage(path)
            return call(path)

        yield Case(kind, f"{source.name}: {name}", prepare, source.name)
