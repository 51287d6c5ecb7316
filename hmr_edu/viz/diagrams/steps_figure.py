"""A figure of a body that a slider moves from step to step; it needs no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from hmr_edu.viz.orbit import body_figure, turntable_points
from hmr_edu.viz.palette import PREDICTION
from hmr_edu.viz.shading import Faces, Vertices, as_array

# Without a transition and without a new layout, so that the camera stays where the reader put it.
AT_ONCE = {
    "mode": "immediate",
    "frame": {"duration": 0, "redraw": True},
    "transition": {"duration": 0},
}


def steps_figure(
    bodies: Sequence[Vertices],
    faces: Faces,
    labels: Sequence[str],
    colours: Sequence[str] | None = None,
) -> go.Figure:
    """Make a plotly figure with one body for each position of a slider.

    Raises ValueError on bodies without labels, on labels that repeat, and when there is no body.

    Args:
        bodies: vertices in the camera frame, metres, all of one topology; they share floor, axes
            and camera.
        faces: triangles, as vertex numbers.
        labels: the text at each position of the slider.
        colours: "#rrggbb" of each body.
    """
    colours = colours or [PREDICTION] * len(bodies)
    if not len(bodies) == len(set(labels)) == len(colours) > 0:
        raise ValueError(
            f"{len(bodies)} bodies need as many different labels and colours, got "
            f"{list(labels)} and {list(colours)}"
        )
    room = np.concatenate([as_array(vertices) for vertices in bodies])
    figure = body_figure(bodies[0], faces, colours[0], room=room)
    figure.frames = [
        go.Frame(name=label, data=[_mesh(vertices, colour)], traces=[0])
        for vertices, label, colour in zip(bodies, labels, colours, strict=True)
    ]
    positions = [
        {"label": label, "method": "animate", "args": [[label], AT_ONCE]} for label in labels
    ]
    slider: dict[str, Any] = {
        "steps": positions,
        "x": 0.06,
        "len": 0.88,
        "y": 0.0,
        "yanchor": "bottom",
    }
    slider |= {"pad": {"b": 12}, "currentvalue": {"visible": False}}
    figure.update_layout(sliders=[slider], scene_domain_y=[0.14, 1.0])
    return figure


def _mesh(vertices: Vertices, colour: str) -> go.Mesh3d:
    """Make what a frame changes of the body: the vertices and the colour."""
    return go.Mesh3d(**dict(zip("xyz", turntable_points(vertices), strict=True)), color=colour)
