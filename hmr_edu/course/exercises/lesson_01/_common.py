"""Helpers that the checks of lesson 01 share: random axes and angles, the matrix exponential."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.course import questions
from hmr_edu.course.check import Check, inputs
from hmr_edu.course.exercises._common import DOUBLE, normal, uniform

# [e_x]x, [e_y]x, [e_z]x
GENERATORS = torch.tensor(
    [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ],
    dtype=DOUBLE,
)
IN_DEGREES = "angles are radians here: cos and sin take no degrees"


def axes(n: int, seed: int) -> Tensor:
    """Draw unit vectors, float64 [n, 3]."""
    return normalize(normal(seed, n, 3), dim=-1)


def angles(n: int, seed: int) -> Tensor:
    """Draw angles from 0.3 to 2.8 rad, far from what is awkward, float64 [n]."""
    return 0.3 + 2.5 * uniform(inputs(seed), n)


def hat(v: Tensor) -> Tensor:
    """Return the matrix of the cross product with v, [..., 3] to [..., 3, 3]."""
    return torch.einsum("...i,ijk->...jk", v, GENERATORS.to(v))


def exponential(v: Tensor) -> Tensor:
    """Return the rotation by its definition, smooth everywhere: exp([v]x)."""
    return torch.linalg.matrix_exp(hat(v))


def jacobian_of(check: Check, at: Tensor, shape: tuple[int, ...] = (3, 3)) -> Tensor:
    """Return the gradient of the learner's function at one vector; `shape` is the result's."""
    check.call(at, shape=shape)
    return check.ask(questions.jacobian, at)


def slopes_of(check: Check, at: Tensor) -> Tensor:
    """Return the gradient of every matrix by its own vector, [N, 3] to [N, 3, 3, 3], or fail."""
    check.call(at, shape=(len(at), 3, 3))
    return check.ask(questions.slopes, at)
