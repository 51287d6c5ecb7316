"""How long a lesson takes: an estimate from what is in it, so that no card can rot.

Prose, code, what is printed and formulas are read at a steady pace; an exercise takes what its card
says. A section with the mark `> **Second reading.**` below its heading may be left out at first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

# What is read in a minute. Code includes running it and looking at the result.
WORDS, CODE_LINES, PRINTED_LINES, FORMULAS = 200, 10, 20, 1
EXPLORER_MINUTES = 3  # with the sliders of a cell
STEP = 5  # minutes; an estimate is no finer
MARK = "> **Second reading.** "
# Not read at first, in any lesson; the references are looked up.
LATER = ("In the public code bases", "Further exercises")
NEVER = "References"
EXERCISE = re.compile(r"^★+ · (\d+) minutes$", re.MULTILINE)
HINTS = re.compile(r"<details>.*?</details>", re.DOTALL)
PICTURE = re.compile(r"data:image/[^)\"]+")
EXPLORER = re.compile(r"^(explore|compare)_\w+\(", re.MULTILINE)
TIME = re.compile(r"^(\| \*\*Time\*\* \| )about [^;|]+?(;[^|]*)?( \|)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A piece of a lesson below one heading, and the cells that follow it."""

    title: str
    level: int
    text: str
    later: bool  # it may be left out at first
    code: tuple[NotebookNode, ...] = ()

    @property
    def minutes(self) -> float:
        """What it takes."""
        if self.title == NEVER:
            return 0.0
        prose = PICTURE.sub("", HINTS.sub("", self.text))
        total = len(prose.split()) / WORDS + prose.count("$$") / 2 / FORMULAS
        total += sum(int(number) for number in EXERCISE.findall(prose))
        return total + sum(_cell(cell) for cell in self.code)


def sections(notebook: NotebookNode) -> list[Section]:
    """Return the pieces of a lesson in their order."""
    found: list[Section] = []
    left_out = 0  # the level of the heading whose text is for later; 0: none
    for cell in notebook.cells:
        if cell.cell_type == "code":
            last = found.pop()
            code = (*last.code, cell)
            found.append(Section(last.title, last.level, last.text, last.later, code))
            continue
        for title, level, text in _pieces(cell.source):
            if not level and found:  # the section goes on after a cell of code
                title, level = found[-1].title, found[-1].level
            elif not left_out or level <= left_out:
                left_out = level if text.strip().startswith(MARK) or title in LATER else 0
            found.append(Section(title, level, text, bool(left_out)))
    return found


def minutes(notebook: NotebookNode) -> tuple[int, int]:
    """Return the minutes of a lesson, all of it and at first reading, to the nearest five."""
    pieces = sections(notebook)
    whole = sum(piece.minutes for piece in pieces)
    first = sum(piece.minutes for piece in pieces if not piece.later)
    return _round(whole), _round(first)


def spoken(number: int) -> str:
    """Say minutes as people do: 1 h 35 min."""
    hours, rest = divmod(number, 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{rest} min"] * (rest > 0))


def card(notebook: NotebookNode) -> str:
    """Return the first cell of a lesson with its minutes as they are."""
    whole, first = minutes(notebook)
    said = f"about {spoken(whole)}"
    if first < whole:
        said += f" with the exercises, {spoken(first)} at first reading"
    return TIME.sub(lambda row: f"{row[1]}{said}{row[2] or ''}{row[3]}", notebook.cells[0].source)


def _pieces(source: str) -> Iterator[tuple[str, int, str]]:
    """Cut a cell at its headings: title, level (0: no heading), text; code holds no heading."""
    title, level, lines, fenced = "", 0, list[str](), False
    for line in source.split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.+)", line)
        if heading:
            if level or any(lines):
                yield title, level, "\n".join(lines)
            title, level, lines = heading[2], len(heading[1]), []
        else:
            lines.append(line)
    yield title, level, "\n".join(lines)


def _cell(cell: NotebookNode) -> float:
    """Return the minutes of a cell of code; the solution of an exercise is not read."""
    if "exercise" in cell.metadata.get("tags", []):
        return 0.0
    imports = (ast.Import, ast.ImportFrom)
    lines = set(range(1, cell.source.count("\n") + 2))
    for statement in ast.parse(cell.source).body:
        if isinstance(statement, imports):
            lines -= set(range(statement.lineno, (statement.end_lineno or 0) + 1))
    text = cell.source.split("\n")
    read = sum(bool(text[number - 1].strip()) for number in lines)
    printed = sum(output.get("text", "").count("\n") for output in cell.outputs)
    explored = EXPLORER_MINUTES * bool(EXPLORER.search(cell.source))
    return read / CODE_LINES + printed / PRINTED_LINES + explored


def _round(number: float) -> int:
    return STEP * round(number / STEP)
