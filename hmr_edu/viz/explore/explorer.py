"""What all explorers share: one plotly figure, labelled controls, one message for each change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Float32
from torch import Tensor

from hmr_edu.viz.explore.figure import ExplorerFigure
from hmr_edu.viz.explore.throttle import Throttle
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.palette import BLACK, HEAT
from hmr_edu.viz.report.html import render

HEIGHT = 440  # pixels of a figure
WIDTH = 520
WIDE = {"description_width": "7.5em"}
MENU = {"width": "24em"}


class Explorer(widgets.VBox):
    """A figure beside its controls, which go by name in `controls`.

    `flush()` paints now what was put off; `readout_text` is what the explorer says of its figure.
    `state` is the body that is shown, `clip` the poses of a recording that is played.
    """

    state: MeshViewState | None = None
    clip: Float[Tensor, "N 72"] | None = None

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
        """Put a figure and its controls together, and paint it once.

        Args:
            figure: the figure, with all its traces.
            controls: the widgets by name, from top to bottom.
            paint: changes the figure's traces and returns the read-out. All that it changes
                travels in one message. It leaves the scene's camera alone, which belongs to the
                reader.
            watch: names of the controls that repaint when their value changes; all by default.
            title: the heading above the controls.
            hover: whether the figure reacts to the mouse over its points.
            width: pixels of the figure.
        """
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
        self.figure = ExplorerFigure(figure)
        # One pixel a pixel: plotly draws four by default, and a body has few thin lines.
        self.figure._config = {
            "displayModeBar": False,
            "plotGlPixelRatio": 1,
            "scrollZoom": True,
        }
        self.controls: dict[str, Any] = dict(controls)
        self.readout = widgets.HTML()
        self.readout.add_class("explorer-readout")
        self._show_readout(text)
        self._paint, self._held = paint, False
        self._throttle = Throttle(self._draw)
        for name in self.controls if watch is None else watch:
            self.controls[name].observe(self.request, "value")
        heading = widgets.HTML(render("explorer_title.html", title=title))
        side = widgets.VBox([heading, *self.controls.values(), self.readout])
        side.layout.width = "25em"
        row = widgets.HBox([self.figure, side])
        row.layout.flex_flow = "row wrap"
        super().__init__([row])
        self.add_class("explorer")
        _enable_colab_widgets()

    def flush(self) -> None:
        """Paint now."""
        self._throttle.flush()

    @contextmanager
    def hold(self) -> Generator[None]:
        """Change several controls and paint once, at the end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.flush()

    def request(self, _: Any = None) -> None:
        """Paint now or soon; a control calls this when its value changes."""
        if not self._held:
            self._throttle.request()

    def _draw(self) -> None:
        with self.figure.batch_update():
            text = self._paint(self.figure)
        self._show_readout(text)

    def _show_readout(self, text: str | None) -> None:
        self.readout_text = text or ""
        self.readout.value = escape(self.readout_text, quote=False)


def _enable_colab_widgets() -> None:
    """Ask Google Colab to show widgets other than its own."""
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
    """Make a labelled slider; arrow keys move it, the number beside it can be typed.

    Args:
        label: what stands beside it.
        value: where it starts.
        low: its left end.
        high: its right end.
        step: by how much an arrow key moves it.
        options: other options of `ipywidgets.FloatSlider`.
    """
    return widgets.FloatSlider(
        value, min=low, max=high, step=step, description=label, style=WIDE, **options
    )


def button(label: str, action: Callable[[], None], tooltip: str = "") -> widgets.Button:
    """Make a button that calls `action`."""
    widget = widgets.Button(description=label, tooltip=tooltip)
    widget.on_click(lambda _: action())
    return widget


def set_points(trace: Any, points: Float32[np.ndarray, "3 N"]) -> None:
    """Give a trace other points, and leave the rest of it as it is."""
    trace.x, trace.y, trace.z = points


def colour_by_value(
    mesh: go.Mesh3d, values: Float32[np.ndarray, " V"], maximum: float | int, title: str = ""
) -> None:
    """Colour a mesh by a number for each vertex, with a colour bar.

    Args:
        mesh: the trace to colour.
        values: one for each vertex.
        maximum: the value of the darkest colour; the palest is 0.
        title: what stands above the colour bar.
    """
    bar = {"thickness": 12, "len": 0.6, "x": 0.98, "xanchor": "right", "title": {"text": title}}
    mesh.update(intensity=values, colorscale=HEAT, cmin=0.0, cmax=maximum, color=None)
    mesh.update(showscale=True, colorbar=bar)
