"""Skinning weights of a joint, and what the pose blend shapes correct."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets as widgets
import torch

from hmr_edu.body import SMPL, load_body
from hmr_edu.viz.explore.explorer import MENU, WIDE, Explorer, colour_by_value, set_points
from hmr_edu.viz.explore.joints import JointPicker
from hmr_edu.viz.explore.view_state import MeshViewState, distances
from hmr_edu.viz.orbit import body_figure

COLOURS = ("skinning weight of the joint", "correction by the pose blend shapes, cm")


def explore_skinning(
    body: SMPL | None = None, betas: torch.Tensor | None = None, joint: str = "left_knee"
) -> Explorer:
    """Make a body that shows a joint's skinning weights, with blend shapes on and off.

    Turn the joint, then switch the pose blend shapes off: what is left is linear blend skinning.
    """
    state = MeshViewState(body or load_body("lite"))
    state.turn(joint, torch.tensor([1.2, 0.0, 0.0]))
    state.betas = torch.tensor([1.0, 1.5, *[0.0] * 8]) if betas is None else betas
    picker = JointPicker(state, joint, lambda: explorer.request(), limits=False)
    checks = {
        name: widgets.Checkbox(value=True, description=name, indent=False)
        for name in ("shape blend shapes", "pose blend shapes")
    }
    colour = widgets.Dropdown(options=COLOURS, description="colour", style=WIDE, layout=MENU)

    def paint(figure):
        state.shape_blend, state.pose_blend = (check.value for check in checks.values())
        mesh = figure.data[0]
        set_points(mesh, state.vertices())
        skinning = state.skinning_weights(picker.menu.value)
        if colour.value == COLOURS[0]:
            mesh.intensity, mesh.cmax = skinning, 1.0
        else:
            mesh.intensity, mesh.cmax = state.correctives() * 100, 4.0
        switched = replace(state, pose_blend=not state.pose_blend)
        correction = distances(state.mesh(), switched.mesh()).max()
        return (
            f"{int((skinning > 0).sum())} vertices follow {picker.menu.label}. Linear blend "
            f"against corrected: up to {correction * 100:.1f} cm"
        )

    room = MeshViewState(state.body, torch.tensor([3.0, *[0.0] * 9])).mesh().numpy()
    figure = body_figure(state.mesh(), state.body.faces, room=room)
    colour_by_value(figure.data[0], state.skinning_weights(joint), 1.0)
    # From half to the side, where a bent knee is seen.
    figure.layout.scene.camera.eye = {"x": 0.95, "y": -1.0, "z": 0.15}
    controls = picker.controls | {"colour": colour} | checks
    explorer = Explorer(figure, controls, paint, watch=["colour", *checks], title="Skinning")
    explorer.state = state
    return explorer
