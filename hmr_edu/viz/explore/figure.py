"""plotly's figure widget, loaded once a page."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import traitlets


class Figure(go.FigureWidget):
    """A `FigureWidget` that shares its script with the page's others and may load slowly."""

    _plotly = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")
