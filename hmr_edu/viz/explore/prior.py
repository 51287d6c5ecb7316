"""The scores of the 25 critics while a body is posed, and the descent on its adversarial loss."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.discriminator import Discriminator
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.adversarial import critic_weights
from hmr_edu.viz.explore.explorer import Explorer, button, colour_by_value, set_points
from hmr_edu.viz.explore.joints import JointPicker, facing_camera
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.palette import BLUE, GREY, VERMILLION

NAMES = [*(name.replace("_", " ") for name in SMPL_JOINTS[1:]), "full pose", "shape"]
RATE, STEPS = 0.1, 5  # of the gradient descent of one "Repair"
NOISE = 0.35  # radians, of one "Spoil"


def explore_prior(
    critics: Discriminator,
    body: SMPL | None = None,
    weights: Float[Tensor, "25"] | None = None,
) -> Explorer:
    """Make a body to pose and the bars of its critics: about 1 for real, about 0 for fake.

    Skin is darker the lower its joints' critics score it. "Repair" takes some steps of gradient
    descent on the body's adversarial loss, sum of w (D - 1)^2; "Spoil" adds noise. `weights` mute
    critics, by default those of joints that motion capture does not measure.
    """
    weights = critic_weights() if weights is None else weights
    generator = torch.Generator().manual_seed(0)
    real = facing_camera(load_pose_prior().sample(1, generator, spread=0.5, recline=0.0))[0]
    state = MeshViewState(body or load_body("lite"), pose=real.clone())
    picker = JointPicker(state, "left_knee", lambda: explorer.request(), limits=False)

    def paint(figure):
        scores = critic_scores(critics, state)
        set_points(figure.data[0], state.vertices())
        figure.data[0].intensity = vertex_doubt(state.body, scores, weights)
        figure.data[2].x = scores.numpy()
        figure.data[2].marker.color = [
            GREY if not w else BLUE if score > 0.5 else VERMILLION
            for score, w in zip(scores.tolist(), weights.tolist(), strict=True)
        ]
        loss = float(((scores - 1).square() * weights).sum())
        return f"adversarial loss {loss:.1f}; lowest score: {_lowest_score(scores, weights)}"

    def change(pose):
        state.pose = pose
        picker.show()
        explorer.request()

    def spoil():
        noise = NOISE * torch.randn(23, 3, generator=generator) * weights[:23, None]
        change(state.pose + torch.cat([torch.zeros(3), noise.flatten()]))

    buttons = [
        button("Repair", lambda: change(repair(critics, state, weights))),
        button("Spoil", spoil, "noise on every joint that has a critic"),
        button("Begin again", lambda: change(real.clone())),
    ]
    for widget in buttons:
        widget.layout.width = "8em"
    room = np.concatenate([state.mesh().numpy(), [[-0.9, 0, 0], [0.9, -0.9, 0]]])
    figure = body_figure(state.mesh(), state.body.faces, room=room)
    colour_by_value(figure.data[0], np.zeros(len(state.body.v_template), np.float32), 1.0)
    figure.data[0].showscale = False
    figure.add_trace(
        go.Bar(
            y=NAMES,
            x=np.zeros(25),
            orientation="h",
            hoverinfo="skip",
            marker={"color": [BLUE] * 25},
        )
    )
    figure.update_layout(
        scene_domain={"x": [0.0, 0.55], "y": [0.0, 1.0]},
        # Scores may lie outside 0..1; a longer bar would say nothing more.
        xaxis={
            "domain": [0.72, 0.99],
            "range": [-0.2, 1.2],
            "tickvals": [0, 0.5, 1],
            "fixedrange": True,
        },
        yaxis={"domain": [0.07, 0.99], "autorange": "reversed", "fixedrange": True, "dtick": 1},
        yaxis_tickfont={"size": 10},
        xaxis_title={"text": "0 fake, 1 real", "standoff": 4},
        plot_bgcolor="#f4f6f8",
        bargap=0.25,
    )
    controls = picker.controls | {"buttons": widgets.HBox(buttons)}
    explorer = Explorer(figure, controls, paint, watch=[], title="25 critics", width=680)
    explorer.state = state
    return explorer


def critic_scores(critics: Discriminator, state: MeshViewState) -> Float[Tensor, "25"]:
    """Return the critics' scores of a body."""
    with torch.no_grad():
        return critics(axis_angle_to_matrix(state.pose[3:].view(1, 23, 3)), state.betas[None])[0]


def repair(
    critics: Discriminator, state: MeshViewState, weights: Float[Tensor, "25"]
) -> Float[Tensor, "72"]:
    """Return the pose after `STEPS` steps of descent on sum w (D - 1)^2; the root stays."""
    joints = state.pose[3:].view(1, 23, 3)
    for _ in range(STEPS):
        joints = joints.detach().requires_grad_()
        scores = critics(axis_angle_to_matrix(joints), state.betas[None])
        (slope,) = torch.autograd.grad(((scores - 1).square() * weights).sum(), joints)
        joints = joints - RATE * slope
    return torch.cat([state.pose[:3], joints.detach().flatten()])


def vertex_doubt(
    body: SMPL, scores: Float[Tensor, "25"], weights: Float[Tensor, "25"]
) -> Float32[np.ndarray, " V"]:
    """Return for each vertex 1 minus the scores of its joints, by skinning weight; 0 to 1."""
    doubt = torch.cat([torch.zeros(1), ((1 - scores[:23]) * weights[:23]).clamp(0, 1)])
    return (body.weights @ doubt).numpy()


def _lowest_score(scores: Float[Tensor, "25"], weights: Float[Tensor, "25"]) -> str:
    return NAMES[int(scores.masked_fill(weights == 0, torch.inf).argmin())]
