"""One body, two cameras: weak perspective beside full perspective."""

from __future__ import annotations

import math

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.camera import fit_weak_perspective, perspective, weak_perspective
from hmr_edu.viz.explore.explorer import WIDE, Explorer, set_points, slider
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import LIGHTING
from hmr_edu.viz.palette import GREY, PREDICTION, TRUTH, VERMILLION
from hmr_edu.viz.shading import mesh_of

SCALE = 0.85  # half-crops a metre at the body, where the zoom follows the distance
OFFSET = 1.08  # half-crops from the middle of the figure to the middle of a picture
CROP = 224  # pixels of a crop, for the read-out


def explore_camera(body: SMPL | None = None, pose: Float[Tensor, " 72"] | None = None) -> Explorer:
    """Make two pictures of a body: full perspective, and the weak perspective that fits it best.

    Sliders set the distance (metres) and the focal length (half-crops); by default the focal
    length follows the distance, so that the body keeps its size in the crop. Red lines join the
    two projections of each keypoint: the error that HMR cannot avoid.
    """
    state = MeshViewState(body or load_body("lite"))
    state.turn("left_shoulder", torch.tensor([0.0, -1.4, 0.0]))
    state.turn("right_shoulder", torch.tensor([0.0, 0.0, 1.2]))
    if pose is not None:
        state.pose = pose
    output = state.output()
    vertices, keypoints = mesh_of(output)[0], output.keypoints[0]
    distance = widgets.FloatLogSlider(
        2.5,
        min=0.1,
        max=1.3,
        step=0.02,
        description="distance, m",
        readout_format=".1f",
        style=WIDE,
    )
    follow = widgets.Checkbox(value=True, description="focal length follows", indent=False)
    focal = slider("focal length", SCALE * 2.5, 0.5, 17.0, 0.1, disabled=True)
    controls = {"distance": distance, "follow": follow, "focal": focal}

    def paint(figure):
        focal.disabled = follow.value
        if follow.value:
            focal.value = SCALE * distance.value
        f = torch.tensor(SCALE * distance.value if follow.value else focal.value)
        translation = torch.tensor([0.0, 0.0, distance.value])
        full_keypoints = perspective(keypoints, translation, f)
        full_vertices = perspective(vertices, translation, f)
        state.camera = fit_weak_perspective(keypoints, full_keypoints)
        weak_keypoints = weak_perspective(keypoints, state.camera)
        weak_vertices = weak_perspective(vertices, state.camera)
        scale = float(state.camera[0])
        set_points(figure.data[0], pane(weak_vertices, vertices[:, 2] * scale, -OFFSET))
        set_points(figure.data[1], pane(full_vertices, vertices[:, 2] * scale, OFFSET))
        # Keypoints lie before the bodies, the red lines before everything.
        depth = torch.full((len(keypoints),), -1.5)
        set_points(figure.data[3], pane(weak_keypoints, depth, -OFFSET))
        set_points(figure.data[4], pane(full_keypoints, depth, OFFSET))
        gap = torch.full_like(full_keypoints, math.nan)
        lines = torch.stack([weak_keypoints, full_keypoints, gap], 1).flatten(0, 1)
        set_points(figure.data[5], pane(lines, depth.repeat_interleave(3) - 0.2, OFFSET))
        error = float((weak_keypoints - full_keypoints).norm(dim=1).mean())
        return (
            f"mean error {error:.4f} half-crops: {error * CROP / 2:.1f} pixels of {CROP}, "
            f"{error / scale * 100:.1f} cm at the body; scale s = {scale:.2f}"
        )

    figure = _figure(state, vertices)
    explorer = Explorer(figure, controls, paint, title="Two cameras", width=640)
    explorer.state = state
    return explorer


def pane(
    points: Float[Tensor, "N 2"], depth: Float[Tensor, " N"], offset: float
) -> Float32[np.ndarray, "3 N"]:
    """Stand image points (half-crops, y down) upright in the scene, `offset` to the right."""
    return torch.stack([points[:, 0] + offset, depth, -points[:, 1]]).numpy().astype(np.float32)


def _figure(state: MeshViewState, vertices: Float[Tensor, "V 3"]) -> go.Figure:
    i, j, k = state.faces()
    start = pane(vertices[:, :2], vertices[:, 2], 0.0)
    bodies = [
        go.Mesh3d(
            **dict(zip("xyz", start, strict=True)),
            **dict(zip("ijk", (i, j, k), strict=True)),
            color=colour,
            # Under an orthographic camera plotly's light hardly reaches the front.
            lighting=LIGHTING | {"ambient": 0.8, "diffuse": 0.6},
            lightposition={"x": -4000, "y": -9000, "z": 5000},
            hoverinfo="skip",
        )
        for colour in (PREDICTION, TRUTH)
    ]
    square = np.array([[-1, 1, 1, -1, -1, np.nan], [0] * 6, [-1, -1, 1, 1, -1, np.nan]])
    shift = np.array([[OFFSET], [0], [0]])
    frames = np.concatenate([square - shift, square + shift], axis=1)
    dots = {"size": 1.5, "color": GREY}
    lines = [
        go.Scatter3d(mode="lines", line={"color": GREY, "width": 3}),
        go.Scatter3d(mode="markers", marker=dots),
        go.Scatter3d(mode="markers", marker=dots),
        go.Scatter3d(mode="lines", line={"color": VERMILLION, "width": 4}),
    ]
    set_points(lines[0], frames.astype(np.float32))
    for trace in lines:
        trace.update(hoverinfo="skip", showlegend=False)
    hidden = {"visible": False}
    # Seen straight on and without perspective, the panes are the pictures themselves.
    scene = {
        "xaxis": hidden | {"range": [-2.2, 2.2]},
        "yaxis": hidden | {"range": [-2.0, 2.0]},
        "zaxis": hidden | {"range": [-1.3, 1.3]},
        "aspectmode": "manual",
        "aspectratio": {"x": 2.99, "y": 2.0, "z": 1.77},
        "camera": {
            "eye": {"x": 0, "y": -1.5, "z": 0},
            "projection": {"type": "orthographic"},
        },
        "dragmode": False,
    }
    names = [
        {"text": text, "x": x, "y": 0.97, "xref": "paper", "yref": "paper", "showarrow": False}
        for text, x in (("weak perspective", 0.25), ("full perspective", 0.75))
    ]
    layout = {"scene": scene, "annotations": names, "margin": dict.fromkeys("lrtb", 0)}
    return go.Figure([*bodies, *lines], layout)
