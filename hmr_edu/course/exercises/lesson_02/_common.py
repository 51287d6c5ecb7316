"""Helpers that the checks of lesson 02 share: random rotations, the chain of 4 x 4 matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hmr_edu.course.exercises._common import DOUBLE, normal

TOLERANCE = 1e-5
# A small tree that forks; it is not SMPL's.
FORK = (-1, 0, 0, 1, 2, 2, 4)


def any_rotations(batch: int, joints: int, seed: int) -> Tensor:
    """Draw rotations by the exponential of skew matrices: independent of our Rodrigues."""
    A = normal(seed, batch, joints, 3, 3)
    return torch.linalg.matrix_exp(A - A.mT).float()


def rows(R: Tensor, t: Tensor) -> Tensor:
    """Return the upper three rows [R | t] of 4 x 4 matrices."""
    return torch.cat([R, t[..., None]], dim=-1)


def chain(rotations: Tensor, joints: Tensor, parents: Sequence[int]) -> Tensor:
    """Follow eq. 4 to the letter: multiply 4 x 4 matrices from the root to every joint."""
    out = torch.zeros(*joints.shape[:2], 3, 4, dtype=DOUBLE)
    for body in range(len(joints)):
        for joint in range(len(parents)):
            G, at = torch.eye(4, dtype=DOUBLE), joint
            while at >= 0:
                local = torch.eye(4, dtype=DOUBLE)
                local[:3, :3] = rotations[body, at]
                up = parents[at]
                local[:3, 3] = joints[body, at] - (joints[body, up] if up >= 0 else 0)
                G, at = local @ G, up
            out[body, joint] = G[:3]
    return out.float()
