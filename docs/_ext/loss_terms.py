"""The directive `{loss-terms}`: the registry of losses as a table."""

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from lesson_links import link
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hmr_edu import losses


class LossTerms(SphinxDirective):
    """A row for each term: its option, its default weight, what it measures."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.env.note_dependency(losses.__file__)
        text = ["| term | weight | what it measures | of |", "|---|---|---|---|"]
        for name, term in losses.TERMS.items():
            of = "each step" if term.per_step else "the encoder"
            text.append(f"| `{name}` | {term.weight:g} | {term.help} | {of} |")
        text += ["", f"The registry is {link('hmr_edu.losses.TERMS')}."]
        box = nodes.container()
        self.state.nested_parse(StringList(text, source="losses.py"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("loss-terms", LossTerms)
    return {"parallel_read_safe": True}
