"""Links between the lessons and the package, from one table: docs/built_in_lessons.toml.

What a lesson builds is named in the API with a link to the section that builds it, and that
section's page names the package's own version. "04.6" is section 6 of lesson 04.
"""

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

TABLE = "built_in_lessons.toml"
HEADING = re.compile(r"^## ((\d+)\. .+)$", re.MULTILINE)


@cache
def sections(notebooks: Path) -> dict[str, tuple[str, str]]:
    """Return file name and heading of every numbered section, by "lesson.section"."""
    found = {}
    for path in sorted(notebooks.glob("[0-9]*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for heading, number in HEADING.findall("".join(cell["source"])):
                    found[f"{path.name[:2]}.{number}"] = (path.stem, heading)
    return found


@cache
def built(source: Path) -> dict[str, tuple[str, str]]:
    """Return the section that builds something of the package, and its name there."""
    table = tomllib.loads((source / TABLE).read_text(encoding="utf-8"))
    return {code: tuple(place.split()) for code, place in table.items()}


def url(place: str, source: Path, docname: str) -> str:
    """Return the address of a lesson's section as seen from a page."""
    stem, heading = sections(source.parent / "notebooks")[place]
    return f"{'../' * docname.count('/')}lessons/{stem}.html#{nodes.make_id(heading)}"


class Lesson(SphinxRole):
    """The role `lesson`: a link to a section, as in {lesson}`04.6`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link; KeyError names a section that no lesson has."""
        address = url(self.text, Path(self.env.srcdir), self.env.docname)
        number, _, section = self.text.partition(".")
        return [nodes.reference("", f"{number}, section {section}", refuri=address)], []


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Say below a docstring which lesson builds the thing."""
    if name in built(Path(app.srcdir)):
        place, own = built(Path(app.srcdir))[name]
        lines += ["", f"Built in lesson :lesson:`{place}`, as ``{own}``.", ""]


def link(code: str) -> str:
    """Return Markdown for a link to something of the package, by its full name."""
    return f"{{py:obj}}`{code.removeprefix('hmr_edu.')} <{code}>`"


def in_the_package(lesson: str, source: Path) -> dict[str, str]:
    """Return for each section of a lesson, by number, a line that names what it builds."""
    lines: dict[str, list[str]] = {}
    for code, (place, _) in built(source).items():
        number, _, section = place.partition(".")
        if number == lesson:
            lines.setdefault(section, []).append(link(code))
    return {section: f"In the package: {', '.join(names)}" for section, names in lines.items()}


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the role known; listen to autodoc, after napoleon."""
    app.add_role("lesson", Lesson())
    app.connect("autodoc-process-docstring", docstring, priority=600)
    return {"parallel_read_safe": True}
