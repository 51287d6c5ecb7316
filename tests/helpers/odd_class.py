"""A class that hands in problem set 1 in every odd way, and its marks, worked out by hand.

The lesson is worth 22 points, its problems 10. Whoever solved an exercise has its points, however
the file or its cells came.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

LESSON, PROBLEMS = "01_rodrigues.ipynb", "01_problems.ipynb"
# By hand, from the stars on the cards: a star is two points.
POINTS = {"rotate_point": 2, "skew": 2, "rodrigues": 6, "angle_between": 4, "half_turn_axis": 4}
POINTS |= {"six_to_matrix": 4, "mirror_pose": 4, "mean_rotation": 6}
FULL, OF_LESSON = 32, 22
assert sum(POINTS.values()) == FULL
Notebooks = dict[str, NotebookNode]


@dataclass
class Student:
    """What a student hands in the first and the second time, and the marks ("": not graded)."""

    marks: str
    files: dict[str, bytes]
    again: dict[str, bytes] | None = None  # None: the same again
    marks_again: str = ""
    named: list[str] = field(default_factory=list)  # what is said of it in the first grading


def exercise(notebook: NotebookNode, name: str) -> int:
    """Return the place of a cell by its `grade_id`."""
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    return ids.index(name)


def data(notebook: NotebookNode) -> bytes:
    """Return a notebook as a file; a copied cell has the same id, as in some programs."""
    return json.dumps(notebook).encode()


def files(notebooks: Notebooks, folder: str = "ps1/") -> dict[str, bytes]:
    """Return notebooks as the files of a folder."""
    return {folder + name: data(notebook) for name, notebook in notebooks.items()}


def packed(content: dict[str, bytes]) -> bytes:
    """Return a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    return file.getvalue()


def with_lesson(solved: Notebooks, *changes: Callable[[NotebookNode], None]) -> dict[str, bytes]:
    """Return the files of a student who did this to the lesson's cells."""
    mine = copy.deepcopy(solved)
    for change in changes:
        change(mine[LESSON])
    return files(mine)


def stripped(notebook: NotebookNode) -> None:
    """Lose all metadata, as some programs do."""
    for cell in notebook.cells:
        cell.metadata = NotebookNode()


def retyped(notebook: NotebookNode) -> None:
    """Type one exercise again at the end, and delete its cell."""
    cell = notebook.cells.pop(exercise(notebook, "rodrigues"))
    notebook.cells.append(new_code_cell(cell.source))


def moved(notebook: NotebookNode) -> None:
    """Move a graded cell to the top."""
    notebook.cells.insert(0, notebook.cells.pop(exercise(notebook, "skew_points")))


def copied(notebook: NotebookNode) -> None:
    """Work in a copy of an exercise's cell, graded cell and all; the open one stays."""
    for name in ("skew", "skew_points"):
        cell = copy.deepcopy(notebook.cells[exercise(notebook, name)])
        notebook.cells.append(cell)
    first = notebook.cells[exercise(notebook, "skew")]
    first.source = 'def skew(v):\n    raise NotImplementedError("write me")'


def split(notebook: NotebookNode) -> None:
    """Split a cell above its function: both halves have the metadata."""
    place = exercise(notebook, "skew")
    half = copy.deepcopy(notebook.cells[place])
    half.source = "HALF = 0.5"
    notebook.cells.insert(place, half)


def merged(notebook: NotebookNode) -> None:
    """Merge a graded cell with the exercise below it: the graded cell's metadata stay."""
    graded = notebook.cells[exercise(notebook, "skew_points")]
    below = notebook.cells.pop(exercise(notebook, "rodrigues"))
    graded.source += "\n\n" + below.source


