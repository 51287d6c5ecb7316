"""The cards of the exercises: whoever is stuck finds an idea first, and code only after it."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
HINT = re.compile(r"<details><summary>(.+?)</summary>\n\n(.+?)\n</details>", re.DOTALL)
STEPS = ["Hint 1: the idea", "Hint 2: in code"]
CALL = re.compile(r"`[^`]*\w\([^`]*`")  # code that calls something


def cards() -> dict[str, str]:
    """The text before each exercise, by the exercise's name."""
    found = {}
    for path in sorted(FOLDER.rglob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        for card, cell in pairwise(cells):
            if "exercise" in cell.metadata.get("tags", []):
                found[cell.metadata.nbgrader.grade_id] = card.source
    return found


CARDS = cards()


def faults(card: str) -> list[str]:
    """What is wrong with a card's hints."""
    hints = HINT.findall(card)
    if [title for title, _ in hints] != STEPS or card.count("<details>") != len(STEPS):
        return [f"its hints are {[title for title, _ in hints]}"]
    (_, idea), (_, code) = hints
    called = [f"the idea gives code away: {call}" for call in CALL.findall(idea)]
    silent = [] if "`" in code or "$" in code else ["the code has no code"]
    return called + silent + (["both say the same"] if idea == code else [])


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_a_hint_of_an_idea_and_one_of_code(name):
    assert not faults(CARDS[name])


def test_what_the_test_above_refuses():
    first, second = (f"<details><summary>{step}</summary>\n\n{{}}\n</details>" for step in STEPS)
    card = f"{first}\n\n{second}"
    assert not faults(card.format("Add them.", "`torch.cat(a)` adds."))
    assert faults(card.format("Use `torch.cat(a)`.", "`torch.cat(a)` adds."))
    assert faults(card.format("Add them.", "Add them."))
    assert faults(first.format("Add them."))
    assert faults("Add them.")
