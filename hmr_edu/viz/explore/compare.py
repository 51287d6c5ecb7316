"""A prediction against the truth: where on the body they part."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.metrics import procrustes_align
from hmr_edu.theta import split_theta
from hmr_edu.viz.explore.front import MENU, WIDE, Explorer, heat, move, slider
from hmr_edu.viz.explore.view_state import MeshViewState, distances, to_scene
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.palette import TRUTH

ALIGNMENTS = ("pelvis", "best rotation, scale and shift")


def compare_bodies(
    prediction: Float[Tensor, "85"], truth: Float[Tensor, "85"], body: SMPL | None = None
) -> Explorer:
    """Make two bodies in one place, the predicted one coloured by its distance from the true one.

    The slider blends: 0 is the truth, 1 the prediction, every vertex on a straight line. Bodies are
    aligned at the pelvis joint, or as PA-MPJPE aligns them.
    """
    state = MeshViewState(body or load_body("lite"))
    _, pose, betas = split_theta(torch.stack([prediction, truth]))
    output = state.body(betas, pose)
    found, true = output.vertices - output.joints[:, :1]
    aligned = {ALIGNMENTS[0]: found, ALIGNMENTS[1]: procrustes_align(found, true)}
    share = slider("blend", 1.0, 0.0, 1.0, 0.05)
    alignment = widgets.Dropdown(
        options=ALIGNMENTS, description="aligned by", style=WIDE, layout=MENU
    )
    ghost = widgets.Checkbox(value=True, description="show the truth", indent=False)

    def paint(figure):
        there = aligned[alignment.value]
        now = true + share.value * (there - true)
        apart = distances(now, true)
        move(figure.data[0], to_scene(now))
        figure.data[0].intensity = apart * 100
        if figure.data[2].visible != ghost.value:
            figure.data[2].visible = ghost.value
        return f"mean distance {apart.mean() * 1000:.0f} mm, largest {apart.max() * 1000:.0f} mm"

    room = torch.cat([true, *aligned.values()])
    figure = body_figure(found, state.body.faces, room=room.numpy())
    most = max(float(np.ceil(distances(found, true).max() * 100 / 5) * 5), 5.0)
    heat(figure.data[0], np.zeros(len(found), np.float32), most, "cm")
    shadow = go.Mesh3d(color=TRUTH, opacity=0.2, hoverinfo="skip")
    move(shadow, to_scene(true))
    shadow.update(i=figure.data[0].i, j=figure.data[0].j, k=figure.data[0].k)
    figure.add_trace(shadow)
    controls = {"share": share, "alignment": alignment, "ghost": ghost}
    explorer = Explorer(figure, controls, paint, title="Prediction and truth")
    explorer.state = state
    return explorer
