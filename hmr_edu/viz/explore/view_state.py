"""The state of an interactive view, as plain arrays; it knows no widgets.

Scenes are plotly's turntable: x to the viewer's right, y away, z up, metres. Bodies live in the
camera frame (docs/conventions.md) and are turned into the scene at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.body.smpl import BodyOutput, forward_kinematics
from hmr_edu.keypoints import SMPL_EDGES, SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import mean_theta, split_theta
from hmr_edu.viz.orbit import turntable_points
from hmr_edu.viz.shading import mesh_of

DENSITY = 985.0  # kilograms a cubic metre: with air in the lungs, a person just floats


def neutral_pose() -> Float[Tensor, " 72"]:
    """Return the T-pose, upright and facing the camera: the root is a half turn about x."""
    return torch.cat([split_theta(mean_theta()).pose[:3], torch.zeros(69)])


@dataclass
class MeshViewState:
    """One body and its camera; change its fields and ask again.

    `betas` [10], `pose` [72] (axis-angle, radians, root first), `camera` [3] = (s, tx, ty). The
    switches leave the shape blend shapes or the pose blend shapes out. `output` raises ValueError
    on other shapes and on numbers that are not finite.
    """

    body: SMPL
    betas: Float[Tensor, " 10"] = field(default_factory=lambda: torch.zeros(10))
    pose: Float[Tensor, " 72"] = field(default_factory=neutral_pose)
    camera: Float[Tensor, " 3"] = field(default_factory=lambda: torch.tensor([0.9, 0.0, 0.0]))
    shape_blend: bool = True
    pose_blend: bool = True

    def output(self) -> BodyOutput:
        """Pose the body; a batch of one, camera frame."""
        if self.betas.shape != (10,) or self.pose.shape != (72,):
            raise ValueError(
                f"betas must be [10] and pose [72], got {list(self.betas.shape)} and "
                f"{list(self.pose.shape)}"
            )
        if not (torch.isfinite(self.betas).all() and torch.isfinite(self.pose).all()):
            raise ValueError("betas and pose must be finite")
        betas = self.betas if self.shape_blend else torch.zeros(10)
        with torch.no_grad():
            output = self.body(betas[None], self.pose[None])
            if not self.pose_blend:
                vertices = output.vertices - skinned_correctives(self.body, betas, self.pose)
                output = output._replace(
                    vertices=vertices, keypoints=self.body.keypoint_regressor @ vertices
                )
        return output

    def mesh(self) -> Float[Tensor, "V 3"]:
        """Return the posed vertices in the camera frame, metres."""
        return mesh_of(self.output())[0]

    def vertices(self) -> Float32[np.ndarray, "3 V"]:
        """Return the posed vertices in the scene: rows x, y, z."""
        return to_scene(self.mesh())

    def joints(self) -> Float32[np.ndarray, "3 24"]:
        """Return the 24 joints in the scene."""
        return to_scene(self.output().joints[0])

    def faces(self) -> Int32[np.ndarray, "3 F"]:
        """Return the triangles, rows i, j, k."""
        return self.body.faces.numpy().astype(np.int32).T

    def rotation(self, joint: int | str) -> Float[Tensor, " 3"]:
        """Return a joint's axis-angle vector in radians; joints go by number or name."""
        start = 3 * joint_number(joint)
        return self.pose[start : start + 3]

    def turn(self, joint: int | str, axis_angle: Float[Tensor, " 3"]) -> None:
        """Set a joint's axis-angle vector, in radians."""
        start = 3 * joint_number(joint)
        self.pose = self.pose.clone()
        self.pose[start : start + 3] = axis_angle

    def height(self) -> float:
        """Return the standing height of this shape, metres: sole to crown, at rest."""
        y = self._at_rest()[:, 1]
        return float(y.max() - y.min())

    def weight(self) -> float:
        """Return the weight of this shape, kilograms: the volume at rest times `DENSITY`."""
        return volume(self._at_rest(), self.body.faces) * DENSITY

    def skinning_weights(self, joint: int | str) -> Float32[np.ndarray, " V"]:
        """Return the weight with which each vertex follows a joint, 0 to 1."""
        return self.body.weights[:, joint_number(joint)].numpy().copy()

    def correctives(self) -> Float32[np.ndarray, " V"]:
        """Return how far the pose blend shapes move each vertex, metres."""
        return pose_offsets(self.body, self.pose).norm(dim=-1).numpy()

    def _at_rest(self) -> Float[Tensor, "V 3"]:
        betas = self.betas if self.shape_blend else torch.zeros(10)
        return self.body.v_template + self.body.shapedirs @ betas


def joint_number(joint: int | str) -> int:
    """Return the number of an SMPL joint given by name or number; ValueError on others."""
    if isinstance(joint, str) and joint in SMPL_JOINTS:
        return SMPL_JOINTS.index(joint)
    if isinstance(joint, int) and 0 <= joint < len(SMPL_JOINTS):
        return joint
    raise ValueError(f"no joint {joint!r}: a number from 0 to 23, or one of {SMPL_JOINTS}")


def to_scene(points: Float[Tensor, "N 3"]) -> Float32[np.ndarray, "3 N"]:
    """Turn points of the camera frame into the scene: rows x, y, z, contiguous."""
    return np.ascontiguousarray(turntable_points(points), np.float32)


def skeleton_lines(joints: Float32[np.ndarray, "3 24"]) -> Float32[np.ndarray, "3 69"]:
    """Return one line through all bones, with a gap (NaN) after each: parent, child, gap."""
    gap = np.full((3, len(SMPL_EDGES)), np.nan, np.float32)
    parents, children = np.array(SMPL_EDGES).T
    return np.stack([joints[:, parents], joints[:, children], gap], axis=2).reshape(3, -1)


def volume(vertices: Float[Tensor, "V 3"], faces: Tensor) -> float:
    """Return the volume inside a closed mesh: a sum of signed tetrahedra, in float64."""
    a, b, c = vertices.double()[faces].unbind(1)
    return float((torch.linalg.cross(a, b) * c).sum() / 6)


def distances(a: Float[Tensor, "N 3"], b: Float[Tensor, "N 3"]) -> Float32[np.ndarray, " N"]:
    """Return the distance between points of the same index, metres."""
    return (a - b).norm(dim=-1).float().numpy()


def pose_offsets(body: SMPL, pose: Float[Tensor, " 72"]) -> Float[Tensor, "V 3"]:
    """Return B_P(theta), the pose blend shapes' offsets at rest, metres (SMPL eq. 9)."""
    R = axis_angle_to_matrix(pose.view(24, 3)[1:])
    return body.posedirs @ (R - torch.eye(3)).flatten()


def skinned_correctives(
    body: SMPL, betas: Float[Tensor, " 10"], pose: Float[Tensor, " 72"]
) -> Float[Tensor, "V 3"]:
    """Return the pose blend shapes' offsets of the posed vertices, metres.

    Skinning is linear in the vertex, so they are the offsets at rest, turned with the skin.
    """
    J = body.J_template + torch.einsum("bjc,b->jc", body.J_shapedirs, betas)
    G, _ = forward_kinematics(axis_angle_to_matrix(pose.view(1, 24, 3)), J[None])
    per_vertex = torch.einsum("vj,jrc->vrc", body.weights, G[0])
    return torch.einsum("vrc,vc->vr", per_vertex, pose_offsets(body, pose))
