"""What all explorers share: one plotly figure, labelled controls, one message a move."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float32

from hmr_edu.viz.explore.figure import Figure
from hmr_edu.viz.explore.throttle import Throttle
from hmr_edu.viz.palette import BLACK, HEAT

HEIGHT = 440  # pixels of a figure
WIDTH = 520
WIDE = {"description_width": "7.5em"}
MENU = {"width": "24em"}


class Explorer(widgets.VBox):
    """A figure beside its controls. `controls` go by name; `flush()` paints what is put off.

    `paint` changes the figure's traces; all it changes travels in one message. It must leave the
    scene's camera alone, which belongs to the reader.
    """

    def __init__(
        self,
        figure: go.Figure,
        controls: Mapping[str, widgets.Widget],
        paint: Callable[[go.Figure], str | None],
        *,
        watch: Sequence[str] | None = None,
        title: str,
        hover: bool = False,
        width: int = WIDTH,
    ) -> None:
        figure.update_layout(
            uirevision="kept",
            hovermode="closest" if hover else False,
            autosize=False,
            width=width,
            height=HEIGHT,
            font={"color": BLACK},
        )
        # Without this every move of the mouse would look for what lies under it.
        figure.update_scenes(hovermode="closest" if hover else False)
        # Painted before it is a widget: a message that names several traces, sent before the
        # browser has drawn them, empties those of its traces that it does not change.
        text = paint(figure)
        self.figure = Figure(figure)
        # One pixel a pixel: plotly draws four by default, and a body has few thin lines.
        self.figure._config = {
            "displayModeBar": False,
            "plotGlPixelRatio": 1,
            "scrollZoom": True,
        }
        self.controls = dict(controls)
        self.readout = widgets.HTML()
        self.readout.add_class("explorer-readout")
        self._say(text)
        self._paint, self._held = paint, False
        self._throttle = Throttle(self._draw)
        for name in self.controls if watch is None else watch:
            self.controls[name].observe(self.request, "value")
        head = widgets.HTML(f"<strong>{title}</strong>")
        side = widgets.VBox([head, *self.controls.values(), self.readout])
        side.layout.width = "25em"
        row = widgets.HBox([self.figure, side])
        row.layout.flex_flow = "row wrap"
        super().__init__([row])
        self.add_class("explorer")
        _ask_colab()

    def flush(self) -> None:
        """Paint now."""
        self._throttle.flush()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Change several controls and paint once, at the end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.flush()

    def request(self, _: Any = None) -> None:
        """Paint now or soon: what a control calls when it moves."""
        if not self._held:
            self._throttle.request()

    def _draw(self) -> None:
        with self.figure.batch_update():
            text = self._paint(self.figure)
        self._say(text)

    def _say(self, text: str | None) -> None:
        self.said = text  # the newest read-out
        self.readout.value = text or ""


def _ask_colab() -> None:
    """Google Colab shows other widgets than its own only when it is asked to."""
    if "google.colab" in sys.modules:
        sys.modules["google.colab"].output.enable_custom_widget_manager()


def slider(
    label: str,
    value: float | int,
    low: float | int,
    high: float | int,
    step: float | int,
    **options: Any,
) -> widgets.FloatSlider:
    """Make a labelled slider; arrow keys move it, the number beside it can be typed."""
    return widgets.FloatSlider(
        value, min=low, max=high, step=step, description=label, style=WIDE, **options
    )


def button(label: str, action: Callable[[], None], tooltip: str = "") -> widgets.Button:
    """Make a button."""
    made = widgets.Button(description=label, tooltip=tooltip)
    made.on_click(lambda _: action())
    return made


def move(trace: Any, points: Float32[np.ndarray, "3 N"]) -> None:
    """Give a trace other points, and leave all else as it is."""
    trace.x, trace.y, trace.z = points


def heat(
    mesh: go.Mesh3d, values: Float32[np.ndarray, " V"], most: float | int, title: str = ""
) -> None:
    """Colour a mesh by a number for each vertex, from 0 to `most`, with a bar that says so."""
    bar = {"thickness": 12, "len": 0.6, "x": 0.98, "xanchor": "right", "title": {"text": title}}
    mesh.update(intensity=values, colorscale=HEAT, cmin=0.0, cmax=most, color=None)
    mesh.update(showscale=True, colorbar=bar)
