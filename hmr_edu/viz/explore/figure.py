"""plotly's figure widget, loaded once a page, with names for screen readers."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import traitlets


class Figure(go.FigureWidget):
    """A `FigureWidget` that may take its time to load, and names all parts of its explorer.

    Its script looks for what `Explorer` puts around it: a title, sliders, a read-out.
    """

    _plotly = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")
