"""Names for screen readers, keys for those who use no mouse: what ipywidgets and plotly lack."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class Names(anywidget.AnyWidget):
    """Names the sliders and buttons of the widget of class "explorer" that it lies in.

    Nothing of it is seen. `title` becomes the name of the whole.
    """

    _esm = Path(__file__).with_suffix(".js")
    title = traitlets.Unicode().tag(sync=True)
