"""From the source's A-pose with bent elbows to SMPL's T-pose, for every sampled shape.

The source's own 104 bones rotate, and the skin follows by dual-quaternion skinning. Each bone named
below gets a rotation in body axes; its descendants inherit it until the next named one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from hmr_edu.body.build.clean import ClosedSkin, halve
from hmr_edu.body.build.mirror import FLIP
from hmr_edu.body.build.skinning import dual_quaternions
from hmr_edu.body.build.source import Source
from hmr_edu.body.build.weights import smooth

# Directions of the straightened limbs (left side). Legs stay a little apart and a little bent.
UPPER_ARM = LOWER_ARM = HAND = np.array([1.0, 0.0, 0.0])
THIGH = np.array([-0.02, -1.0, 0.02])
SHANK = np.array([-0.01, -1.0, -0.055])
# Rounds of weight smoothing for straightening: shoulder and elbow rotate by as much as 50 degrees.
SOFTENING = 6
SHOULDER_LIFT = np.deg2rad(8)


@dataclass(frozen=True)
class Rig:
    """The source's bones: names, parents, and the rows that give their heads from the source mesh.

    `weights` are the source's skinning weights; `soft_weights` are smoothed for straightening.
    """

    names: list[str]
    parents: list[int]
    heads: sparse.csr_array
    weights: Float[np.ndarray, "H B"]
    soft_weights: sparse.csr_array

    def index(self, name: str) -> int:
        """Return the row of a bone."""
        return self.names.index(name)


def bone_partners(names: list[str]) -> Int[np.ndarray, " B"]:
    """Return the index of each bone's mirror image; `.L` and `.R` end the names of pairs."""
    swap = str.maketrans("LR", "RL")
    return np.array(
        [names.index(n[:-1] + n[-1].translate(swap) if n[-2] == "." else n) for n in names]
    )


def make_rig(source: Source, skin: ClosedSkin) -> Rig:
    """Make the bones and the weights of the half skin, as rows over source vertices or bones."""
    names = [bone.name for bone in source.bones]

    def means(groups: list[np.ndarray]) -> sparse.csr_array:
        rows = np.concatenate([np.full(len(g), k) for k, g in enumerate(groups)])
        values = np.concatenate([np.full(len(g), 1 / len(g)) for g in groups])
        shape = (len(groups), len(source.vertices))
        return sparse.csr_array((values, (rows, np.concatenate(groups))), shape=shape)

    weights = np.maximum(skin.combine @ source.weights, 0)
    weights /= weights.sum(1, keepdims=True)
    soft = smooth(skin.half, weights, bone_partners(names), SOFTENING)
    return Rig(
        names,
        [names.index(bone.parent) if bone.parent else -1 for bone in source.bones],
        means([bone.head for bone in source.bones]),
        weights,
        sparse.csr_array(soft),
    )


def unit(vector: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Scale a vector to length one."""
    return vector / np.linalg.norm(vector)


def frame(along: Float[np.ndarray, " 3"], side: Float[np.ndarray, " 3"]) -> np.ndarray:
    """Return orthonormal columns: first `along`, then `side` made perpendicular to it."""
    first = unit(along)
    second = unit(side - (side @ first) * first)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def align(along, side, new_along, new_side) -> Float[np.ndarray, "3 3"]:
    """Return the rotation that takes one direction to another exactly, and its side nearly.

    Args:
        along: the old direction.
        side: the old side.
        new_along: the new direction.
        new_side: the new side.
    """
    return frame(new_along, new_side) @ frame(along, side).T


def turns(rig: Rig, heads: Float[np.ndarray, "B 3"]) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Return the rotations, in body axes, of the bones that straighten the left side."""
    at = {name: heads[k] for k, name in enumerate(rig.names)}
    down, front = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    upper = at["lowerarm01.L"] - at["upperarm01.L"]
    lower = at["wrist.L"] - at["lowerarm01.L"]
    hinge = np.cross(upper, lower)
    hand = at["finger3-1.L"] - at["wrist.L"]
    palm = np.cross(at["finger5-1.L"] - at["wrist.L"], at["finger2-1.L"] - at["wrist.L"])
    thigh = at["lowerleg01.L"] - at["upperleg01.L"]
    shank = at["foot.L"] - at["lowerleg01.L"]
    c, s = np.cos(SHOULDER_LIFT), np.sin(SHOULDER_LIFT)
    lift = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    wrist = align(hand, palm, HAND, down)
    forearm = align(lower, hinge, LOWER_ARM, down)
    return {
        "shoulder01.L": lift,
        "upperarm01.L": align(upper, hinge, UPPER_ARM, down),
        "lowerarm01.L": forearm,
        "wrist.L": wrist,
        "upperleg01.L": align(thigh, front, THIGH, front),
        "lowerleg01.L": align(shank, front, SHANK, front),
        "foot.L": np.eye(3),
    }


def pose_bones(
    rig: Rig, heads: Float[np.ndarray, "B 3"]
) -> tuple[Float[np.ndarray, "B 3 3"], Float[np.ndarray, "B 3"]]:
    """Return each bone's motion x -> R x + t into the T-pose."""
    left = turns(rig, heads)
    mirror = np.diag(FLIP)
    named = left | {n.replace(".L", ".R"): mirror @ R @ mirror for n, R in left.items()}
    R, t = np.empty((len(heads), 3, 3)), np.empty((len(heads), 3))
    for bone, parent in enumerate(rig.parents):
        inherited = R[parent] if parent >= 0 else np.eye(3)
        R[bone] = named.get(rig.names[bone], inherited)
        place = inherited @ heads[bone] + t[parent] if parent >= 0 else heads[bone]
        t[bone] = place - R[bone] @ heads[bone]
    return R, t


@dataclass(frozen=True)
class Straightener:
    """From shape coefficients to half skins and bone heads in T-pose."""

    rig: Rig
    mean_points: Float[np.ndarray, "H 3"]
    mean_heads: Float[np.ndarray, "B 3"]
    point_offsets: Float[np.ndarray, "T H 3"]
    head_offsets: Float[np.ndarray, "T B 3"]

    @classmethod
    def prepare(cls, source: Source, skin: ClosedSkin, targets: list[np.ndarray]) -> Straightener:
        """Transfer base mesh and targets to the skin and to the bones' heads."""
        rig = make_rig(source, skin)
        return cls(
            rig,
            halve(skin.combine, source, source.vertices),
            halve(rig.heads, source, source.vertices),
            np.stack([halve(skin.combine, source, target) for target in targets]),
            np.stack([halve(rig.heads, source, target) for target in targets]),
        )

    def bones(
        self, mix: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "B 8"], Float[np.ndarray, "B 3"]]:
        """Return the dual quaternions of one person's bones into the T-pose, and heads there."""
        heads = self.mean_heads + np.tensordot(mix, self.head_offsets, 1)
        R, t = pose_bones(self.rig, heads)
        motions = dual_quaternions(R, t, self.rig.parents)
        return motions, np.einsum("bij,bj->bi", R, heads) + t

    def bent(self, mix: Float[np.ndarray, " T"]) -> Float[np.ndarray, "H 3"]:
        """Return the half skin of one person in the source's own A-pose."""
        return self.mean_points + np.tensordot(mix, self.point_offsets, 1)
