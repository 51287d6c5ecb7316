"""Where a data set's files lie on the user's disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Layout(NamedTuple):
    """The files of annotations, and the folder that their pictures' names begin from."""

    annotations: tuple[Path, ...]
    pictures: Path


def first_layout(path: Path, layouts: Sequence[Layout]) -> Layout:
    """Return the first layout of which every file of annotations exists.

    Raises FileNotFoundError that lists what was looked for.
    """
    for layout in layouts:
        if all(file.exists() for file in layout.annotations):
            return layout
    if not path.exists():
        raise FileNotFoundError(f"no data set {path}")
    wanted = "; or ".join(
        ", ".join(str(file.relative_to(path)) for file in layout.annotations) for layout in layouts
    )
    raise FileNotFoundError(f"{path}: in it should be {wanted}")
