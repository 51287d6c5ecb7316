"""The map from a paper to the code: a table of docs/paper_map.toml.

```{paper-map} hmr
```
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from lesson_links import link
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TABLE = "paper_map.toml"
HEADER = ["| in the paper | what it is, and where it is here |", "|---|---|"]


@cache
def entries(source: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of every paper."""
    return tomllib.loads((source / TABLE).read_text(encoding="utf-8"))


def row(entry: dict[str, Any]) -> str:
    """Return an entry as a row of a Markdown table."""
    lines = {
        "Code": (link(name) for name in entry.get("code", [])),
        "Lesson": (f"{{lesson}}`{place}`" for place in entry.get("lesson", [])),
        "Test": (f"`{name}`" for name in entry.get("test", [])),
    }
    written = [f"*{name}:* {', '.join(found)}" for name, found in lines.items()]
    return f"| {entry['where']} | {'<br>'.join([entry['what'], *filter(filled, written)])} |"


def filled(line: str) -> bool:
    """Say whether something follows the name of a line."""
    return not line.endswith("* ")


class PaperMap(SphinxDirective):
    """`{paper-map}`: the table of one paper."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        source = Path(self.env.srcdir)
        for read in (source / TABLE, __file__):
            self.env.note_dependency(str(read))
        text = [*HEADER, *map(row, entries(source)[self.arguments[0]])]
        box = nodes.container(classes=["paper-map"])
        self.state.nested_parse(StringList(text, source=TABLE), self.content_offset, box)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("paper-map", PaperMap)
    return {"parallel_read_safe": True}
