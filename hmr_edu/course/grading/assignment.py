"""What was handed out, and which part of it a file is: by its name, or by what it holds."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from hmr_edu.course.grading.restore import POINTS, defines, graded_call
from hmr_edu.course.grading.stub import STUB

CALL = re.compile(r"^\s*grade\(\s*check_\w+\s*,\s*(\w+)", re.MULTILINE)
COPY = re.compile(r"(?:\((\d+)\)|[-_ ]copy[-_ ]?(\d*)|[-_ ]v?(\d+))\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A notebook of a problem set: its exercises, by `grade_id`, and the functions they want."""

    set: str
    name: str  # without .ipynb
    functions: Mapping[str, str]
    stubs: int

    def likeness(self, notebook: NotebookNode) -> tuple[int, int]:
        """Count its exercises in a notebook: marked or called there; and merely defined."""
        marked, written = set[str](), set[str]()
        names = {function: exercise for exercise, function in self.functions.items()}
        for cell in notebook.cells:
            about = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            marked.add(about.removesuffix(POINTS))
            if cell.cell_type == "code":
                marked.update(names.get(name, "") for name in CALL.findall(cell.source))
                written.update(e for n, e in names.items() if defines(cell.source, n))
        return len(marked & set(self.functions)), len(written)

    def is_blank(self, notebook: NotebookNode) -> bool:
        """Whether none of its exercises has been written."""
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        return sum(source.count(STUB) for source in code) >= self.stubs > 0


def handed_out(release: Path) -> dict[str, dict[str, Part]]:
    """Read the released problem sets: set, name of the notebook, what it wants."""
    sets: dict[str, dict[str, Part]] = {}
    for folder in sorted(path for path in release.iterdir() if path.is_dir()):
        parts = {}
        for path in sorted(folder.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            functions = {}
            for cell in notebook.cells:
                about = cell.metadata.get("nbgrader", {})
                if about.get("grade") and cell.cell_type == "code":
                    name = about["grade_id"].removesuffix(POINTS)
                    functions[name] = graded_call(cell.source)[1]
            stubs = sum(c.source.count(STUB) for c in notebook.cells if c.cell_type == "code")
            parts[path.stem] = Part(folder.name, path.stem, functions, stubs)
        if parts:
            sets[folder.name] = parts
    return sets


def recognise(
    file: str, notebook: NotebookNode, folder: str, sets: Mapping[str, Mapping[str, Part]]
) -> Part | None:
    """Return the part of the course that a notebook is; None if it is none.

    What it holds decides. Where that says nothing, or two parts as much, its name does.

    Args:
        file: its name, with any ending.
        notebook: what it holds.
        folder: the problem set whose folder it lies in, or "".
        sets: what was handed out.
    """
    parts = [part for named in sets.values() for part in named.values()]
    likeness = {id(part): part.likeness(notebook) for part in parts}
    name = re.sub(r"\.ipynb.*$", "", file, flags=re.IGNORECASE).casefold()

    def fit(part: Part) -> tuple[int, bool, bool, bool, int]:
        marked, written = likeness[id(part)]
        mine = part.name.casefold()
        return marked, name == mine, mine in name, part.set == folder, written

    best = max(parts, key=fit, default=None)
    if best is None:
        return None
    marked, same, like, _, written = fit(best)
    return best if marked or same or like or written else None


def copy_number(file: str) -> int:
    """Return which copy a file says it is: 1 of `01_problems (1).ipynb`, 0 of `01_problems.ipynb`.

    Browsers and learning platforms count on when a file is handed in again.
    """
    stem = re.sub(r"\.ipynb.*$", "", os.path.basename(file), flags=re.IGNORECASE)  # noqa: PTH119
    found = COPY.search(stem)
    number = next((n for n in found.groups() if n), "1") if found else "0"
    return int(number[:9])
