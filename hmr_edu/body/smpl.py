"""The SMPL layer: betas and pose in, a posed body out, one equation for each step.

Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015; equation numbers are the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from hmr_edu.body.files import BodyData, read_body
from hmr_edu.io.precision import PreciseModule, at_least, check_tensors, float32_inside
from hmr_edu.keypoints import SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix


class BodyOutput(NamedTuple):
    """A posed body, in metres. `vertices` is None when only keypoints were asked for."""

    vertices: Float[Tensor, "batch V 3"] | None
    joints: Float[Tensor, "batch 24 3"]
    keypoints: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]


def _on_cpu(indices: Sequence[int]) -> Tensor:
    # Whatever device is the default while this file is imported.
    return torch.tensor(indices, device="cpu")


def _levels(parents: tuple[int, ...]) -> list[tuple[slice, slice | Tensor]]:
    """Group the joints by depth in the tree: (joints of a level, their parents one level up).

    In SMPL's order the joints of a level have consecutive numbers, and so have their parents,
    except in one level. Then a slice is enough, which costs nothing; a gather does.
    """
    depth = [0]
    for parent in parents[1:]:
        depth.append(depth[parent] + 1)
    groups = [[j for j in range(len(parents)) if depth[j] == d] for d in range(max(depth) + 1)]
    levels = []
    for above, joints in pairwise(groups):
        places = [above.index(parents[j]) for j in joints]
        span = slice(places[0], places[-1] + 1)
        # One parent for all of them is a slice of length one, which the product broadcasts.
        is_span = places == list(range(span.start, span.stop)) or len(set(places)) == 1
        levels.append((slice(joints[0], joints[-1] + 1), span if is_span else _on_cpu(places)))
    return levels


KINEMATIC_LEVELS = _levels(tuple(SMPL_PARENTS))
PARENTS = _on_cpu(SMPL_PARENTS[1:])


@float32_inside
def forward_kinematics(
    rotations: Float[Tensor, "batch 24 3 3"], joints: Float[Tensor, "batch 24 3"]
) -> tuple[Float[Tensor, "batch 24 3 3"], Float[Tensor, "batch 24 3"]]:
    """Return the global rotation and position of every joint, down the tree (eq. 4).

    `rotations` are relative to the parent, `joints` the rest positions. Whole levels are composed
    at once: eight small products instead of twenty-three.
    """
    # Without waiting: a plain `to` waits until a GPU has finished all work queued so far.
    parents = joints.index_select(1, PARENTS.to(joints.device, non_blocking=True))
    bones = torch.cat([joints[:, :1], joints[:, 1:] - parents], dim=1)
    # The transform of each joint relative to its parent: [R | bone] above (0, 0, 0, 1).
    local = pad(torch.cat([rotations, bones[..., None]], dim=3), (0, 0, 0, 1))
    local[:, :, 3, 3] = 1.0
    G = [local[:, :1]]
    for joints_of_level, parents_of_level in KINEMATIC_LEVELS:
        if isinstance(parents_of_level, slice):
            G_parent = G[-1][:, parents_of_level]
        else:
            G_parent = G[-1].index_select(1, parents_of_level.to(joints.device, non_blocking=True))
        G.append(G_parent @ local[:, joints_of_level])
    G_all = torch.cat(G, dim=1)
    return G_all[:, :, :3, :3], G_all[:, :, :3, 3]


def _pose_joints(
    rotations: Float[Tensor, "batch 24 3 3"], J: Float[Tensor, "batch 24 3"]
) -> tuple[Float[Tensor, "batch 24 3"], Float[Tensor, "batch 24 3 4"], Float[Tensor, "batch 207"]]:
    """Return the posed joints, their transforms, and the input of the pose blend shapes."""
    R, joints = forward_kinematics(rotations, J)
    # G'_k, eq. 3: rotate about the rest joint. A row [R | t] is 12 numbers, not 16.
    t = joints - (R @ J[..., None]).squeeze(-1)
    transforms = torch.cat([R, t[..., None]], dim=3)
    # vec(R - I) without the root (eq. 9).
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return joints, transforms, (rotations[:, 1:] - identity).flatten(1)


class SMPL(PreciseModule):
    """The body model as a layer. Any number of vertices; SMPL's 24 joints and 10 betas.

    Tensors are stored as [3, V] rows instead of [V, 3], so that every operation runs along the
    vertices. `v_template`, `shapedirs` and `posedirs` have SMPL's own layout.

    The layer has PyTorch's default dtype and device. It computes in float32 at least, and its
    constants stay so in a network of half precision.
    """

    faces: Tensor
    J_regressor: Tensor
    keypoint_regressor: Tensor
    J_template: Tensor
    J_shapedirs: Tensor
    _template: Tensor
    _blend: Tensor
    _weights: Tensor
    _touched: Tensor
    _touched_template: Tensor
    _touched_blend: Tensor
    _touched_weights: Tensor
    _touched_regressor: Tensor

    def __init__(self, body: BodyData) -> None:
        super().__init__()
        as_tensor = torch.from_numpy
        J_regressor, K = as_tensor(body.J_regressor), as_tensor(body.keypoint_regressor)
        template, shapedirs = as_tensor(body.v_template), as_tensor(body.shapedirs)
        blend = torch.cat([shapedirs, as_tensor(body.posedirs)], dim=2).permute(2, 1, 0)
        weights = as_tensor(body.weights).T
        # A keypoint depends on a few vertices; `vertices=False` computes no others.
        touched = K.abs().sum(0).nonzero().squeeze(1)

        constants = {
            "faces": as_tensor(body.faces).long(),
            "J_regressor": J_regressor,
            "keypoint_regressor": K,
            # J = J_regressor (template + S beta) is linear in beta: fold the regressor in once.
            # In float64, so that folding costs no accuracy.
            "J_template": (J_regressor.double() @ template.double()).float(),
            "J_shapedirs": torch.einsum(
                "jv,vcb->bjc", J_regressor.double(), shapedirs.double()
            ).float(),
            "_template": template.T,
            "_blend": blend,
            "_weights": weights,
            "_touched": touched,
            "_touched_template": template.T[:, touched],
            "_touched_blend": blend[:, :, touched],
            "_touched_weights": weights[:, touched],
            "_touched_regressor": K[:, touched].T,
        }
        dtype, device = at_least(torch.get_default_dtype()), torch.get_default_device()
        for name, tensor in constants.items():
            tensor = tensor.to(device, dtype if tensor.is_floating_point() else None)
            # Not in the state dict: a body is a file of its own, not a trained weight.
            self.register_buffer(name, tensor.contiguous(), persistent=False)
        self.parents = tuple(SMPL_PARENTS)

    @property
    def v_template(self) -> Float[Tensor, "V 3"]:
        """The mean shape in the rest pose, metres."""
        return self._template.T

    @property
    def shapedirs(self) -> Float[Tensor, "V 3 10"]:
        """Shape blend shapes S, metres per unit of beta."""
        return self._blend[:10].permute(2, 1, 0)

    @property
    def posedirs(self) -> Float[Tensor, "V 3 207"]:
        """Pose blend shapes P, metres per entry of vec(R - I)."""
        return self._blend[10:].permute(2, 1, 0)

    @property
    def weights(self) -> Float[Tensor, "V 24"]:
        """Skinning weights W; each row sums to 1."""
        return self._weights.T

    def _rotate(self, axis_angle: Float[Tensor, "batch 24 3"]) -> Float[Tensor, "batch 24 3 3"]:
        """Convert axis-angle vectors into rotation matrices: Rodrigues' formula."""
        return axis_angle_to_matrix(axis_angle)

    def _inputs(self, betas: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Return betas and rotations in one dtype; raise as `forward`."""
        check_tensors(betas=betas, pose=pose)
        if betas.ndim != 2 or betas.shape[1] != 10:
            raise ValueError(f"betas must be [batch, 10], got {list(betas.shape)}")
        dtype = torch.promote_types(betas.dtype, self.J_template.dtype)
        betas, pose = betas.to(dtype), pose.to(dtype)
        if pose.shape == (len(betas), 72):
            return betas, self._rotate(pose.view(-1, 24, 3))
        if pose.shape == (len(betas), 24, 3, 3):
            return betas, pose
        raise ValueError(
            f"pose must be [{len(betas)}, 72] or [{len(betas)}, 24, 3, 3] to go with "
            f"betas {list(betas.shape)}, got {list(pose.shape)}"
        )

    def _rest_joints(self, betas: Float[Tensor, "batch 10"]) -> Float[Tensor, "batch 24 3"]:
        """Return J(beta), the joints in the rest pose (eq. 10)."""
        J_template, J_shapedirs = self.J_template.to(betas), self.J_shapedirs.to(betas)
        return torch.addmm(J_template.flatten(), betas, J_shapedirs.flatten(1)).view(-1, 24, 3)

    def _skin_constants(self, vertices: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return template, blend shapes and weights of all vertices, or of the keypoints'."""
        if vertices:
            return self._template, self._blend, self._weights
        return self._touched_template, self._touched_blend, self._touched_weights

    @float32_inside
    def forward(
        self,
        betas: Float[Tensor, "batch 10"],
        pose: Float[Tensor, "batch 72"] | Float[Tensor, "batch 24 3 3"],
        vertices: bool = True,
    ) -> BodyOutput:
        """Compute the posed body.

        Raises ValueError on other shapes, TypeError on what is no tensor.

        Args:
            betas: shape coefficients.
            pose: axis-angle (radians) or rotation matrices, root first, each relative to its
                parent.
            vertices: False computes only the vertices that the keypoints need: the same keypoints
                with a fraction of the work.
        """
        betas, rotations = self._inputs(betas, pose)
        J = self._rest_joints(betas)
        joints, transforms, pose_feature = _pose_joints(rotations, J)
        coefficients = torch.cat([betas, pose_feature], dim=1)
        if vertices:
            posed = _skin(coefficients, transforms, *self._skin_constants(True))
            touched = posed[:, :, self._touched]
        else:
            posed = None
            touched = _skin(coefficients, transforms, *self._skin_constants(False))
        return BodyOutput(
            vertices=None if posed is None else posed.transpose(1, 2),
            joints=joints,
            keypoints=(touched @ self._touched_regressor.to(touched)).transpose(1, 2),
            rotations=rotations,
        )


def _skin(
    coefficients: Float[Tensor, "batch 217"],
    transforms: Float[Tensor, "batch 24 3 4"],
    template: Float[Tensor, "3 V"],
    blend: Float[Tensor, "217 3 V"],
    weights: Float[Tensor, "24 V"],
) -> Float[Tensor, "batch 3 V"]:
    """Compute blend shapes, then linear blend skinning (eq. 6-8).

    Args:
        coefficients: betas, then vec(R - I) of the joints.
        transforms: [R | t] of each joint.
        template: mean shape.
        blend: shape and pose blend shapes.
        weights: skinning weights.
    """
    template, blend, weights = (part.to(coefficients) for part in (template, blend, weights))
    # T_P(beta, theta) = template + B_S(beta) + B_P(theta), as one matrix product.
    v_posed = torch.addmm(template.flatten(), coefficients, blend.flatten(1))
    v_posed = v_posed.view(-1, *template.shape)
    # sum_k w_ki G'_k for every vertex i, then apply it: R v + t.
    per_vertex = (transforms.permute(0, 2, 3, 1).flatten(1, 2) @ weights).view(
        -1, 3, 4, template.shape[1]
    )
    return (per_vertex[:, :, :3] * v_posed[:, None]).sum(2) + per_vertex[:, :, 3]


def load_body(name_or_path: str | Path = "lite", fast: bool = False) -> SMPL:
    """Make the layer from a shipped body ("lite", "full") or from a body file.

    `fast` makes a `hmr_edu.body.fast.FastSMPL`: the same within rounding, several times as fast.

    Raises FileNotFoundError or DataError (see `hmr_edu.body.files.read_body`).
    """
    if fast:
        from hmr_edu.body.fast import FastSMPL  # numba takes a while to import

        return FastSMPL(read_body(name_or_path))
    return SMPL(read_body(name_or_path))
