"""How pages and lessons are written: lines that fit, and the field's words."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WIDTH = 120
# `docs/lessons/` and `docs/_build/` are written by the build.
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "lessons"} & set(path.relative_to(DOCS).parts[:-1])
)
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
CODE = re.compile(r"^(`{3,}|~{3,}|:{3,}\{modules\}).*?^\1|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK_TARGET = re.compile(r"\]\([^)]*\)|^\[[^\]]+\]: .*$", re.MULTILINE)
# A word that hides the field's own, and the field's own.
WORDS = {
    r"trunks?": "backbone (or torso)",
    r"marks": "annotations",
    r"turned round": "facing flipped",
    r"handed round": "shuffled baseline",
    r"second look|looks? twice": "flip test",
    r"source document": "the paper, or a common description of HMR",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def cells(path: Path) -> list[str]:
    """The markdown cells of a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]


def long_lines(text: str) -> list[str]:
    """Lines that do not fit. A picture as data is not read, and an option cannot be wrapped."""
    text = re.sub(r"data:image/[^)\"]+", "", re.sub(r"^:alt: .*$", "", text, flags=re.MULTILINE))
    return [f"{len(x)}: {x[:60]}..." for x in text.splitlines() if len(x) > WIDTH]


def hidden_terms(text: str) -> list[str]:
    """Say which word of the prose should be which; code and link targets are not prose."""
    text = LINK_TARGET.sub("]", CODE.sub("", text))
    text = re.sub(r"\s+", " ", text)
    return [
        f"{found[0]!r} should be {better}: ...{text[max(0, found.start() - 40) : found.end() + 20]}"
        for word, better in WORDS.items()
        for found in re.finditer(rf"\b(?:{word})\b", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_lines_of_a_page_fit(path):
    assert not long_lines(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_lines_of_a_notebook_fit(path):
    assert not [line for cell in cells(path) for line in long_lines(cell)]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_uses_the_words_of_the_field(path):
    assert not hidden_terms(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_uses_the_words_of_the_field(path):
    assert not [term for cell in cells(path) for term in hidden_terms(cell)]


def test_what_the_tests_above_refuse():
    """Both rules see what they are for, across line ends too, and leave code alone."""
    assert long_lines("x" * 121)
    assert not long_lines("x" * 120)
    assert hidden_terms("The body is turned\nround.")
    assert hidden_terms("Keypoints are Marks.")
    assert not hidden_terms("`trunk` and [a link](second look.md)\n\n```\nmarks\n```\n")


@pytest.mark.parametrize("entry", re.split(r"\n\n(?=\S)", (DOCS / "glossary.md").read_text()))
def test_a_glossary_entry_says_what_else_it_is_called(entry):
    if "{glossary}" in entry or not entry.startswith("#"):
        assert len(re.findall(r"^  Also called: \S", entry, re.MULTILINE)) == 1, entry
