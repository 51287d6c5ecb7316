"""Place SMPL's 24 joints among the source's bones, and fit regressors that find them again."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hmr_edu.body.build.mirror import FLIP, JOINT_MIRROR

# The source's knee is 2.5 cm above the middle of the condyles: move it towards the ankle.
KNEE_DROP = 0.06
# Position of the pelvis: that of SMPL's template, to the centimetre.
PELVIS = (0.0, -0.22, 0.0)

# Joint -> mixture of bone heads. Right sides are mirrored.
RECIPE: dict[int, dict[str, float]] = {
    0: {"spine04": 0.8, "spine03": 0.2},
    1: {"upperleg01.L": 0.78, "root": 0.22},
    3: {"spine03": 0.8, "spine02": 0.2},
    4: {"lowerleg01.L": 1 - KNEE_DROP, "foot.L": KNEE_DROP},
    6: {"spine02": 1.0},
    7: {"foot.L": 1.0},
    9: {"spine01": 1.0},
    10: {f"toe{k}-1.L": 0.2 for k in range(1, 6)},
    12: {"neck01": 1.0},
    13: {"clavicle.L": 1.0},
    15: {"head": 1.0},
    16: {"upperarm01.L": 1.0},
    18: {"lowerarm01.L": 1.0},
    20: {"wrist.L": 1.0},
    22: {f"finger{k}-1.L": 0.25 for k in range(2, 6)},
}
MIDDLE = (0, 3, 6, 9, 12, 15)


def joints_from_bones(
    names: list[str], heads: Float[np.ndarray, "B 3"]
) -> Float[np.ndarray, "24 3"]:
    """Return SMPL's joints from the heads of the straightened bones."""
    joints = np.zeros((24, 3))
    for joint, mixture in RECIPE.items():
        joints[joint] = sum(w * heads[names.index(name)] for name, w in mixture.items())
        if joint in MIDDLE:
            joints[joint, 0] = 0
        else:
            joints[JOINT_MIRROR[joint]] = joints[joint] * FLIP
    return joints


def fit_regressor(
    points: Float[np.ndarray, "S C 3"], targets: Float[np.ndarray, "S 3"]
) -> Float[np.ndarray, " C"]:
    """Fit weights >= 0 with sum 1 that bring the candidates' mean nearest to the targets.

    Non-negative least squares (Lawson and Hanson), which keeps few candidates.
    """
    from scipy.optimize import nnls

    # Relative to the targets the numbers are small; a row of large weight makes the sum one.
    system = (points - targets[:, None]).transpose(0, 2, 1).reshape(-1, points.shape[1])
    heavy = np.linalg.norm(system) + 1e-9
    solution, _ = nnls(
        np.vstack([system, np.full((1, points.shape[1]), heavy)]),
        np.append(np.zeros(len(system)), heavy),
    )
    return solution / solution.sum()


def fit_symmetric(
    points: Float[np.ndarray, "S H 3"],
    mid: Bool[np.ndarray, " H"],
    targets: Float[np.ndarray, "S 3"],
    candidates: Bool[np.ndarray, " H"],
    middle: bool,
) -> Float[np.ndarray, " H"]:
    """Fit a regressor over the vertices of the left half.

    Args:
        points: left halves of sampled bodies.
        mid: which vertices are on the middle plane.
        targets: true positions of the joint.
        candidates: vertices that may get a weight.
        middle: whether the joint is on the middle plane. Then only y and z count, and a vertex off
            the plane stands for itself and its partner.
    """
    chosen = points[:, candidates]
    if middle:
        chosen = chosen * np.array([0.0, 1.0, 1.0])
        targets = targets * np.array([0.0, 1.0, 1.0])
    row = np.zeros(len(mid))
    row[candidates] = fit_regressor(chosen, targets)
    return row
