"""Random poses within the range of joints, from which skinning corrections are learnt."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hmr_edu.body.build.mirror import JOINT_MIRROR

# Rotation vectors in degrees, lowest and highest about x, y, z, of the middle and left joints in
# the T-pose's axes. A left hip flexes about -x, a left elbow about -y.
LIMITS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((-120, 25), (-35, 40), (-20, 55)),
    3: ((-20, 35), (-20, 20), (-20, 20)),
    4: ((0, 140), (-8, 8), (-5, 5)),
    6: ((-20, 35), (-20, 20), (-20, 20)),
    7: ((-30, 45), (-15, 15), (-20, 20)),
    9: ((-20, 30), (-20, 20), (-20, 20)),
    10: ((-35, 20), (0, 0), (0, 0)),
    12: ((-30, 35), (-35, 35), (-25, 25)),
    13: ((-10, 10), (-20, 15), (-15, 25)),
    15: ((-30, 30), (-35, 35), (-20, 20)),
    16: ((-50, 50), (-100, 35), (-95, 80)),
    18: ((-45, 45), (-145, 0), (-5, 5)),
    20: ((-35, 35), (-25, 25), (-65, 60)),
    22: ((-10, 10), (-10, 10), (-50, 15)),
}
# Half-bent limbs, in degrees likewise.
HALF_BENT: dict[int, tuple[float, float, float]] = {
    1: (-45, 0, 8),
    4: (80, 0, 0),
    16: (0, 0, -35),
    18: (0, -85, 0),
}


def half_bent_pose() -> Float[np.ndarray, "24 3 3"]:
    """Return rotation matrices of a symmetric pose with elbows, knees and hips half bent."""
    from scipy.spatial.transform import Rotation

    vectors = np.zeros((24, 3))
    for joint, degrees in HALF_BENT.items():
        vectors[joint] = np.deg2rad(degrees)
        vectors[JOINT_MIRROR[joint]] = vectors[joint] * np.array([1.0, -1.0, -1.0])
    return Rotation.from_rotvec(vectors).as_matrix()


def random_poses(count: int, generator: np.random.Generator) -> Float[np.ndarray, "count 24 3 3"]:
    """Draw rotation matrices of every joint; the root's is the identity."""
    from scipy.spatial.transform import Rotation

    vectors = np.zeros((count, 24, 3))
    for joint, limits in LIMITS.items():
        low, high = np.deg2rad(np.array(limits, dtype=np.float64)).T
        vectors[:, joint] = generator.uniform(low, high, (count, 3))
        partner = JOINT_MIRROR[joint]
        if partner != joint:
            drawn = generator.uniform(low, high, (count, 3))
            vectors[:, partner] = drawn * np.array([1.0, -1.0, -1.0])
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(count, 24, 3, 3)
