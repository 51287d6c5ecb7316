"""The steps of a regression: the picture, the body over it, the body in space."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.hmr import HMR
from hmr_edu.metrics import mpjpe, pa_mpjpe
from hmr_edu.theta import split_theta
from hmr_edu.viz.explore.explorer import Explorer, set_points
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.pictures import overlay, resize
from hmr_edu.viz.report.html import encode_image, render

PIXELS = 300  # of each side of the picture


def regression_steps(model: HMR, image: Float[Tensor, "3 H W"]) -> Float[Tensor, "steps 85"]:
    """Return theta where the regression starts and after each of its steps."""
    start = model.regressor.read(model.regressor.mean_state[None]).theta
    with torch.no_grad():
        steps = model(image[None], vertices=False)
    return torch.cat([start, *(step.theta for step in steps)]).detach()


def explore_iterations(
    image: UInt8[np.ndarray, "size size 3"],
    thetas: Float[Tensor, "steps 85"],
    truth: Float[Tensor, "85"] | None = None,
    body: SMPL | None = None,
) -> Explorer:
    """Make a slider through the steps of a regression. Raises ValueError without a step.

    Args:
        image: the square crop that the network was shown.
        thetas: theta of each step, step 0 the mean, as `regression_steps` returns them.
        truth: the true theta; with it a table tells the errors in the picture, in space, and of
            the pose alone.
        body: the body that thetas are drawn with; "lite" by default.
    """
    if not len(thetas):
        raise ValueError("there is no step to show")
    state = MeshViewState(body or load_body("lite"))
    cameras, poses, betas = split_theta(thetas)
    vertices = state.body(betas, poses).vertices
    picture = resize(image, PIXELS)
    overlays = [
        encode_image(overlay(picture, posed, state.body.faces, camera, alpha=0.85))
        for posed, camera in zip(vertices, cameras, strict=True)
    ]
    errors = None if truth is None else step_errors(state.body, thetas, truth)
    step = widgets.IntSlider(
        0, 0, len(thetas) - 1, description="step", style={"description_width": "7.5em"}
    )
    body_shown = widgets.Checkbox(value=True, description="body over the picture", indent=False)
    plain = encode_image(picture)

    def paint(figure):
        state.camera, state.pose, state.betas = split_theta(thetas[step.value])
        set_points(figure.data[0], state.vertices())
        figure.data[2].source = overlays[step.value] if body_shown.value else plain
        if errors is None:
            return None
        image, space, pose = (values[step.value] for values in errors.values())
        return (
            f"after step {step.value}: {image:.1f} pixels off in the picture, {space:.0f} mm in "
            f"space, {pose:.0f} mm of it pose"
        )

    figure = body_figure(vertices[0], state.body.faces, room=vertices.flatten(0, 1).numpy())
    figure.add_trace(go.Image(source=overlays[0], hoverinfo="skip"))
    hidden = {"visible": False, "fixedrange": True}
    figure.update_layout(
        xaxis=hidden | {"domain": [0.0, 0.46]},
        yaxis=hidden | {"domain": [0.0, 1.0], "autorange": "reversed", "scaleanchor": "x"},
        scene_domain={"x": [0.47, 1.0], "y": [0.0, 1.0]},
    )
    figure.update_layout(updatemenus=[figure.layout.updatemenus[0].update(x=0.49)])
    controls = {"step": step, "overlay": body_shown}
    if errors is not None:
        rows = list(zip(*errors.values(), strict=True))
        table = render("step_errors.html", titles=list(errors), steps=rows)
        controls["errors"] = widgets.HTML(table)
    explorer = Explorer(
        figure, controls, paint, watch=["step", "overlay"], title="Iterative regression", width=680
    )
    explorer.state = state
    return explorer


def step_errors(
    body: SMPL, thetas: Float[Tensor, "steps 85"], truth: Float[Tensor, "85"]
) -> dict[str, list[float]]:
    """Return the errors after each step, over LSP's 14 joints: pixels of 224, millimetres."""
    camera, pose, betas = split_theta(torch.cat([thetas, truth[None]]))
    points = body(betas, pose, vertices=False).keypoints
    image = weak_perspective(points, camera)
    predicted, true = points[:-1, :14], points[-1:, :14].expand(len(thetas), -1, -1)
    return {
        "2D, px of 224": ((image[:-1] - image[-1:]).norm(dim=-1).mean(1) * 112).tolist(),
        "MPJPE, mm": (mpjpe(predicted, true) * 1000).tolist(),
        "PA-MPJPE, mm": (pa_mpjpe(predicted, true) * 1000).tolist(),
    }
