"""Exercise of lesson 01, `mirror_pose`: a pose in the mirror."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, require
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
    want = torch.from_numpy(M @ R @ M).view(3, 5, 3, 3)
    mine = pose[:, list(swap)]
    signs = "the numbers of a joint change sign too"
    arrow = "an axis is no arrow: in the mirror of x it keeps x, and y and z turn round"
    slips = {
        "left and right change places too: use `swap`": _matrices(pose * SIGNS),
        signs: _matrices(mine),
        arrow: _matrices(-mine * SIGNS),
    }
    with check.part("a joint in the middle: M R M"):
        got = check.call(pose[:, :1], (0,), shape=(3, 1, 3))
        middle = {hint: slip[:, :1] for hint, slip in slips.items() if hint in (signs, arrow)}
        compare(_matrices(got), want[:, :1], 1e-9, middle)
    with check.part("all joints, left and right exchanged"):
        compare(_matrices(check.call(pose, swap, shape=(3, 5, 3))), want, 1e-9, slips)
        # One person.
        compare(_matrices(check.call(pose[:1], swap, shape=(1, 5, 3))), want[:1], 1e-9)
    with check.part("the mirror image of the mirror image is the pose"):
        once = check.call(pose, swap, shape=(3, 5, 3))
        twice = check.call(once.detach(), swap, shape=(3, 5, 3))
        compare(_matrices(twice), _matrices(pose), 1e-9)
    return check.report()


def _matrices(pose: Tensor) -> Tensor:
    """Return the rotations: a vector and the one that turns the other way round are the same."""
    vectors = pose.detach().double()
    require(vectors.isfinite().all(), "there are NaN or infinite numbers in it")
    R = Rotation.from_rotvec(vectors.reshape(-1, 3).numpy()).as_matrix()
    return torch.from_numpy(R).view(*pose.shape, 3)


MISTAKES = [
    Mistake(lambda p, s: p * SIGNS, "change places too", 2 / 3),
    Mistake(lambda p, s: p[:, list(s)], "change sign too", 1 / 3),
    Mistake(lambda p, s: -p[:, list(s)] * SIGNS, "axis is no arrow", 1 / 3),
    Mistake(lambda p, s: p[:, list(s)].mul_(-SIGNS) * -1 + 0.01, "", 0.0),
    Mistake(lambda p, s: (p[:, list(s)] * SIGNS).squeeze(0), "", 2 / 3),
    Mistake(lambda p, s: (p[:, list(s)] * SIGNS).float().double(), "", 0.0),
    Mistake(lambda p, s: p[:, [0, 2, 1, 4, 3][: p.shape[1]]] * SIGNS.roll(1), "", 1 / 3),
]
