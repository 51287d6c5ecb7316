"""Figures to turn with the mouse: a lesson's plotly data as markup that draws itself, offline.

A notebook keeps a plotly figure as data, which JupyterLab draws and myst-nb does not. On a page it
becomes markup with a fixed id, and plotly.js comes out of the installed package: it is written
into the built site and belongs to no repository.
"""

from html import escape
from pathlib import Path
from typing import Any

from plotly.io import to_html
from plotly.offline import get_plotlyjs
from sphinx.application import Sphinx

MIME = "application/vnd.plotly.v1+json"
SCRIPT = "plotly.js"
CONFIG = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def draw(cells: list[dict[str, Any]]) -> None:
    """Turn the plotly outputs of a page's cells into markup, in place.

    The page lies in a folder of its own, beside `_static`. The output's plain text says what is
    to be seen.
    """
    number = 0
    for cell in cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if MIME in data:
                number += 1
                alt = "".join(data["text/plain"])
                output["data"] = {"text/html": markup(data[MIME], number, alt)}


def markup(figure: dict[str, Any], number: int, alt: str) -> str:
    """Return a figure as markup; the first of a page brings the script."""
    parts = {key: figure[key] for key in ("data", "layout", "frames") if key in figure}
    drawn = to_html(
        parts,
        config=CONFIG,
        include_plotlyjs=f"../_static/{SCRIPT}" if number == 1 else False,
        full_html=False,
        auto_play=False,
        default_height=f"{figure.get('layout', {}).get('height', 450)}px",
        div_id=f"plotly-figure-{number}",
        validate=False,
    )
    return framed(drawn, alt)


def framed(drawn: str, alt: str) -> str:
    """Say in words what a drawing shows; where it is too wide, it scrolls."""
    label = escape(alt, quote=True)
    return f'<div role="figure" aria-label="{label}" class="drawing">{drawn}</div>'


def write(app: Sphinx, error: Exception | None) -> None:
    """Put the script where the pages look for it."""
    if error is None and app.builder.format == "html":
        path = Path(app.outdir) / "_static" / SCRIPT
        path.parent.mkdir(exist_ok=True)
        path.write_text(get_plotlyjs(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the script when the pages are there."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
