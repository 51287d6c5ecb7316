"""Watch the regression at work: the picture, the body laid over it, the body in space."""

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
from hmr_edu.viz.explore.front import Explorer, move
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.pictures import overlay, resize
from hmr_edu.viz.report.html import encode_image

PIXELS = 300  # of the picture, a side


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
    """Make a scrubber through the steps of a regression, step 0 the mean (`regression_steps`).

    `image` is the square crop that the network was shown. With the `truth` there is a table of
    errors: in the picture, in space, and of the pose alone. Raises ValueError without a step.
    """
    if not len(thetas):
        raise ValueError("there is no step to show")
    state = MeshViewState(body or load_body("lite"))
    cameras, poses, betas = split_theta(thetas)
    vertices = state.body(betas, poses).vertices
    picture = resize(image, PIXELS)
    drawn = [
        encode_image(overlay(picture, v, state.body.faces, camera, alpha=0.85))
        for v, camera in zip(vertices, cameras, strict=True)
    ]
    errors = None if truth is None else step_errors(state.body, thetas, truth)
    step = widgets.IntSlider(
        0, 0, len(thetas) - 1, description="step", style={"description_width": "7.5em"}
    )
    over = widgets.Checkbox(value=True, description="body over the picture", indent=False)
    plain = encode_image(picture)

    def paint(figure):
        state.camera, state.pose, state.betas = split_theta(thetas[step.value])
        move(figure.data[0], state.vertices())
        figure.data[2].source = drawn[step.value] if over.value else plain
        if errors is None:
            return None
        image, space, pose = (values[step.value] for values in errors.values())
        return (
            f"after step {step.value}: {image:.1f} pixels off in the picture, {space:.0f} mm in "
            f"space, {pose:.0f} mm of it pose"
        )

    figure = body_figure(vertices[0], state.body.faces, room=vertices.flatten(0, 1).numpy())
    figure.add_trace(go.Image(source=drawn[0], hoverinfo="skip"))
    hidden = {"visible": False, "fixedrange": True}
    figure.update_layout(
        xaxis=hidden | {"domain": [0.0, 0.46]},
        yaxis=hidden | {"domain": [0.0, 1.0], "autorange": "reversed", "scaleanchor": "x"},
        scene_domain={"x": [0.47, 1.0], "y": [0.0, 1.0]},
    )
    figure.update_layout(updatemenus=[figure.layout.updatemenus[0].update(x=0.49)])
    controls = {"step": step, "over": over}
    if errors is not None:
        controls["errors"] = widgets.HTML(_table(errors))
    explorer = Explorer(
        figure, controls, paint, watch=["step", "over"], title="Iterative regression", width=680
    )
    explorer.state = state
    return explorer


def step_errors(
    body: SMPL, thetas: Float[Tensor, "steps 85"], truth: Float[Tensor, "85"]
) -> dict[str, list[float]]:
    """Return what is wrong after each step: pixels of 224 in the picture, millimetres in space."""
    camera, pose, betas = split_theta(torch.cat([thetas, truth[None]]))
    points = body(betas, pose, vertices=False).keypoints
    image = weak_perspective(points, camera)
    found, true = points[:-1], points[-1:].expand(len(thetas), -1, -1)
    # The tables' 14 joints: LSP's.
    found, true = found[:, :14], true[:, :14]
    return {
        "2D, px of 224": ((image[:-1] - image[-1:]).norm(dim=-1).mean(1) * 112).tolist(),
        "MPJPE, mm": (mpjpe(found, true) * 1000).tolist(),
        "PA-MPJPE, mm": (pa_mpjpe(found, true) * 1000).tolist(),
    }


def _table(errors: dict[str, list[float]]) -> str:
    names = "".join(f"<th>{name}</th>" for name in errors)
    rows = ""
    for n, values in enumerate(zip(*errors.values(), strict=True)):
        cells = "".join(f"<td style='text-align:right'>{value:.1f}</td>" for value in values)
        rows += f"<tr><th>{n}</th>{cells}</tr>"
    return f"<table><tr><th>step</th>{names}</tr>{rows}</table>"
