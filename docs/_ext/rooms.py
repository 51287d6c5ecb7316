"""The drawing of the rooms: who imports whom, read from the code while the site is built.

```{rooms}
```

Floors are those of the import contract in pyproject.toml, the ground floor at the bottom.
Lines are what the code imports, found by grimp, which import-linter stands on.
A line that follows from others is drawn only while the pointer is on its room.
"""

import tomllib
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import grimp
from docutils import nodes
from layered_layout import lay_out
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PACKAGE = "hmr_edu"
WIDTH, BOX, HEIGHT, ROW, MARGIN = 660, 112, 34, 66, 4  # user units of the drawing

Imports = dict[str, set[str]]


def room_imports() -> tuple[Imports, dict[str, int]]:
    """Return the rooms that each room imports, and how many files each has."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    imports: Imports = {}
    files: dict[str, int] = {}
    for module in graph.modules - {PACKAGE}:
        room = module.split(".")[1]
        files[room] = files.get(room, 0) + 1
        found = graph.find_modules_directly_imported_by(module) - {PACKAGE}
        imports.setdefault(room, set()).update({name.split(".")[1] for name in found} - {room})
    return imports, files


def contract_floors(pyproject: Path) -> list[list[str]]:
    """Return the floors of the import contract, top first."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.replace("|", " ").replace(":", " ").split() for layer in layers]


def rows_of(floors: list[list[str]], imports: Imports) -> list[list[str]]:
    """Return the floors, top first, those with imports inside them taken apart."""
    rows: list[list[str]] = []
    for floor in floors:
        left = set(floor)
        while left:
            top = {room for room in left if not any(room in imports[other] for other in left)}
            if not top:
                raise ValueError(f"rooms import each other in a circle: {sorted(left)}")
            rows.append([room for room in floor if room in top])
            left -= top
    return rows


def essential(imports: Imports) -> set[tuple[str, str]]:
    """Return the imports that do not follow from others (the transitive reduction)."""

    def below(room: str) -> set[str]:
        return imports[room].union(*(below(other) for other in imports[room]))

    return {
        (room, other)
        for room in imports
        for other in imports[room]
        if not any(other in below(third) for third in imports[room])
    }


def drawing(rows: list[list[str]], imports: Imports, files: dict[str, int], page: str) -> str:
    """Return the SVG; `page` is the address of a room's page, with {} for its name."""
    lines = essential(imports)
    x, paths = lay_out(rows, lines, WIDTH, BOX)
    at = {
        room: (x[room], MARGIN + HEIGHT / 2 + ROW * i) for i, row in enumerate(rows) for room in row
    }
    parts, rules = [], []
    for room, (_, y0) in at.items():
        for other in sorted(imports[room], key=lambda r: at[r]):
            kind = "line" if (room, other) in lines else "line implied"
            passed = paths.get((room, other), [room, other])
            stops = [(x[node], y0 + ROW * i) for i, node in enumerate(passed[:-1])]
            parts.append(f'<path class="{kind} from-{room}" d="{curve([*stops, at[other]])}"/>')
        rules.append(f".rooms:has(.room-{room}:is(:hover,:focus-visible)) .from-{room}")
    for room, (x0, y0) in at.items():
        says = f"{room} imports {', '.join(sorted(imports[room])) or 'no other room'}"
        count = "1 file" if files[room] == 1 else f"{files[room]} files"
        parts.append(
            f'<a class="room room-{room}" href="{page.format(room)}"><title>{says}</title>'
            f'<rect x="{x0 - BOX / 2:.0f}" y="{y0 - HEIGHT / 2:.0f}" width="{BOX}"'
            f' height="{HEIGHT}" rx="6"/>'
            f'<text x="{x0:.0f}" y="{y0 - 1:.0f}">{room}</text>'
            f'<text class="small" x="{x0:.0f}" y="{y0 + 12:.0f}">{count}</text></a>'
        )
    height = ROW * (len(rows) - 1) + HEIGHT + 2 * MARGIN
    alt = "Rooms in floors: " + "; ".join(", ".join(row) for row in reversed(rows))
    shown = "stroke: var(--pst-color-primary); stroke-width: 2.4; opacity: 1; visibility: visible"
    return (
        f'<div class="rooms" role="figure" aria-label="{escape(alt)}">'
        f'<svg viewBox="-2 0 {WIDTH + 4} {height}"><style>{",".join(rules)} {{ {shown} }}</style>'
        f"{''.join(parts)}</svg></div>"
    )


def curve(stops: list[tuple[float, float]]) -> str:
    """Return a path down through these points, upright where it passes a row."""
    half = HEIGHT / 2
    text = f"M{stops[0][0]:.0f},{stops[0][1] + half:.0f}"
    for (x0, y0), (x1, y1) in pairwise(stops):
        top, bottom = y0 + half, y1 - half
        bend = (bottom - top) / 2
        text += f"C{x0:.0f},{top + bend:.0f} {x1:.0f},{bottom - bend:.0f} {x1:.0f},{bottom:.0f}"
        text += f"V{y1 + half:.0f}"
    return text.rpartition("V")[0]


class Rooms(SphinxDirective):
    """`{rooms}`: the drawing, and the same as a list."""

    def run(self) -> list[nodes.Node]:
        """Read the imports and draw them."""
        self.env.note_reread()
        imports, files = room_imports()
        floors = contract_floors(Path(self.env.srcdir).parent / "pyproject.toml")
        rows = rows_of(floors, imports)
        for upper, lower in pairwise(rows):
            assert not any(set(upper) & imports[room] for room in lower), (upper, lower)
        return [nodes.raw("", drawing(rows, imports, files, "{}.html"), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True}
