"""The lessons as pages: `notebooks/*.ipynb` are copied to `docs/lessons/`, solutions folded away.

An exercise becomes two cells: the stub that a learner gets, and the committed cell with its
solution and its check, behind a click. A table of the lessons' cards is written beside them.
"""

import json
import re
from pathlib import Path
from typing import Any

from lesson_links import in_the_package
from plotly_figures import draw
from sphinx.application import Sphinx

from hmr_edu.course.grading.stub import has_solution, open_exercise

# A link of a lesson, seen from the page that the lesson becomes.
LINKS = {"](../docs/": "](../", "](../notebooks/": "]("}


def prepare(app: Sphinx) -> None:
    """Write the pages; pages of lessons that are gone are removed."""
    source = Path(app.srcdir)
    pages = source / "lessons"
    pages.mkdir(exist_ok=True)
    lessons = sorted((source.parent / "notebooks").glob("*.ipynb"))
    wanted = {"cards.txt": table(lessons)}
    for lesson in lessons:
        notebook = json.loads(lesson.read_text(encoding="utf-8"))
        mentions = in_the_package(lesson.name[:2], source)
        wanted[lesson.name] = json.dumps(page(notebook, mentions), ensure_ascii=False)
    for old in pages.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = pages / name
        # An unchanged page keeps its time, so that Sphinx does not build it again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(notebook: dict[str, Any], mentions: dict[str, str]) -> dict[str, Any]:
    """Return the notebook as a page: links turned, solutions folded, figures that can be turned.

    `mentions` are lines to put at the end of the sections with these numbers.
    """
    cells: list[dict[str, Any]] = []
    section = ""
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for link, turned in LINKS.items():
                text = text.replace(link, turned)
            cell["source"] = text
            headings = re.findall(r"^## (?:(\d+)\. )?", text, re.MULTILINE)
            if headings:
                cells += mention(section, mentions.pop(section, ""))
                section = headings[-1]
        tags = cell.setdefault("metadata", {}).setdefault("tags", [])
        if "exercise" in tags and has_solution(text):
            cells.append(stub(cell, text))
            tags.append("hide-cell")
        cells.append(cell)
    draw(cells)
    # A notebook that was never opened does not say that it is Python.
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    return {**notebook, "cells": cells, "metadata": {**notebook["metadata"], **python}}


def mention(section: str, text: str) -> list[dict[str, Any]]:
    """Return a cell that holds a line about the package, or nothing."""
    cell = {"cell_type": "markdown", "id": f"in-the-package-{section}", "metadata": {}}
    return [{**cell, "source": text}] if text else []


def stub(cell: dict[str, Any], text: str) -> dict[str, Any]:
    """Return an exercise as the learner gets it, not run."""
    return {
        **cell,
        "id": cell.get("id", "exercise") + "-stub",
        "metadata": {"tags": []},
        "source": open_exercise(text),
        "execution_count": None,
        "outputs": [],
    }


def table(lessons: list[Path]) -> str:
    """Return a Markdown table of the lessons: title, what is built, how long it takes."""
    rows = []
    for lesson in lessons:
        first = "".join(json.loads(lesson.read_text(encoding="utf-8"))["cells"][0]["source"])
        title = re.search(r"^# (.+)$", first, re.MULTILINE)
        name = title[1] if title else lesson.stem
        rows.append(
            f"| [{name}](lessons/{lesson.name}) | {card(first, 'You build')} "
            f"| {card(first, 'Time')} |"
        )
    if not rows:
        return "No lessons are committed yet.\n"
    return "\n".join(["| lesson | you build | time |", "|---|---|---|", *rows]) + "\n"


def card(text: str, key: str) -> str:
    """Return a row of a lesson's card, or nothing."""
    row = re.search(rf"^\|\s*\**{key}\**\s*\|(.*)\|\s*$", text, re.MULTILINE | re.IGNORECASE)
    return row[1].strip() if row else ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx when to do it."""
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True}
