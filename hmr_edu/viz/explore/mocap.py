"""Recorded motion: choose a clip, play it, see the body move."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import torch

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.mocap import Mocap
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix, geodesic_angle
from hmr_edu.viz.explore.explorer import MENU, WIDE, Explorer, set_points
from hmr_edu.viz.explore.joints import facing_camera
from hmr_edu.viz.explore.view_state import MeshViewState
from hmr_edu.viz.orbit import body_figure

SAMPLE = 100  # poses of the recording, to find how much room it takes


def explore_mocap(mocap: Mocap, body: SMPL | None = None) -> Explorer:
    """Make a menu of clips and a slider through the frames of one, which plays.

    The read-out names the joint that turns fastest: in good motion capture it changes all the time,
    in bad it is one that flickers. Raises ValueError without a pose.
    """
    if not len(mocap):
        raise ValueError("there is no pose to show")
    poses = facing_camera(mocap.poses)
    state = MeshViewState(body or load_body("lite"), pose=poses[0].clone())
    clips = {n: np.flatnonzero(mocap.clips == n) for n in range(len(mocap.clip_names))}
    options = [(mocap.clip_names[n], n) for n, rows in clips.items() if len(rows)]
    menu = widgets.Dropdown(options=options, description="clip", style=WIDE, layout=MENU)
    frame = widgets.IntSlider(0, 0, 0, description="frame", style=WIDE)
    play = widgets.Play(value=0, interval=round(1000 / mocap.fps), tooltip="Play the clip")
    # Linked in the browser: playing moves the slider, and only the slider is listened to.
    widgets.jslink((play, "value"), (frame, "value"))

    def set_length():
        frame.value = play.value = 0
        frame.max = play.max = len(clips[menu.value]) - 1

    def choose(_):
        with explorer.hold():
            set_length()

    def paint(figure):
        rows = clips[menu.value]
        now = min(frame.value, len(rows) - 1)
        state.pose = poses[int(rows[now])].clone()
        set_points(figure.data[0], state.vertices())
        before = poses[int(rows[max(now - 1, 0)])]
        turned = geodesic_angle(
            *(axis_angle_to_matrix(p.view(24, 3)) for p in (before, state.pose))
        )
        fastest = int(turned.argmax())
        speed = float(turned[fastest].rad2deg()) * mocap.fps
        name = SMPL_JOINTS[fastest].replace("_", " ")
        return f"{now / mocap.fps:.2f} s; fastest: {name}, {speed:.0f}° a second"

    with torch.no_grad():
        shown = poses[:: -(-len(poses) // SAMPLE)]
        room = state.body(torch.zeros(len(shown), 10), shown, vertices=False).joints
    set_length()
    # A joint is not the end of a limb, so there is a little room around.
    figure = body_figure(state.mesh(), state.body.faces, room=1.15 * room.flatten(0, 1).numpy())
    controls = {"clip": menu, "frame": frame, "play": play}
    explorer = Explorer(figure, controls, paint, watch=["frame"], title="Motion capture")
    menu.observe(choose, "value")
    explorer.state, explorer.clip = state, poses
    return explorer
