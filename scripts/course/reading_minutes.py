"""Write into each lesson's card how long it takes, and print all: an estimate from what it holds.

`python scripts/course/reading_minutes.py`; run it after a lesson has changed. Nothing is executed.
"""

from pathlib import Path

import nbformat

from hmr_edu.course.reading import card, minutes, spoken
from hmr_edu.io.files import atomic_write

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def main() -> None:
    """Write the cards that are out of date."""
    for path in sorted(NOTEBOOKS.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        whole, first = minutes(notebook)
        print(f"{path.stem:24s} {spoken(whole):12s} first reading {spoken(first)}")
        written = card(notebook)
        if written != notebook.cells[0].source:
            notebook.cells[0].source = written
            with atomic_write(path) as temporary:
                nbformat.write(notebook, temporary)


if __name__ == "__main__":
    main()
