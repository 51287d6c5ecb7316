"""Pick a joint, turn it; or play a recording."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.prior import features_to_pose, load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS, mirrored_name
from hmr_edu.viz.explore.front import Explorer, move
from hmr_edu.viz.explore.joints import JointPicker, facing_camera
from hmr_edu.viz.explore.view_state import MeshViewState, skeleton_lines
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.palette import BLACK, GREY, LEFT, MIDDLE, RIGHT

BESIDE = np.array([[1.05], [0.0], [0.0]], np.float32)  # metres: the skeleton stands by the body
FRAMES = 24  # between two poses of the clip that is made up


def explore_pose(
    body: SMPL | None = None,
    clip: Float[Tensor, "N 72"] | None = None,
    fps: float | int = 24,
    limits: bool = True,
) -> Explorer:
    """Make a body to pose, joint by joint, and a clip to play.

    A joint is chosen by name or by a click on the skeleton; sliders turn it by an axis-angle
    vector in degrees, within the pose prior's joint limits unless `limits` is off. `clip` holds
    axis-angle poses of a world with Y up (`data.mocap`); without one, a walk through draws of
    the pose prior.
    """
    clip = facing_camera(_wander() if clip is None else clip)
    state = MeshViewState(body or load_body("lite"), pose=clip[0].clone())
    picker = JointPicker(state, "left_elbow", lambda: explorer.request(), limits)
    frame = widgets.IntSlider(
        0, 0, len(clip) - 1, description="frame", style={"description_width": "7.5em"}
    )
    play = widgets.Play(
        value=0, min=0, max=len(clip) - 1, interval=round(1000 / fps), tooltip="Play the clip"
    )
    # Linked in the browser: playing moves the slider, and only the slider is listened to.
    widgets.jslink((play, "value"), (frame, "value"))

    def paint(figure):
        joints = state.joints() + BESIDE
        move(figure.data[0], state.vertices())
        move(figure.data[2], skeleton_lines(joints))
        move(figure.data[3], joints)
        colours = _colours(picker.menu.value)
        if list(figure.data[3].marker.color) != colours:
            figure.data[3].marker.color = colours
        x, y, z = state.rotation(picker.menu.value).rad2deg().tolist()
        angle = float(np.linalg.norm([x, y, z]))
        turns = ", ".join(str(round(degrees)) for degrees in (x, y, z))
        return f"{picker.menu.label}: ({turns})°, {angle:.0f}° about one axis"

    def scrub(_):
        state.pose = clip[frame.value].clone()
        picker.show()
        explorer.request()

    frame.observe(scrub, "value")
    sole = _lowest(state.body, clip)
    room = np.concatenate(
        [state.output().vertices[0].numpy(), [[1.55, 0, 0], [-1.0, 0, 0], [0, sole, 0]]]
    )
    figure = body_figure(state.output().vertices[0], state.body.faces, room=room)
    figure.add_traces(_skeleton(state.joints() + BESIDE, picker.menu.value))
    controls = picker.controls | {"frame": frame, "play": play}
    explorer = Explorer(figure, controls, paint, watch=[], title="Pose", hover=True)
    explorer.state, explorer.clip = state, clip

    def clicked(_, points, __):
        if points.point_inds:
            picker.menu.value = SMPL_JOINTS[points.point_inds[0]]

    explorer.figure.data[3].on_click(clicked)
    return explorer


def _skeleton(joints: Float32[np.ndarray, "3 24"], chosen: str) -> list[go.Scatter3d]:
    bones = go.Scatter3d(mode="lines", line={"color": GREY, "width": 5}, hoverinfo="skip")
    dots = go.Scatter3d(
        mode="markers",
        marker={"size": 4, "color": _colours(chosen), "line": {"color": BLACK, "width": 1}},
        text=[name.replace("_", " ") for name in SMPL_JOINTS],
        hoverinfo="text",
    )
    move(bones, skeleton_lines(joints))
    move(dots, joints)
    for trace in (bones, dots):
        trace.showlegend = False
    return [bones, dots]


def _colours(chosen: str) -> list[str]:
    """Left, right and middle in their colours, the chosen joint black."""
    sides = {"left": LEFT, "right": RIGHT}
    return [
        BLACK
        if name == chosen
        else MIDDLE
        if mirrored_name(name) == name
        else sides[name.split("_")[0]]
        for name in SMPL_JOINTS
    ]


def _lowest(body: SMPL, clip: Float[Tensor, "N 72"], looks: int = 200) -> float:
    """Y of the mean body's lowest vertex in a clip (camera frame: y down), in some of its poses."""
    poses = clip[:: -(-len(clip) // looks)]
    with torch.no_grad():
        return float(body(torch.zeros(len(poses), 10), poses).vertices[..., 1].max())


def _wander(moments: int = 6, seed: int = 4) -> Float[Tensor, "N 72"]:
    """A clip through poses of the prior, back to where it began, slower near each of them."""
    prior = load_pose_prior()
    stops = torch.cat(
        [
            features_to_pose(prior.means[prior.log_weights.argmax()])[None],
            prior.sample(moments - 1, torch.Generator().manual_seed(seed), spread=0.8, recline=0.0),
        ]
    )
    share = (1 - torch.cos(torch.linspace(0, torch.pi, FRAMES + 1)[:-1])) / 2
    after = stops.roll(-1, 0)
    steps = stops[:, None] + share[:, None] * (after - stops)[:, None]
    return steps.flatten(0, 1)
