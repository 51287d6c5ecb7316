"""The figure widget of plotly, loaded once a page, with names for screen readers."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import traitlets


class ExplorerFigure(go.FigureWidget):  # ty: ignore[unsupported-base]
    """A `FigureWidget` that waits for a slow page and names the parts of its explorer.

    Its script looks for what `Explorer` puts around it: a title, sliders, a read-out.
    """

    _plotly = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)  # ty: ignore[missing-union-attribute]
    _esm = Path(__file__).with_suffix(".js")
