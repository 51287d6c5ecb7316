"""Where a data set's files lie on the user's disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input


class Layout(NamedTuple):
    """The files of annotations, and the folder that their pictures' names begin from.

    `part` says which people of the files are meant, where they hold several splits. `beside` are
    files or folders whose change makes an index anew: folders of frames, for example.
    """

    annotations: tuple[Path, ...]
    pictures: Path
    part: str = ""
    beside: tuple[Path, ...] = ()


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


def check_path(path: Path) -> None:
    """Raise DataError unless a path is a file or a folder, or nothing."""
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if path.is_symlink() and not exists:
        raise DataError(f"{path}: a link to nowhere")
    if exists and not path.is_dir():
        check_input(path, "data set")
