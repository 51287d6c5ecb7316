"""Skinning weights of SMPL's 24 joints from those of the source's 104 bones."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from hmr_edu.body.build.mirror import Half

# The first pattern that matches a bone's name, without its side, gives its left or middle joint.
JOINT_OF_BONE = (
    (r"root|pelvis|spine0[45]", 0),
    (r"upperleg", 1),
    (r"spine03", 3),
    (r"lowerleg", 4),
    (r"spine02|breast", 6),
    (r"foot", 7),
    (r"spine01", 9),
    (r"toe", 10),
    (r"neck", 12),
    (r"clavicle|shoulder", 13),
    (r"upperarm", 16),
    (r"lowerarm", 18),
    (r"wrist|metacarpal|finger1", 20),
    (r"finger", 22),
    (r"", 15),
)
LIMIT = 4
FAINT = 1e-3


def joint_of_bone(name: str) -> int:
    """Return the SMPL joint that a bone of the source moves with."""
    joint = next(joint for pattern, joint in JOINT_OF_BONE if re.match(pattern, name))
    paired = joint not in (0, 3, 6, 9, 12, 15)
    return joint + 1 if paired and name.endswith(".R") else joint


def merge_bones(names: list[str], weights: Float[np.ndarray, "H B"]) -> Float[np.ndarray, "H 24"]:
    """Sum the weights of the bones by joint. `weights` may be a scipy sparse array."""
    table = np.zeros((len(names), 24))
    table[np.arange(len(names)), [joint_of_bone(name) for name in names]] = 1
    return np.asarray(weights @ table)


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_array:
    """Make the operator that replaces each vertex's value by the mean of its neighbours."""
    a = faces[:, [0, 1, 2, 1, 2, 0]].ravel()
    b = faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    ones = sparse.csr_array((np.ones(len(a)), (a, b)), shape=(count, count))
    ones.data[:] = 1
    return sparse.csr_array(ones / ones.sum(1)[:, None])


def smooth(
    half: Half,
    weights: Float[np.ndarray, "H B"],
    column_mirror: Int[np.ndarray, " B"],
    rounds: int,
) -> Float[np.ndarray, "H B"]:
    """Average weights over neighbouring vertices, so that creases become folds.

    Args:
        half: the left half of the mesh.
        weights: of its vertices.
        column_mirror: swaps the columns of left and right.
        rounds: how often to average.
    """
    mean = neighbour_mean(half.whole_faces(), half.size)
    whole = half.whole(weights, weights[:, column_mirror])
    for _ in range(rounds):
        whole = (whole + mean @ whole) / 2
    return whole[: len(weights)]


def keep_strongest(half: Half, weights: Float[np.ndarray, "H 24"]) -> Float[np.ndarray, "H 24"]:
    """Keep at most four joints for each vertex, with weights of sum 1.

    On the middle plane a left and a right joint have equal weights; both stay or both go.
    """
    even = half.weights(weights)[: len(weights)]
    fifth = np.sort(even, axis=1)[:, -LIMIT - 1]
    kept = np.where(even > np.maximum(fifth, FAINT)[:, None], even, 0)
    return kept / kept.sum(1, keepdims=True)
