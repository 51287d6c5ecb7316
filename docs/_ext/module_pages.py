"""The directive of the API pages: a section for each module of a room.

    :::{modules} hmr_edu.data
    batch source
    :::

documents these two.
`*` stands for every other module of the package, `**` also for those of the packages inside it;
neither repeats what another such directive of the API pages documents.
So a new module is documented without anybody's doing.
Without a list the module itself is documented.
"""

import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BLOCK = re.compile(r"\{modules\} (\S+)\n(.*?):::", re.DOTALL)


def listed(pages: Path) -> tuple[set[str], set[str]]:
    """Return the modules that the pages of a folder name, and the rooms that they name with `*`."""
    named, rooms = set(), set()
    for page in pages.glob("*.md"):
        for room, content in BLOCK.findall(page.read_text(encoding="utf-8")):
            names = content.split()
            rooms |= {room} if "*" in names else set()
            named |= {f"{room}.{name}" for name in names if "*" not in name}
            named |= set() if names else {room}
    return named, rooms


def modules_of(room: str, names: list[str], pages: Path) -> list[str]:
    """Return the modules of a directive: those it names, then those its stars stand for."""
    result = [f"{room}.{name}" for name in names if "*" not in name]
    named, rooms = listed(pages)
    folder = import_module(room).__path__ if "*" in names or "**" in names else []
    find = pkgutil.walk_packages if "**" in names else pkgutil.iter_modules
    for module in sorted(find(folder, f"{room}."), key=lambda module: module.name):
        package, _, name = module.name.rpartition(".")
        elsewhere = package in rooms and not (package == room and "*" in names)
        if not (module.ispkg or name == "__main__" or module.name in named or elsewhere):
            result.append(module.name)
    return result


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
        pages = Path(self.env.srcdir) / "api"
        return [self.section(module) for module in modules_of(room, names, pages)]

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
