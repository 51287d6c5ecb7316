"""A body in 3D that is turned with the mouse, as a figure and as an HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Float32

from hmr_edu.io.files import atomic_write
from hmr_edu.viz.export import upright
from hmr_edu.viz.palette import PREDICTION
from hmr_edu.viz.pictures import Picture
from hmr_edu.viz.report.html import Drawing, encode_image, render
from hmr_edu.viz.shading import Faces, Vertices, as_array

FRONT = (0.0, -1.4, 0.15)
# By default plotly takes triangles of millimetres for empty; the epsilons prevent that.
LIGHTING = {"ambient": 0.42, "diffuse": 0.85, "specular": 0.1, "roughness": 0.7, "fresnel": 0.1}
LIGHTING |= {"vertexnormalsepsilon": 0.0, "facenormalsepsilon": 0.0}
VIEWS = {
    "front": FRONT,
    "side": (1.4, 0.0, 0.15),
    "back": (0.0, 1.4, 0.15),
    "above": (0.0, -0.6, 1.35),
}


def body_figure(
    vertices: Vertices,
    faces: Faces,
    colour: str = PREDICTION,
    room: Float[np.ndarray, "N 3"] | None = None,
) -> go.Figure:
    """Make a plotly figure of a body: equal axes, a floor, buttons for four views.

    Args:
        vertices: camera frame, metres.
        faces: triangles, as vertex numbers.
        colour: "#rrggbb".
        room: points that the floor and the axes leave room for; the vertices by default.
    """
    points = turntable_points(vertices)
    # Written into pages and sent to browsers: two bytes are enough for most meshes.
    i, j, k = as_array(faces).astype(np.uint16 if len(vertices) < 2**16 else np.int32).T
    mesh = go.Mesh3d(
        **dict(zip("xyz", points, strict=True)),
        **dict(zip("ijk", (i, j, k), strict=True)),
        color=colour,
        flatshading=False,
        lighting=LIGHTING,
        lightposition={"x": -4000, "y": -3000, "z": 5000},
        hoverinfo="skip",
    )
    extent = points if room is None else turntable_points(room)
    low, high = extent.min(1), extent.max(1)
    middle, reach = (low + high) / 2, (high - low).max() / 2 * 1.08
    # A floor of our own: plotly's background always moves to the far side.
    corner = 0.98 * reach * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1], [0, 0, 0, 0]])
    floor = go.Mesh3d(
        **dict(zip("xyz", corner + np.append(middle[:2], low[2])[:, None], strict=True)),
        i=[0, 0],
        j=[1, 2],
        k=[2, 3],
        color="#e4e9ee",
        lighting={"ambient": 1.0, "diffuse": 0.0, "specular": 0.0},
        hoverinfo="skip",
    )
    axis = {"visible": False}
    scene = {
        # A cube around the body and the floor; the floor must not lie in a face of the cube.
        "xaxis": axis | {"range": [middle[0] - reach, middle[0] + reach]},
        "yaxis": axis | {"range": [middle[1] - reach, middle[1] + reach]},
        "zaxis": axis | {"range": [low[2] - 0.02 * reach, low[2] + 1.98 * reach]},
        "aspectmode": "cube",
        "dragmode": "turntable",
        "camera": _camera(FRONT),
    }
    buttons = [
        {"label": name, "method": "relayout", "args": [{"scene.camera": _camera(eye)}]}
        for name, eye in VIEWS.items()
    ]
    menu: dict[str, Any] = {
        "type": "buttons",
        "direction": "right",
        "buttons": buttons,
        "showactive": False,
    }
    menu |= {"x": 0.02, "y": 0.98, "xanchor": "left", "yanchor": "top", "bgcolor": "#ffffff"}
    layout = {"scene": scene, "updatemenus": [menu], "margin": dict.fromkeys("lrtb", 0)}
    return go.Figure([mesh, floor], layout | {"autosize": True})


def turntable_points(vertices: Vertices) -> Float32[np.ndarray, "3 V"]:
    """Turn camera-frame vertices into plotly's turntable frame: x right, y away, z up."""
    x, y, z = upright(vertices).T
    return np.stack([x, -z, y])


def _camera(eye: tuple[float, float, float]) -> dict[str, dict[str, float]]:
    """Look at the middle of the scene from `eye`, far enough away for little perspective."""
    return {"eye": dict(zip("xyz", eye, strict=True)), "up": {"x": 0, "y": 0, "z": 1}}


def write_html(
    path: str | Path, vertices: Vertices, faces: Faces, picture: Picture, title: str
) -> None:
    """Write a page with the picture beside the body, which can be orbited; about 5 MB.

    Nothing is loaded from elsewhere: plotly.js (most of the size) is inside.

    Args:
        path: the file to write.
        vertices: camera frame, metres.
        faces: triangles, as vertex numbers.
        picture: the photograph, with the body drawn over it.
        title: the page's heading; it may hold any characters.
    """
    view = body_figure(vertices, faces).to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="body",
        default_height="100%",
        config={"displaylogo": False, "responsive": True, "displayModeBar": False},
    )
    photo = Drawing(encode_image(picture), f"{title}, with the predicted body drawn over it")
    text = render("orbit.html", title=title, photo=photo, view=view)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
