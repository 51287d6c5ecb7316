"""What cards and pages say of minutes is what the lessons hold; what may be skipped is marked."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from hmr_edu.course.reading import MARK, STEP, TIME, card, minutes, sections, spoken

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
PROBLEMS = [path for path in NOTEBOOKS if path not in LESSONS]
SIX = [path for path in LESSONS if 1 <= int(path.name[:2]) <= 6]
SPOKEN = re.compile(r"(?:(\d+) h)?(?: ?(\d+) min)?")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def number(text: str) -> int:
    """Minutes of "1 h 35 min"."""
    hours, rest = SPOKEN.fullmatch(text.strip()).groups("0")
    return 60 * int(hours) + int(rest)


def said(text: str) -> list[int]:
    """All minutes that a text says."""
    return [number(found) for found in re.findall(r"\d+ h(?: \d+ min)?|\d+ min\b", text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_card_says_how_long_it_takes(path):
    """Within a step, so that a sentence more does not fail. To write all cards anew:
    python scripts/course/reading_minutes.py
    """
    notebook = read(path)
    row = re.search(r"^\| \*\*Time\*\* \| (.+) \|$", notebook.cells[0].source, re.MULTILINE)[1]
    whole, first = minutes(notebook)
    told = said(row.partition(";")[0])
    assert abs(told[0] - whole) <= STEP
    assert abs(told[-1] - first) <= STEP
    assert TIME.search(notebook.cells[0].source)


def test_the_instructor_s_page_says_the_same():
    page = (ROOT / "docs" / "instructor.md").read_text(encoding="utf-8")
    page = page[page.index("## Six weeks") : page.index("## Rubric")]
    six, problems = ([minutes(read(p))[0] for p in paths] for paths in (SIX, PROBLEMS))
    others = ("00", "08", "09", "10")
    others = [minutes(read(path))[0] for path in LESSONS if path.name[:2] in others]
    true = [min(six), max(six), min(problems), max(problems), *others]
    assert len(said(page)) == len(true)
    for told, wanted in zip(said(page), true, strict=True):
        assert abs(told - wanted) <= STEP


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_readme_says_the_same(path):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(
        rf"^\| \[.*\(notebooks/{path.name}\) \| .* \| (\d+) \|$", page, re.MULTILINE
    )
    assert abs(int(told) - minutes(read(path))[0]) <= STEP


def test_the_front_page_says_the_same():
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert "on one page, in an hour" in page
    assert abs(minutes(read(LESSONS[0]))[0] - 60) <= 2 * STEP


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_what_may_be_skipped_has_one_mark_and_no_exercise(path):
    notebook = read(path)
    marked = [s for s in sections(notebook) if s.later]
    for section in marked:
        assert "★ ·" not in section.text, section.title
    words = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    lines = re.findall(r"^.*second reading.*$", words, re.MULTILINE | re.IGNORECASE)
    for line in lines:
        assert re.fullmatch(re.escape(MARK) + r"[A-Z].+\.", line), line
    below = re.findall(rf"^##+ .+\n\n{re.escape(MARK)}", words, re.MULTILINE)
    explained = path == LESSONS[0]
    assert len(lines) == len(below) + explained
    if path in SIX:
        assert below


# The estimate by hand.


def lesson(*sources: str) -> nbformat.NotebookNode:
    """A notebook of Markdown; what begins with "code:" is code that prints twenty lines."""
    cells = []
    for source in sources:
        if source.startswith("code:"):
            printed = new_output("stream", name="stdout", text="x\n" * 20)
            cells.append(new_code_cell(source.removeprefix("code:"), outputs=[printed]))
        else:
            cells.append(new_markdown_cell(source))
    return new_notebook(cells=cells)


def total(*sources: str) -> float:
    return sum(s.minutes for s in sections(lesson(*sources)))


def test_minutes_by_hand():
    words = "word " * 198
    assert total(f"# A b\n\n{words}and one") == pytest.approx(1.0)
    assert total("# A\n\n$$x$$") == pytest.approx(1 + 1 / 200)
    assert total("# A", "code:import torch\n" + "x = 1\n" * 10) == pytest.approx(1 + 1)
    assert total("# A\n\n★★ · 12 minutes") == pytest.approx(12 + 4 / 200)
    assert total("# A", "code:y = 1\nexplore_it(y)") == pytest.approx(0.2 + 1 + 3)
    hint = "<details><summary>Hint</summary>\n\n" + words + "\n</details>"
    assert total(f"# A\n\n{hint}") == 0
    assert total(f"# A\n\n## References\n\n{words}") == 0


def test_what_is_marked_ends_at_the_next_heading_of_its_size():
    skipped = f"## B\n\n{MARK}Skip it.\n\n" + "word " * 1000
    notebook = lesson(
        "# A\n\n" + "word " * 2000, skipped, "code:x = 1", "### C\n\nword", "## D\n\nword"
    )
    found = {s.title: s.later for s in sections(notebook)}
    assert found == {"A": False, "B": True, "C": True, "D": False}
    assert minutes(notebook) == (15, 10)


def test_a_card_is_written_anew():
    old = "# A\n\n| **Time** | about 3 min; the CPU needs a minute |\n\n" + "word " * 4000
    new = card(lesson(old, f"## B\n\n{MARK}Skip.\n\n" + "word " * 13000))
    row = "| **Time** | about 1 h 25 min with the exercises, 20 min at first reading; the CPU"
    assert row in new
    assert "| **Time** | about 20 min; the CPU needs a minute |" in card(lesson(old))
    assert [spoken(n) for n in (25, 60, 95)] == ["25 min", "1 h", "1 h 35 min"]
    assert [number(spoken(n)) for n in (25, 60, 95)] == [25, 60, 95]
