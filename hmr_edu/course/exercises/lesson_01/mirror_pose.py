"""Exercise of lesson 01, `mirror_pose`: a pose in the mirror."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import normal, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
SIGNS = tensor([1.0, -1.0, -1.0])


def check_mirror_pose(function: Asked) -> Report:
    """Check `mirror_pose(pose [B, K, 3], swap) -> [B, K, 3]`: the pose seen in a mirror."""
    check = Check("mirror_pose", function)
    pose = 0.8 * normal(101, 3, 5, 3)
    swap = (0, 2, 1, 4, 3)
    M = np.diag([-1.0, 1.0, 1.0])
    R = Rotation.from_rotvec(pose[:, list(swap)].reshape(-1, 3).numpy()).as_matrix()
    want = torch.from_numpy(Rotation.from_matrix(M @ R @ M).as_rotvec()).view(3, 5, 3)
    slips = {
        "left and right change places too: use `swap`": pose * SIGNS,
        "the numbers of a joint change sign too": pose[:, list(swap)],
        "an axis is no arrow: in the mirror of x it keeps x, and y and z turn round": -want,
    }
    with check.part("a joint in the middle: M R M"):
        compare(check.call(pose[:, :1], (0,)), want[:, :1], 1e-9, {list(slips)[2]: -want[:, :1]})
    with check.part("all joints, left and right exchanged"):
        compare(check.call(pose, swap), want, 1e-9, slips)
    with check.part("the mirror image of the mirror image is the pose"):
        compare(check.call(check.call(pose, swap), swap), pose, 1e-12)
    return check.report()


MISTAKES = [
    Mistake(lambda p, s: p * SIGNS, "change places too", 2 / 3),
    Mistake(lambda p, s: p[:, list(s)], "change sign too", 1 / 3),
    Mistake(lambda p, s: -p[:, list(s)] * SIGNS, "axis is no arrow", 1 / 3),
    Mistake(lambda p, s: p[:, list(s)].mul_(-SIGNS) * -1 + 0.01, "", 0.0),
]
