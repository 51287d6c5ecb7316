"""The page of questions and claims: its numbers are those of the lessons it names."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?!D)")  # and not the 3 of 3D
LINK = re.compile(r"\(lessons/(\w+)\.ipynb#[^)]*\)")


def said(lesson: str) -> set[str]:
    """Every number in a lesson, in its prose or its printed outputs."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    text = "\n".join(
        cell.source + "".join(o.get("text", "") for o in cell.get("outputs", []))
        for cell in notebook.cells
    )
    return set(NUMBER.findall(text))


def claims() -> list[tuple[str, str, str]]:
    """Return the rows (claim, experiment, result) of the second table."""
    table = PAGE.split("# The claims")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [tuple(row) for row in rows[1:]]


@pytest.mark.parametrize("row", claims(), ids=lambda row: row[0][:40])
def test_the_numbers_of_a_result_are_in_the_lessons_it_names(row):
    _, experiment, result = row
    lessons = set(LINK.findall(experiment))
    assert lessons
    known = set().union(*(said(lesson) for lesson in lessons))
    missing = [n for n in NUMBER.findall(result) if n not in known]
    assert not missing, f"{sorted(lessons)} do not say {missing}"
