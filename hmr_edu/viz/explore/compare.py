"""A prediction against the truth: where on the body they differ."""

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
from hmr_edu.viz.explore.explorer import (
    MENU,
    WIDE,
    Explorer,
    colour_by_value,
    set_points,
    slider,
)
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
    predicted, true = output.vertices - output.joints[:, :1]
    aligned = {ALIGNMENTS[0]: predicted, ALIGNMENTS[1]: procrustes_align(predicted, true)}
    blend = slider("blend", 1.0, 0.0, 1.0, 0.05)
    alignment = widgets.Dropdown(
        options=ALIGNMENTS, description="aligned by", style=WIDE, layout=MENU
    )
    truth_shown = widgets.Checkbox(value=True, description="show the truth", indent=False)

    def paint(figure):
        blended = true + blend.value * (aligned[alignment.value] - true)
        errors = distances(blended, true)
        set_points(figure.data[0], to_scene(blended))
        figure.data[0].intensity = errors * 100
        if figure.data[2].visible != truth_shown.value:
            figure.data[2].visible = truth_shown.value
        return f"mean distance {errors.mean() * 1000:.0f} mm, largest {errors.max() * 1000:.0f} mm"

    room = torch.cat([true, *aligned.values()])
    figure = body_figure(predicted, state.body.faces, room=room.numpy())
    # The scale ends at a multiple of 5 cm.
    largest = max(float(np.ceil(distances(predicted, true).max() * 100 / 5) * 5), 5.0)
    colour_by_value(figure.data[0], np.zeros(len(predicted), np.float32), largest, "cm")
    true_body = go.Mesh3d(color=TRUTH, opacity=0.2, hoverinfo="skip")
    set_points(true_body, to_scene(true))
    true_body.update(i=figure.data[0].i, j=figure.data[0].j, k=figure.data[0].k)
    figure.add_trace(true_body)
    controls = {"blend": blend, "alignment": alignment, "truth": truth_shown}
    explorer = Explorer(figure, controls, paint, title="Prediction and truth")
    explorer.state = state
    return explorer
