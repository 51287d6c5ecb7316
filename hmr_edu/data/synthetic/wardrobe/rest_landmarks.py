"""Landmarks of the rest body: the measurements that position clothes and faces."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_edu.body import SMPL
from hmr_edu.keypoints import SMPL_JOINTS

# Share of the stature from chin to crown: close to 0.13 in adults of both sexes.
HEAD_SHARE = 0.13


@dataclass(frozen=True)
class RestLandmarks:
    """Heights (Y) and half-widths (|X|) on the mean shape in the rest pose, metres.

    `middle_z` holds, for each of the 24 parts, the depth of the border between its front and its
    back.
    """

    sole: float
    ankle: float
    knee: float
    hip: float
    waist: float
    chest: float
    neck: float
    chin: float
    crown: float
    shoulder_x: float
    elbow_x: float
    wrist_x: float
    reach_x: float
    hip_x: float
    middle_z: tuple[float, ...]

    @property
    def stature(self) -> float:
        """Height from sole to crown."""
        return self.crown - self.sole

    @classmethod
    def of(cls, body: SMPL) -> RestLandmarks:
        """Measure a body, which stands in a T-pose, Y up, facing +Z."""
        vertices = body.v_template.detach().cpu()
        joints = body.J_template.detach().cpu()
        owner = body.weights.detach().cpu().argmax(1)
        x, y = joints[:, 0].abs().tolist(), joints[:, 1].tolist()
        at = {name: index for index, name in enumerate(SMPL_JOINTS)}
        sole, crown = vertices[:, 1].min().item(), vertices[:, 1].max().item()
        middle = []
        for part in range(len(SMPL_JOINTS)):
            z = vertices[owner == part, 2]
            middle.append((z.min() + z.max()).item() / 2 if len(z) else 0.0)
        return cls(
            sole=sole,
            ankle=y[at["left_ankle"]],
            knee=y[at["left_knee"]],
            hip=y[at["left_hip"]],
            waist=y[at["spine1"]],
            chest=y[at["spine3"]],
            neck=y[at["neck"]],
            chin=crown - HEAD_SHARE * (crown - sole),
            crown=crown,
            shoulder_x=x[at["left_shoulder"]],
            elbow_x=x[at["left_elbow"]],
            wrist_x=x[at["left_wrist"]],
            reach_x=vertices[:, 0].abs().max().item(),
            hip_x=x[at["left_hip"]],
            middle_z=tuple(middle),
        )
