"""Pose correctives: the advantage of dual-quaternion skinning over linear blend skinning.

For each random pose the difference of the two is transformed back to the rest pose. Ridge
regression explains it by vec(R - I) of the joints between those that move the vertex.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from jaxtyping import Float

from hmr_edu.body.build.skinning import (
    blend_matrices,
    dual_quaternion_skinning,
    dual_quaternions,
    forward_kinematics,
)
from hmr_edu.keypoints import SMPL_PARENTS

# Skinning weights below this have no visible effect.
TOUCHES = 0.005
RIDGE = 1e-3


def joints_between(joints: frozenset[int]) -> list[int]:
    """Return the joints whose rotation changes the given joints relative to each other."""
    paths = []
    for joint in joints:
        path = [joint]
        while SMPL_PARENTS[path[-1]] >= 0:
            path.append(SMPL_PARENTS[path[-1]])
        paths.append(set(path))
    return sorted(set.union(*paths) - set.intersection(*paths)) if paths else []


def blend_dual_quaternions(
    rest: Float[np.ndarray, "H 3"],
    weights: Float[np.ndarray, "H 24"],
    R: Float[np.ndarray, "24 3 3"],
    t: Float[np.ndarray, "24 3"],
) -> Float[np.ndarray, "H 3"]:
    """Skin by dual quaternions: the target of the correctives.

    Args:
        rest: vertices at rest.
        weights: skinning weights.
        R: rotation of each joint's motion.
        t: translation of each joint's motion.
    """
    return dual_quaternion_skinning(rest, weights, dual_quaternions(R, t, SMPL_PARENTS))


def pulled_back(
    rest: Float[np.ndarray, "H 3"],
    weights: Float[np.ndarray, "H 24"],
    joints: Float[np.ndarray, "24 3"],
    rotations: Float[np.ndarray, "24 3 3"],
) -> Float[np.ndarray, "H 3"]:
    """Return the rest offset with which linear blending gives the dual-quaternion result.

    Args:
        rest: vertices at rest.
        weights: skinning weights.
        joints: joints at rest.
        rotations: of the joints, relative to their parents.
    """
    R, t = forward_kinematics(rotations, joints, SMPL_PARENTS)
    A, b = blend_matrices(weights, R, t)
    goal = blend_dual_quaternions(rest, weights, R, t)
    return np.linalg.solve(A, (goal - b)[..., None])[..., 0] - rest


def pose_features(rotations: Float[np.ndarray, "P 24 3 3"]) -> Float[np.ndarray, "P 23 9"]:
    """Return vec(R - I) of the 23 joints below the root."""
    return (rotations[:, 1:] - np.eye(3)).reshape(len(rotations), 23, 9)


def fit_correctives(
    weights: Float[np.ndarray, "H 24"],
    features: Float[np.ndarray, "P 23 9"],
    offsets: Float[np.ndarray, "P H 3"],
) -> Float[np.ndarray, "H 3 207"]:
    """Fit posedirs, which are zero for joints without influence on a vertex."""
    posedirs = np.zeros((weights.shape[0], 3, 23, 9))
    groups = defaultdict(list)
    for vertex, row in enumerate(weights):
        groups[frozenset(np.flatnonzero(row > TOUCHES).tolist())].append(vertex)
    for joints, vertices in groups.items():
        columns = np.array(joints_between(joints), dtype=np.int64) - 1
        if not len(columns):
            continue
        X = features[:, columns].reshape(len(features), -1)
        Y = offsets[:, vertices].reshape(len(features), -1)
        gram = X.T @ X + RIDGE * len(X) * np.eye(X.shape[1])
        fit = np.linalg.solve(gram, X.T @ Y).reshape(len(columns), 9, len(vertices), 3)
        posedirs[np.array(vertices)[:, None], :, columns] = fit.transpose(2, 0, 3, 1)
    return posedirs.reshape(len(weights), 3, 207)


def corrected_blend(
    rest: Float[np.ndarray, "H 3"],
    joints: Float[np.ndarray, "24 3"],
    weights: Float[np.ndarray, "H 24"],
    posedirs: Float[np.ndarray, "H 3 207"],
    rotations: Float[np.ndarray, "P 24 3 3"],
) -> tuple[
    Float[np.ndarray, "P H 3"], tuple[Float[np.ndarray, "P 24 3 3"], Float[np.ndarray, "P 24 3"]]
]:
    """Skin as SMPL does; return the vertices of each pose, and each joint's motion x -> R x + t.

    Args:
        rest: vertices at rest.
        joints: joints at rest.
        weights: skinning weights.
        posedirs: pose correctives.
        rotations: of each pose, relative to the parents.
    """
    points, motions = [], []
    for rotation, feature in zip(rotations, pose_features(rotations), strict=True):
        R, t = forward_kinematics(rotation, joints, SMPL_PARENTS)
        A, b = blend_matrices(weights, R, t)
        shaped = rest + posedirs @ feature.ravel()
        points.append(np.einsum("vij,vj->vi", A, shaped) + b)
        motions.append((R, t))
    turns, shifts = (np.stack(part) for part in zip(*motions, strict=True))
    return np.stack(points), (turns, shifts)
