"""HTML from the templates beside this file: values escaped, pictures inlined, nothing fetched.

A page holds all that it shows; no browser asks another server for anything.
"""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from hmr_edu.io.files import printable

# Every value is escaped, and a value that a template misses is an error.
TEMPLATES = Environment(
    loader=PackageLoader("hmr_edu.viz.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Drawing(NamedTuple):
    """A picture on a page: a data URI, a text for those who cannot see it, a caption below it."""

    source: str
    alt: str
    caption: str = ""


def render(template: str, **values: Any) -> str:
    """Fill a template with values, which are escaped unless they are `markupsafe.Markup`.

    Raises jinja2's UndefinedError when the template wants a value that is not given.
    """
    return printable(TEMPLATES.get_template(template).render(values))


def encode_image(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Make a data URI of an RGB picture, a JPEG."""
    buffer = io.BytesIO()
    # No chroma subsampling: it smears the edges of small coloured bodies.
    options = {"quality": 88, "subsampling": 0, "optimize": True}
    Image.fromarray(image).save(buffer, "JPEG", **options)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def encode_svg(svg: str) -> str:
    """Make a data URI of an SVG drawing: an image of its own, whose ids clash with no other's."""
    return f"data:image/svg+xml;base64,{base64.b64encode(printable(svg).encode()).decode()}"


def svg_figure(svg: str, alt: str) -> str:
    """Return the markup that shows an SVG drawing in a notebook."""
    return render("figure.html", drawing=Drawing(encode_svg(svg), alt)).strip()
