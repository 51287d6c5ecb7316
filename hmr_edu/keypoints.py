"""Named sets of joints and keypoints, the maps between them, and their mirror images.

Everything is derived from the names: a joint that two sets share has the same name in both, and the
mirror image of `left_x` is `right_x`. A shared name means the same place only up to the conventions
of each data set: COCO annotates the hips on the skin, SMPL has them inside the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.io.precision import float32_inside
from hmr_edu.theta import join_theta, split_theta

SMPL_JOINTS = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
# The parent of each SMPL joint; -1 for the root, which has none.
SMPL_PARENTS = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    *(9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)

# The 19 keypoints that HMR regresses from the mesh; the first 14 are those of LSP.
COCOPLUS = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
)
# Right and left hip in COCO+ and LSP.
HIPS = (COCOPLUS.index("right_hip"), COCOPLUS.index("left_hip"))
LSP = COCOPLUS[:14]
COCO17 = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)


class JointMap(NamedTuple):
    """How to fill one joint set from another: `new[:, target] = old[:, source]`.

    `missing` names the target joints that the source lacks; their visibility is zero.
    """

    source: tuple[int, ...]
    target: tuple[int, ...]
    missing: tuple[str, ...]


def mapping(source: Sequence[str], target: Sequence[str]) -> JointMap:
    """Map joint set `source` to joint set `target` by name.

    Raises ValueError when a set names a joint twice: the map would be ambiguous.
    """
    for names in (source, target):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"joint set names {', '.join(twice)} more than once")
    shared = [name for name in target if name in source]
    return JointMap(
        source=tuple(source.index(name) for name in shared),
        target=tuple(target.index(name) for name in shared),
        missing=tuple(name for name in target if name not in source),
    )


def mirrored_name(name: str) -> str:
    """Swap `left_` and `right_`; names without a side (`nose`, `pelvis`) stay."""
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


def flip_permutation(names: Sequence[str]) -> tuple[int, ...]:
    """Return the order that swaps left and right: `flipped[:, i] = points[:, permutation[i]]`.

    Raises ValueError when a joint's mirror image is not in the set.
    """
    unpaired = [name for name in names if mirrored_name(name) not in names]
    if unpaired:
        raise ValueError(f"no mirror image in the joint set for: {', '.join(unpaired)}")
    return tuple(names.index(mirrored_name(name)) for name in names)


SMPL_FLIP = flip_permutation(SMPL_JOINTS)
COCOPLUS_FLIP = flip_permutation(COCOPLUS)
LSP_FLIP = flip_permutation(LSP)
COCO17_FLIP = flip_permutation(COCO17)

# Label images of body parts: 0 is the background, 1 + joint a part, and this a person's pixel of
# which the part is not known (a mask alone, as in COCO).
PERSON = 255

# The lines of a stick figure, by name. A set draws those lines of which it has both ends.
_BONES = (
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("right_hip", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"),
    ("right_shoulder", "neck"),
    ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("neck", "head_top"),
    ("neck", "nose"),
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
)


def _edges(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple((names.index(a), names.index(b)) for a, b in _BONES if {a, b} <= set(names))


# Pairs of indices to draw lines between.
SMPL_EDGES = tuple((parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0)
COCOPLUS_EDGES = _edges(COCOPLUS)
LSP_EDGES = _edges(LSP)
# COCO has no neck, so a line joins the shoulders.
COCO17_EDGES = (*_edges(COCO17), (COCO17.index("right_shoulder"), COCO17.index("left_shoulder")))


# The mirror is M = diag(-1, 1, 1): x -> -x, in the body frame (its sagittal plane) and in the
# camera frame (a picture turned left for right). A body V, turned by R and mirrored, is
#     M (R V) = (M R M) (M V),
# and M V is the same body with left and right swapped. So each rotation R of the pose becomes
# M R M and moves to the other side. That holds for the root as well, whatever it is: the turn by
# pi about x that puts the body upright in the camera frame commutes with M.


def flip_rotations(rotations: Float[Tensor, "*batch 24 3 3"]) -> Float[Tensor, "*batch 24 3 3"]:
    """Mirror a pose given as matrices: R -> M R M, left and right swapped, root included."""
    signs = rotations.new_tensor(((1, -1, -1), (-1, 1, 1), (-1, 1, 1)))
    return rotations[..., SMPL_FLIP, :, :] * signs


def flip_pose(pose: Float[Tensor, "*batch 72"]) -> Float[Tensor, "*batch 72"]:
    """Mirror an axis-angle pose (root first), as `flip_rotations` does for matrices.

    An axis is a pseudo-vector: M R(v) M = R(det(M) M v), hence the signs (1, -1, -1).
    """
    joints = pose.unflatten(-1, (24, 3))[..., SMPL_FLIP, :]
    return (joints * pose.new_tensor((1, -1, -1))).flatten(-2)


def flip_theta(theta: Float[Tensor, "*batch 85"]) -> Float[Tensor, "*batch 85"]:
    """Mirror theta: camera (s, tx, ty) -> (s, -tx, ty), mirrored pose, same betas.

    The keypoints of the result are those of the mirrored picture. This is exact for a body that is
    its own mirror image at every beta, as ours is.
    """
    camera, pose, betas = split_theta(theta)
    return join_theta(camera * camera.new_tensor((1, -1, 1)), flip_pose(pose), betas)


def flip_keypoints(
    points: Float[Tensor, "*batch N D"], names: Sequence[str] = COCOPLUS
) -> Float[Tensor, "*batch N D"]:
    """Mirror keypoints, 2D or 3D: x -> -x, left and right swapped.

    2D keypoints are in crop coordinates [-1, 1] (in pixels the mirror is x -> W - 1 - x), 3D
    keypoints in the body frame or the camera frame. Columns after x (y, z, visibility) are kept
    with their keypoint. Raises ValueError when the numbers of points and names differ.
    """
    if points.shape[-2] != len(names):
        raise ValueError(f"{points.shape[-2]} points given for a set of {len(names)} joints")
    flipped = points[..., flip_permutation(names), :]
    return torch.cat((-flipped[..., :1], flipped[..., 1:]), dim=-1)


def flip_parts(
    parts: UInt8[Tensor, "*batch height width"],
) -> UInt8[Tensor, "*batch height width"]:
    """Mirror label images of body parts: columns reversed, left and right parts swapped."""
    swapped = [0, *(1 + joint for joint in SMPL_FLIP), *range(1 + len(SMPL_FLIP), 256)]
    return torch.tensor(swapped, dtype=parts.dtype, device=parts.device)[parts.flip(-1).long()]


@float32_inside
def align_root(
    points: Float[Tensor, "*batch N D"], hips: tuple[int, int] = HIPS
) -> Float[Tensor, "*batch N D"]:
    """Move the middle of the two hips to the origin.

    Raises ValueError when there are too few points for these hips.
    """
    if max(hips) >= points.shape[-2]:
        raise ValueError(
            f"{points.shape[-2]} points have no hips at {hips}: name this set's own, or hips=None"
        )
    return points - points[..., hips, :].mean(-2, keepdim=True)
