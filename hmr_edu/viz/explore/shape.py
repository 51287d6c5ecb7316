"""Ten sliders for the betas of a body."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float32

from hmr_edu.body import SMPL, load_body
from hmr_edu.viz.explore.explorer import Explorer, button, set_points, slider
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import body_figure

LIMIT = 3.0  # standard deviations


def explore_shape(body: SMPL | None = None) -> Explorer:
    """Make sliders for the ten betas, with height and weight; buttons for the mean and for a draw.

    Weight is volume times the density of a body. Without a body, the "lite" one.
    """
    state = MeshViewState(body or load_body("lite"))
    generator = torch.Generator().manual_seed(0)
    sliders = {
        f"beta {n}": slider(f"beta {n}", 0.0, -LIMIT, LIMIT, 0.1, readout_format=".1f")
        for n in range(10)
    }

    def paint(figure):
        state.betas = torch.tensor([s.value for s in sliders.values()])
        set_points(figure.data[0], state.vertices())
        return f"height {state.height():.2f} m, weight {state.weight():.1f} kg"

    def set_betas(betas):
        with explorer.hold():
            for beta, value in zip(sliders.values(), betas.clamp(-LIMIT, LIMIT), strict=True):
                beta.value = round(float(value), 1)

    figure = body_figure(state.mesh(), state.body.faces, room=_room(state))
    choices = widgets.HBox(
        [
            button("Mean", lambda: set_betas(torch.zeros(10)), "all betas to zero"),
            button("Random", lambda: set_betas(torch.randn(10, generator=generator)), "a person"),
        ]
    )
    explorer = Explorer(
        figure, sliders | {"choices": choices}, paint, watch=list(sliders), title="Shape"
    )
    explorer.state = state
    return explorer


def _room(state: MeshViewState) -> Float32[np.ndarray, "N 3"]:
    """Return all points that the first two betas can reach, so that the axes never move."""
    corners = torch.cartesian_prod(*[torch.tensor([-LIMIT, LIMIT])] * 2)
    betas = torch.nn.functional.pad(corners, (0, 8))
    return state.body(betas, state.pose.expand(4, 72)).vertices.flatten(0, 1).numpy()
