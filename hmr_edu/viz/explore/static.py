"""Explorers without a kernel: films, plotly figures whose own slider goes through frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io import to_html

from hmr_edu.viz.diagrams.steps_figure import AT_ONCE
from hmr_edu.viz.explore.explorer import Explorer

LARGEST = 1_000_000  # bytes of a film's markup, plotly.js not counted
# Properties of a trace that explorers change when they paint.
CHANGING = ("x", "y", "z", "intensity", "cmax", "source", "visible", "marker")


def film(explorer: Explorer, control: str, values: Sequence[Any]) -> go.Figure:
    """Make a plotly figure whose slider does what one control of an explorer does.

    Each value becomes a frame, which holds what the control changed and nothing else. The slider's
    label shows the value and the explorer's read-out. The explorer is left at the last value.
    Raises ValueError without values, KeyError on an unknown control.
    """
    if not values:
        raise ValueError("a film needs at least one value")
    widget = explorer.controls[control]
    frames, labels = [], []
    for n, value in enumerate(values):
        widget.value = value
        explorer.flush()
        frames.append([_properties(trace) for trace in explorer.figure.data])
        if n == 0:
            figure = go.Figure(explorer.figure)
        text = value if isinstance(value, str) else f"{value:g}"
        readout = explorer.readout_text
        labels.append(f"{text}<br><sup>{readout}</sup>" if readout else text)
    traces = [
        n for n in range(len(figure.data)) if any(not _same(f[n], frames[0][n]) for f in frames)
    ]
    figure.frames = [
        go.Frame(
            name=str(n),
            data=[{"type": figure.data[m].type} | _changed(frames, n, m) for m in traces],
            traces=traces,
        )
        for n in range(len(frames))
    ]
    steps = [
        {"label": label, "method": "animate", "args": [[str(n)], AT_ONCE]}
        for n, label in enumerate(labels)
    ]
    name = getattr(widget, "description", control) or control
    slider: dict[str, Any] = {"steps": steps, "x": 0.06, "len": 0.88, "y": 0, "yanchor": "top"}
    slider |= {"currentvalue": {"prefix": f"{name}: "}, "tickcolor": "rgba(0,0,0,0)"}
    slider["font"] = {"color": "rgba(0,0,0,0)"}  # of the labels under the slider: they overlap
    slider["currentvalue"]["font"] = {"color": figure.layout.font.color, "size": 14}
    figure.update_layout(sliders=[slider], margin={"b": 90}, height=figure.layout.height + 90)
    return figure


def fragment(figure: go.Figure, name: str, script: str | bool = "plotly.js") -> str:
    """Return a film as markup for a page, with the id `name`; nothing is loaded from the network.

    `script` is the address of plotly.js, True to bring it, False where the page has it. Raises
    ValueError when the markup is larger than a page should load.
    """
    text = to_html(
        figure,
        full_html=False,
        include_plotlyjs=script,
        div_id=name,
        auto_play=False,
        config={"displayModeBar": False},
        validate=False,
    )
    if len(text) > LARGEST and script is not True:
        raise ValueError(f"{name} takes {len(text):,} bytes, more than {LARGEST:,}: fewer frames")
    return text


def _properties(trace: Any) -> dict[str, Any]:
    """Return the properties of a trace that an explorer may change."""
    return {key: trace[key] for key in CHANGING if key in trace and trace[key] is not None}


def _changed(frames: list[list[dict[str, Any]]], frame: int, trace: int) -> dict[str, Any]:
    """Return this frame's values of the properties of a trace that differ between frames."""
    properties = frames[frame][trace]
    return {
        key: value
        for key, value in properties.items()
        if any(not _equal(other_frame[trace].get(key), value) for other_frame in frames)
    }


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and a == b
