"""Self-contained HTML: one style, small builders, pictures inlined. Nothing is loaded from outside.

Arguments named `text` or `title` are escaped here; those named `html` are markup already.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from jaxtyping import UInt8
from PIL import Image

STYLE = """
:root { --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --tint: #f6f8fa; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); }
figure { margin: 1rem 0; }
figcaption, caption, .small { font-size: .875rem; max-width: 46rem; }
caption { caption-side: bottom; text-align: left; padding-top: .5rem; }
img { max-width: 100%; height: auto; vertical-align: top; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .85em; }
pre { background: var(--tint); padding: 1rem; border-radius: 8px; overflow-x: auto; margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .925rem; }
th, td { padding: .35rem .65rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--soft); font-weight: 600; white-space: normal;
  vertical-align: bottom; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 400; }
tr.strong th, tr.strong td { font-weight: 650; background: #eef6fc; }
tr.strong th { padding-left: .5rem; }
td small { display: block; color: var(--soft); font-weight: 400; }
.tiles { display: grid; gap: 1rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.tile { border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.25rem; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; font-weight: 650;
  color: var(--accent); font-variant-numeric: tabular-nums; }
.tile span { display: block; }
.note { border-left: 4px solid #e69f00; background: #fff8e8; padding: .75rem 1rem;
  border-radius: 0 8px 8px 0; margin: 1rem 0; }
.note ul { margin: .25rem 0; padding-left: 1.2rem; }
.people { display: grid; gap: 6px; min-width: 620px; }
.people img { width: 100%; border-radius: 6px; }
.people .head { font-size: .85rem; color: var(--soft); align-self: end; text-align: center; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
.charts figure { margin: 0; }
details { border: 1px solid var(--line); border-radius: 8px; margin: .75rem 0; }
summary { padding: .6rem 1rem; cursor: pointer; font-weight: 600; }
details > :not(summary) { border-top: 1px solid var(--line); border-radius: 0 0 8px 8px; }
@media print { main { max-width: none; } details { break-inside: avoid; } }
"""


def page(title: str, html: str, style: str = "", head: str = "") -> str:
    """Wrap a body in a whole page. `style` is added to the house style, `head` to the head."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # An empty icon, or the browser would ask the server for one.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n{head}</head>\n"
        f"<body>\n<main>\n{html}\n</main>\n</body>\n</html>\n"
    )


def encode_image(image: UInt8[np.ndarray, "height width channels"], quality: int = 88) -> str:
    """Make a data URI: JPEG for RGB, PNG where there is an alpha channel."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    if image.shape[-1] == 4:
        picture.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        # No chroma subsampling: it smears the edges of small coloured bodies.
        picture.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def img(source: str, text: str) -> str:
    """Show a picture; `text` says what is to be seen to those who do not see it."""
    return f'<img src="{source}" alt="{escape(text, quote=True)}">'


def svg_figure(svg: str, text: str, caption: str = "") -> str:
    """Show a drawing. As an image of its own, so that ids in several SVGs cannot clash."""
    data = base64.b64encode(svg.encode()).decode()
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{img(f'data:image/svg+xml;base64,{data}', text)}{under}</figure>"


def table(
    header: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str], bool]],
    caption: str = "",
) -> str:
    """Make a table: rows of (title, cells as markup, whether to stress the row)."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    body = "\n".join(
        f'<tr{" class=strong" if strong else ""}><th scope="row">{escape(title)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for title, cells, strong in rows
    )
    under = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{under}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def folded(title: str, text: str) -> str:
    """Fold away preformatted text."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
