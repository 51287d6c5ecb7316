"""Rodrigues' formula as three arrows, head to tail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from hmr_edu.viz.explore.arrows import arrow_faces, arrow_points, rodrigues_terms
from hmr_edu.viz.explore.explorer import Explorer, set_points, slider
from hmr_edu.viz.orbit import LIGHTING
from hmr_edu.viz.palette import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION

POINT = np.array([0.9, 0.2, 0.8])  # p, which is turned
LABELS = ["n", "p", "1", "2", "3", "p'"]
# The name and the colour of each arrow, in the order of the traces.
ARROWS = {
    "axis n": GREY,
    "p": BLACK,
    "1: along n": GREEN,
    "2: cos t · across": ORANGE,
    "3: sin t · (n x p)": BLUE,
    "p', their sum": VERMILLION,
}


def explore_rotation() -> Explorer:
    """Make sliders for an axis and an angle that turn a point, and arrows for the formula's terms.

    The green, orange and blue arrows add up to the turned point. Angles are in degrees.
    """
    controls = {
        "angle": slider("angle t, °", 70, -180, 360, 1, readout_format=".0f"),
        "tilt": slider("tilt of n, °", 0, 0, 180, 1, readout_format=".0f"),
        "heading": slider("heading of n, °", 0, -180, 180, 1, readout_format=".0f"),
    }

    def paint(figure):
        t, tilt, heading = (math.radians(control.value) for control in controls.values())
        n = np.array(
            [math.sin(tilt) * math.cos(heading), math.sin(tilt) * math.sin(heading), math.cos(tilt)]
        )
        along, across, ahead = rodrigues_terms(n, t, POINT)
        turned = along + across + ahead
        zero = np.zeros(3)
        ends = [
            (zero, 1.2 * n),
            (zero, POINT),
            (zero, along),
            (along, along + across),
            (along + across, turned),
            (zero, turned),
        ]
        for trace, (tail, tip) in zip(figure.data, ends, strict=False):
            set_points(trace, arrow_points(tail, tip))
        turns = np.linspace(0, 2 * math.pi, 73)
        circle = [sum(rodrigues_terms(n, turn, POINT)) for turn in turns]
        set_points(figure.data[-2], np.array(circle, np.float32).T)
        # A name at the middle of each arrow, for readers who do not see its colour.
        places = np.array([0.55 * np.add(*end) + [0.08, 0, 0.06] for end in ends], np.float32)
        places[0], places[-1] = 1.3 * n, 1.07 * turned
        places[4, 2] -= 0.16  # below its arrow; the name p' stands above it
        set_points(figure.data[-1], places.T)
        return (
            f"p' = {_row(along)} + {_row(across)} + {_row(ahead)} = {_row(turned)}; "
            f"length {np.linalg.norm(turned):.2f}, as before"
        )

    return Explorer(_figure(), controls, paint, title="Rotation about an axis")


def _row(v: Float[np.ndarray, "3"]) -> str:
    return "(" + ", ".join(f"{x:.2f}" for x in np.round(v, 2) + 0.0) + ")"  # no -0.00


def _figure() -> go.Figure:
    i, j, k = arrow_faces()
    traces: list[go.Mesh3d | go.Scatter3d] = [
        go.Mesh3d(
            **dict(zip("xyz", arrow_points(np.zeros(3), POINT), strict=True)),
            **dict(zip("ijk", (i, j, k), strict=True)),
            color=colour,
            name=name,
            lighting=LIGHTING | {"ambient": 0.7, "diffuse": 0.5},
            hoverinfo="skip",
            showlegend=True,
        )
        for name, colour in ARROWS.items()
    ]
    empty = {axis: np.zeros(1, np.float32) for axis in "xyz"}
    line = {"color": GREY, "width": 3}
    traces.append(
        go.Scatter3d(**empty, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    )
    names = {"color": list(ARROWS.values()), "size": 14}
    traces.append(
        go.Scatter3d(
            **empty, mode="text", text=LABELS, textfont=names, hoverinfo="skip", showlegend=False
        )
    )
    reach = 1.05 * max(1.2, float(np.linalg.norm(POINT)))
    axis: dict[str, Any] = {
        "range": [-reach, reach],
        "showticklabels": False,
        "title": "",
        "showspikes": False,
    }
    axis |= {"backgroundcolor": "#f4f6f8", "gridcolor": "#ffffff", "zeroline": False}
    scene: dict[str, Any] = {f"{name}axis": axis for name in "xyz"} | {"aspectmode": "cube"}
    scene |= {
        "dragmode": "turntable",
        "camera": {"eye": {"x": 0.7, "y": -1.1, "z": 0.55}, "center": {"x": 0, "y": 0, "z": 0.12}},
    }
    layout = {
        "scene": scene,
        "legend": {"x": 0, "y": 1, "bgcolor": "rgba(255,255,255,0.7)"},
        "margin": dict.fromkeys("lrtb", 0),
    }
    return go.Figure(traces, layout)
