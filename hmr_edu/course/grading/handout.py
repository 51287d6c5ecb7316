"""What lies beside the notebooks of a problem set: a README, made from pages of the documentation.

No text is kept twice: help, glossary, notation and questions are the pages' own, in plain Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

README = "README.md"
PAGES = ("when_stuck", "glossary", "notation", "questions")
# Links into the repository lead nowhere from a folder of homework: only their text stays.
LOCAL_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#|data:|attachment:)[^)\s]+\)")
NAMED_LINK = re.compile(r"\[([^\]]+)\]\[[^\]]+\]")
TARGET = re.compile(r"^\[[^\]]+\]: \S+\n?", re.MULTILINE)
# What only Sphinx reads: {term}`shown <entry>`, the lines of a fence, and the terms inside.
ROLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)(?:\s*<[^`>]+>)?`")
GLOSSARY = re.compile(r"^:::\{glossary\}\n(.*?)^:::$", re.DOTALL | re.MULTILINE)
HEAD = """\
# {name}: read me first

The notebooks of this folder are yours to fill in: {notebooks}.
Open them in JupyterLab, beside this file.
Write your functions where a cell says `raise NotImplementedError`; the cell below each checks it.
Hand in the notebooks under their names. This file stays with you.
"""


def readme(docs: Path, name: str, notebooks: Sequence[str]) -> str:
    """Return the README of a problem set; lessons without documentation have a short one.

    Args:
        docs: the folder of the documentation's pages.
        name: the problem set, "ps1".
        notebooks: the names of its notebooks.
    """
    pages = [docs / f"{page}.md" for page in PAGES]
    texts = [plain(page.read_text(encoding="utf-8")) for page in pages if page.is_file()]
    head = HEAD.format(name=name, notebooks=", ".join(f"`{n}`" for n in notebooks))
    if texts:
        titles = (text.partition("\n")[0].lstrip("# ") for text in texts)
        head += "\nBelow you find:\n\n" + "".join(f"- {title}\n" for title in titles)
    return "\n".join([head, *(_one_level_down(text) for text in texts)])


def plain(page: str) -> str:
    """Return a page as Markdown that every program shows: no roles, no links into the site."""
    page = GLOSSARY.sub(_entries, page)
    page = TARGET.sub("", NAMED_LINK.sub(r"\1", LOCAL_LINK.sub(r"\1", ROLE.sub(r"\1", page))))
    return page.strip() + "\n"


def _entries(glossary: re.Match[str]) -> str:
    """Return the glossary's entries as paragraphs: the terms in bold, what they mean below."""
    lines = []
    for line in glossary[1].splitlines():
        # A term stands at the margin, and each of its names on a line.
        lines.append(line.strip() if line.startswith(" ") or not line else f"**{line}**\\")
    return "\n".join(lines)


def _one_level_down(text: str) -> str:
    """Return a page whose headings are one level lower; a line of code is no heading."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(p if p.startswith("```") else re.sub(r"(?m)^#", "##", p) for p in parts)