def magical(notebook: NotebookNode) -> None:
    """Use what Jupyter runs and Python does not."""
    cell = notebook.cells[exercise(notebook, "skew")]
    cell.source = (
        f"%%time\n%%capture said\nhere = !pwd\nskew_of = 'a\u2028b\x85c'\n{cell.source}\n\nskew?"
    )
    cell = notebook.cells[exercise(notebook, "rodrigues")]
    cell.source = (
        f"from __future__ import annotations\n!pip --version \\\n  -q\n{cell.source}\n\x0c"
    )


def class_of(number: int, solved: Notebooks, blank: Notebooks) -> dict[str, Student]:
    """Return students by their folders' names: twelve odd ones, and ordinary ones up to `number`.

    Args:
        number: how many.
        solved: the notebooks of the problem set with solutions.
        blank: the same as they are handed out.
    """
    full = files(solved)
    half = {LESSON: solved[LESSON], PROBLEMS: blank[PROBLEMS]}
    open_one = copy.deepcopy(solved)
    open_one[LESSON].cells[exercise(solved[LESSON], "rodrigues")].source = (
        blank[LESSON].cells[exercise(blank[LESSON], "rodrigues")].source
    )
    everything_open = copy.deepcopy(half)
    for notebook in everything_open.values():
        stripped(notebook)
    lesson, problems = full[f"ps1/{LESSON}"], full[f"ps1/{PROBLEMS}"]
    yesterday = data(blank[PROBLEMS])
    found = {
        "stripped": Student("22", files(everything_open), named=["cells put right"]),
        "retyped": Student("32", with_lesson(solved, retyped)),
        "moved_split_merged": Student("32", with_lesson(solved, moved, split, merged)),
        "copied": Student("32", with_lesson(solved, copied)),
        "magical": Student("32", with_lesson(solved, magical)),
        # Handed in again under another name: the blank file of yesterday does not count.
        "second copy": Student(
            "32",
            {f"ps1/{LESSON}": lesson, "ps1/01_problems (1).ipynb": problems,
             f"ps1/{PROBLEMS}": yesterday},
            named=["01_problems.ipynb: ps1/01_problems (1).ipynb is graded in its place"],
        ),
        # Brackets, stars, question marks, a space at the end; first solved, then withdrawn.
        "Zoë [1]*? ": Student(
            "32",
            {f"ps1/deep/er/{LESSON}": lesson, "problems.IPYNB": problems, "photo.jpg": b"\xff"},
            again={f"ps1/{LESSON}": lesson},
            marks_again="22",
            named=["photo.jpg: no notebook", "is written down as"],
        ),
        "Z": Student("0", files(blank), again=full, marks_again="32"),
        "zipped": Student("32", {"hand in.zip": packed(files(solved, "me/PS 01/"))}),
        "no_notebook": Student(
            "", {"ps1/skew.py": b"def skew(v): pass"}, named=["skew.py: a program", "wanted are"]
        ),
        "unreadable": Student(
            "22",
            {f"ps1/{LESSON}": lesson, f"ps1/{PROBLEMS}": b"{this is no notebook"},
            again={},
            named=["01_problems.ipynb is no notebook", "not handed in: 01_problems"],
        ),
        "bomb": Student("", {"ps1.zip": packed({"../../escape.ipynb": lesson})},
                        again=full, marks_again="32", named=["leads out of its folder"]),
    }  # fmt: skip
    ordinary = [("32", full), ("26", files(open_one)), ("0", files(blank)), ("22", files(half))]
    for place in range(number - len(found)):
        marks, handed_in = ordinary[place % len(ordinary)]
        found[f"student{place:02d}"] = Student(marks, handed_in)
    return dict(list(found.items())[:number])


def write(folder: Path, content: dict[str, bytes]) -> None:
    """Write a student's files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, member in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member)


def second(students: dict[str, Student]) -> Iterator[tuple[str, dict[str, bytes], str]]:
    """Yield name, files and marks of the second time."""
    for name, student in students.items():
        if student.again is None:
            yield name, student.files, student.marks
        else:
            yield name, student.again, student.marks_again
