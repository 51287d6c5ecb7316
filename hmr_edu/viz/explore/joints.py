"""A menu of joints and three angles, for every explorer that poses a body."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.viz.explore.explorer import MENU, WIDE, slider
from hmr_edu.viz.explore.view_state import MeshViewState, joint_number, neutral_pose

TURN = 180.0  # degrees either way, where there is no limit


class JointPicker:
    """A menu of joints and sliders for x, y, z of the axis-angle vector, in degrees."""

    def __init__(
        self, state: MeshViewState, joint: str, changed: Callable[[], None], limits: bool
    ) -> None:
        """Make the widgets, which are in `controls` by name.

        Args:
            state: the body that a slider's new angle goes to.
            joint: the one that is chosen at first.
            changed: is called after each change of the state.
            limits: whether sliders end at the pose prior's joint limits; the root has none.
        """
        self.state, self.changed, self._showing = state, changed, False
        prior = load_pose_prior()
        free = torch.full((3,), TURN)
        self.low = torch.cat([-free, prior.low.rad2deg() if limits else -TURN * torch.ones(69)])
        self.high = torch.cat([free, prior.high.rad2deg() if limits else TURN * torch.ones(69)])
        names = [(name.replace("_", " "), name) for name in SMPL_JOINTS]
        self.menu = widgets.Dropdown(
            options=names, value=joint, description="joint", style=WIDE, layout=MENU
        )
        self.angles = [
            slider(f"about {axis}, °", 0, -1, 1, 1, readout_format=".0f") for axis in "xyz"
        ]
        self.controls: dict[str, widgets.Widget] = {"joint": self.menu}
        self.controls |= {f"about {axis}": s for axis, s in zip("xyz", self.angles, strict=True)}
        self.menu.observe(lambda _: (self.show(), changed()), "value")
        for angle in self.angles:
            angle.observe(self._read, "value")
        self.show()

    def show(self) -> None:
        """Set the sliders to the angles of the chosen joint; the state stays as it is."""
        start = 3 * joint_number(self.menu.value)
        degrees = self.state.rotation(self.menu.value).rad2deg()
        self._showing = True
        for n, angle in enumerate(self.angles):
            value = float(degrees[n])
            # A recording may go beyond the limits: then so does the slider.
            low = min(float(self.low[start + n]), value)
            high = max(float(self.high[start + n]), value)
            with angle.hold_trait_notifications():
                angle.min, angle.max, angle.value = low, high, value
        self._showing = False

    def _read(self, _: object) -> None:
        if not self._showing:
            degrees = torch.tensor([angle.value for angle in self.angles])
            self.state.turn(self.menu.value, degrees.deg2rad())
            self.changed()


def facing_camera(poses: Float[Tensor, "N 72"]) -> Float[Tensor, "N 72"]:
    """Turn poses from a world with Y up, as in motion capture, into the camera frame."""
    half_turn = axis_angle_to_matrix(neutral_pose()[:3])
    root = matrix_to_axis_angle(half_turn @ axis_angle_to_matrix(poses[:, :3]))
    return torch.cat([root, poses[:, 3:]], dim=1)
