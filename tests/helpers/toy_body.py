"""A small random body in SMPL's format: any vertex count, nothing symmetric, nothing zero."""

import numpy as np

from hmr_edu.body import BodyData
from hmr_edu.keypoints import SMPL_PARENTS


def toy_body(V: int = 60, seed: int = 0) -> BodyData:
    """Random arrays of the right shapes; weights and regressors have rows that sum to 1."""
    rng = np.random.default_rng(seed)

    def rows(n: int, m: int) -> np.ndarray:
        dense = rng.random((n, m)) ** 8
        return (dense / dense.sum(1, keepdims=True)).astype(np.float32)

    keypoints = np.zeros((19, V), np.float32)
    keypoints[np.arange(19), rng.choice(V, 19)] = 1
    return BodyData(
        v_template=rng.normal(size=(V, 3)).astype(np.float32) * 0.3,
        faces=np.stack([rng.choice(V, 3, replace=False) for _ in range(2 * V)]).astype(np.int32),
        shapedirs=(rng.normal(size=(V, 3, 10)) * 0.02).astype(np.float16).astype(np.float32),
        posedirs=(rng.normal(size=(V, 3, 207)) * 0.01).astype(np.float16).astype(np.float32),
        J_regressor=rows(24, V),
        weights=rows(V, 24),
        parents=np.array(SMPL_PARENTS, np.int32),
        keypoint_regressor=keypoints,
    )
