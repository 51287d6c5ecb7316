"""Pose a body joint by joint, or play a recording."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.prior import features_to_pose, load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.viz.explore.explorer import Explorer, set_points
from hmr_edu.viz.explore.joints import JointPicker, facing_camera
from hmr_edu.viz.explore.view_state import MeshViewState, skeleton_lines
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.palette import BLACK, GREY, LEFT, MIDDLE, RIGHT

BESIDE = np.array([[1.05], [0.0], [0.0]], np.float32)  # metres: the skeleton stands by the body
# The clip that is shown without a recording: poses drawn from the prior, frames between two.
STOPS, FRAMES = 6, 24
MAX_POSES = 200  # of a clip, to find the height of the floor


def explore_pose(
    body: SMPL | None = None,
    clip: Float[Tensor, "N 72"] | None = None,
    fps: float | int = 24,
) -> Explorer:
    """Make a body to pose, joint by joint, and a clip to play at `fps` frames a second.

    A joint is chosen by name or by a click on the skeleton; sliders turn it by an axis-angle
    vector in degrees, within the pose prior's joint limits. `clip` holds axis-angle poses of a
    world with Y up, as in motion capture; without one it goes through draws of the pose prior.
    """
    clip = facing_camera(_clip_from_prior() if clip is None else clip)
    state = MeshViewState(body or load_body("lite"), pose=clip[0].clone())
    picker = JointPicker(state, "left_elbow", lambda: explorer.request(), limits=True)
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
        set_points(figure.data[0], state.vertices())
        set_points(figure.data[2], skeleton_lines(joints))
        set_points(figure.data[3], joints)
        colours = _colours(picker.menu.value)
        if list(figure.data[3].marker.color) != colours:
            figure.data[3].marker.color = colours
        x, y, z = state.rotation(picker.menu.value).rad2deg().tolist()
        angle = float(np.linalg.norm([x, y, z]))
        degrees = ", ".join(str(round(turn)) for turn in (x, y, z))
        return f"{picker.menu.label}: ({degrees})°, {angle:.0f}° about one axis"

    def scrub(_):
        state.pose = clip[frame.value].clone()
        picker.show()
        explorer.request()

    frame.observe(scrub, "value")
    floor = _floor(state.body, clip)
    room = np.concatenate([state.mesh().numpy(), [[1.55, 0, 0], [-1.0, 0, 0], [0, floor, 0]]])
    figure = body_figure(state.mesh(), state.body.faces, room=room)
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
    set_points(bones, skeleton_lines(joints))
    set_points(dots, joints)
    for trace in (bones, dots):
        trace.showlegend = False
    return [bones, dots]


def _colours(chosen: str) -> list[str]:
    """Return each joint's colour: that of its side, black for the chosen one."""
    sides = {"left": LEFT, "right": RIGHT}
    colours = {name: sides.get(name.split("_")[0], MIDDLE) for name in SMPL_JOINTS}
    return list((colours | {chosen: BLACK}).values())


def _floor(body: SMPL, clip: Float[Tensor, "N 72"]) -> float:
    """Return y of the mean body's lowest vertex in a clip, of at most `MAX_POSES` of its poses.

    In the camera frame, y down, metres.
    """
    poses = clip[:: -(-len(clip) // MAX_POSES)]
    with torch.no_grad():
        return float(body(torch.zeros(len(poses), 10), poses).vertices[..., 1].max())


def _clip_from_prior() -> Float[Tensor, "N 72"]:
    """Make a clip through poses of the prior and back to the first, slower around each of them."""
    prior = load_pose_prior()
    generator = torch.Generator().manual_seed(4)
    stops = torch.cat(
        [
            features_to_pose(prior.means[prior.log_weights.argmax()])[None],
            prior.sample(STOPS - 1, generator, spread=0.8, recline=0.0),
        ]
    )
    share = (1 - torch.cos(torch.linspace(0, torch.pi, FRAMES + 1)[:-1])) / 2
    next_stops = stops.roll(-1, 0)
    frames = stops[:, None] + share[:, None] * (next_stops - stops)[:, None]
    return frames.flatten(0, 1)
