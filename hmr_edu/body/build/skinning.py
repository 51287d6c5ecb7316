"""Linear blend and dual-quaternion skinning of many bodies at once, in numpy.

Dual quaternions: Kavan et al., "Skinning with Dual Quaternions", 2007. A rigid motion x -> R x + t
is the pair (q, q') with the rotation q and q' = t q / 2. Pairs are blended linearly and then
normalised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array


def quaternion_product(
    a: Float[np.ndarray, "*n 4"], b: Float[np.ndarray, "*n 4"]
) -> Float[np.ndarray, "*n 4"]:
    """Compute the Hamilton product, real part first."""
    real = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    imaginary = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([real, imaginary], axis=-1)


def rotation_quaternion(R: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 4"]:
    """Convert rotation matrices to unit quaternions, real part first."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(R.reshape(-1, 3, 3)).as_quat()
    return np.roll(flat, 1, axis=-1).reshape(*R.shape[:-2], 4)


def dual_quaternions(
    R: Float[np.ndarray, "J 3 3"], t: Float[np.ndarray, "J 3"], parents: Sequence[int]
) -> Float[np.ndarray, "J 8"]:
    """Return the dual quaternion of each bone's motion, with the sign nearest to its parent's.

    q and -q are the same rotation but blend differently, so neighbours must agree.
    """
    q = rotation_quaternion(R)
    for joint, parent in enumerate(parents):
        reference = q[parent] if parent >= 0 else np.array([1.0, 0, 0, 0])
        if q[joint] @ reference < 0:
            q[joint] *= -1
    pure = np.concatenate([np.zeros((len(t), 1)), t], axis=1)
    return np.concatenate([q, quaternion_product(pure, q) / 2], axis=1)


def dual_quaternion_skinning(
    points: Float[np.ndarray, "V 3"],
    weights: Float[np.ndarray, "V J"] | csr_array,
    motions: Float[np.ndarray, "J 8"],
) -> Float[np.ndarray, "V 3"]:
    """Move points by their blended dual quaternions.

    `weights` may be a scipy sparse array.
    """
    blended = weights @ motions
    blended /= np.linalg.norm(blended[:, :4], axis=1, keepdims=True)
    w, v, dual_w, dual_v = blended[:, :1], blended[:, 1:4], blended[:, 4:5], blended[:, 5:]
    turned = points + 2 * np.cross(v, np.cross(v, points) + w * points)
    return turned + 2 * (w * dual_v - dual_w * v + np.cross(v, dual_v))


def blend_matrices(
    weights: Float[np.ndarray, "V J"], R: Float[np.ndarray, "J 3 3"], t: Float[np.ndarray, "J 3"]
) -> tuple[Float[np.ndarray, "V 3 3"], Float[np.ndarray, "V 3"]]:
    """Return the matrix and translation of each vertex for linear blend skinning."""
    return (weights @ R.reshape(-1, 9)).reshape(-1, 3, 3), weights @ t


def forward_kinematics(
    rotations: Float[np.ndarray, "J 3 3"], joints: Float[np.ndarray, "J 3"], parents: Sequence[int]
) -> tuple[Float[np.ndarray, "J 3 3"], Float[np.ndarray, "J 3"]]:
    """Return each joint's motion x -> R x + t from rest, given rotations relative to the parent."""
    R, t = np.empty_like(rotations), np.empty_like(joints)
    for joint, parent in enumerate(parents):
        if parent < 0:
            R[joint], place = rotations[joint], joints[joint]
        else:
            R[joint] = R[parent] @ rotations[joint]
            place = R[parent] @ joints[joint] + t[parent]
        t[joint] = place - R[joint] @ joints[joint]
    return R, t
