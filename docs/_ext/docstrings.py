"""Docstrings as they read in the source: prose, `code` between single backticks, Args sections.

sphinx.ext.napoleon reads the sections.
Three things are left to do here.
A single backtick makes a link of a name that the site documents, and code of anything else.
Prose may hold | and *, which mean something in reStructuredText.
Signatures show what somebody wrote: "batch 3" in double quotes, no <factory>, no field numbers.
"""

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

BACKTICKS = re.compile(r"(`[^`]+`)")
NAME = re.compile(r"[A-Za-z_][\w.]*")


class Code(SphinxRole):
    """The role of single backticks."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return a link for a name, code for anything else."""
        if not NAME.fullmatch(self.text):
            return [nodes.literal(self.rawtext, self.text)], []
        link = self.env.get_domain("py").role("obj")
        return link("py:obj", self.rawtext, self.text, self.lineno, self.inliner)


def escape(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Take the special meaning from | and * in a docstring's prose, in place."""
    literal = False  # an indented block after `::`
    for i, line in enumerate(lines):
        literal = literal and (not line or line.startswith(" "))
        if not literal:
            parts = BACKTICKS.split(line)
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            lines[i] = "".join(parts)
        literal = literal or line.endswith("::")


def signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, args: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write `...` for a default that is made anew for every object."""
    return args and args.replace("<factory>", "..."), returns


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples: they are in the signature."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def double_quotes(app: Sphinx, doctree: nodes.document) -> None:
    """Show strings in signatures with the quotes that the package writes."""
    for string in doctree.findall(addnodes.desc_sig_literal_string):
        text = string.astext()
        if text[:1] == text[-1:] == "'" and '"' not in text:
            string.children = [nodes.Text(f'"{text[1:-1]}"')]


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to autodoc, before napoleon does."""
    app.setup_extension("sphinx.ext.napoleon")
    app.add_role("code_or_link", Code())
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", double_quotes)
    return {"parallel_read_safe": True}
