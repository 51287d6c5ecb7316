"""The directive of the API pages: a section for each module of a room.

    :::{modules} hmr_edu.data
    batch synthetic
    :::

documents these two; `*` stands for every module of the package that no other such directive of
the page names, so that a new module is documented without anybody's doing (packages inside it
have pages of their own). Without a list the
module itself is documented.
"""

import pkgutil
import re
from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Modules(SphinxDirective):
    """`{modules}`: sections with `automodule` inside."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        room = self.arguments[0]
        names = " ".join(self.content).split()
        if not names:
            return self.document(room)
        self.env.note_reread()  # a new module changes the page without changing its text
        if "*" in names:
            text = self.env.doc2path(self.env.docname).read_text(encoding="utf-8")
            blocks = re.findall(rf"\{{modules\}} {re.escape(room)}\n(.*?)\n:::", text, re.DOTALL)
            named = set(" ".join(blocks).split())
            folder = import_module(room).__path__
            found = {m.name for m in pkgutil.iter_modules(folder) if not m.ispkg}
            names = sorted(found - named)
        return [self.section(f"{room}.{name}") for name in names]

    def section(self, module: str) -> nodes.section:
        """Return a module's section, with a heading that can be linked to."""
        title = module.removeprefix("hmr_edu.")
        section = nodes.section(ids=[nodes.make_id(title)], names=[title.lower()])
        section += nodes.title("", "", nodes.literal("", title))
        self.state.document.note_explicit_target(section)
        section += self.document(module)
        return section

    def document(self, module: str) -> list[nodes.Node]:
        """Return what autodoc says of the module."""
        text = ["```{eval-rst}", f".. automodule:: {module}", "```"]
        container = nodes.Element()
        self.state.nested_parse(StringList(text, source=module), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
