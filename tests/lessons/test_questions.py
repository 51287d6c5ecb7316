"""The page of questions and claims: its numbers are those of the lessons it names."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?!D)")  # and not the 3 of 3D
LESSON = dict(re.findall(r"^\[([^\]]+)\]: lessons/(\w+)\.ipynb", PAGE, re.MULTILINE))


def said(lesson: str) -> set[str]:
    """Every number in a lesson, in its prose or its printed outputs."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    text = "\n".join(
        cell.source + "".join(o.get("text", "") for o in cell.get("outputs", []))
        for cell in notebook.cells
    )
    return set(NUMBER.findall(text))


def claims() -> list[tuple[str, set[str], str]]:
    """Return (claim, lessons that test it, result) for each claim of the second half."""
    parts = PAGE.split("# The claims")[1].split("\n[00.")[0].split("\n## ")[1:]
    found = []
    for part in parts:
        claim, tested, result = re.fullmatch(
            r"(.+)\nTested in (.+)\n\n(.+)", part.strip(), re.DOTALL
        ).groups()
        names = re.findall(r"\]\[([^\]]+)\]", tested)
        found.append((claim, {LESSON[name] for name in names}, result))
    return found


@pytest.mark.parametrize("row", claims(), ids=lambda row: row[0][:40])
def test_the_numbers_of_a_result_are_in_the_lessons_it_names(row):
    _, lessons, result = row
    assert lessons
    known = set().union(*(said(lesson) for lesson in lessons))
    missing = [n for n in NUMBER.findall(result) if n not in known]
    assert not missing, f"{sorted(lessons)} do not say {missing}"


def test_there_are_claims():
    assert len(claims()) == 14
