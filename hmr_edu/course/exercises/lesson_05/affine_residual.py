"""Exercise of lesson 05, `affine_residual`: what an affine function leaves over."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6
BROADCAST = "[N, 1] - [N] is [N, N]: take the prediction's column, [:, 0], before subtracting"


def check_affine_residual(function: Asked) -> Report:
    """Check `affine_residual(x [N, D], y [N]) -> []`: what the best affine function leaves over."""
    check = Check("affine_residual", function)
    g = inputs(2)
    x = draw(g, 200, 9)
    with check.part("the worked example: x^2 on -1, 0, 1 leaves 2/3"):
        line = tensor([[-1.0], [0.0], [1.0]])
        third = tensor(1 / 3)
        compare(
            check.call(line, line[:, 0] ** 2),
            2 * third,
            1e-9,
            {
                "affine is linear and a constant: give x a column of ones": 3 * third,
                "the largest residual, not the mean": 4 / 3 * third,
                "the largest residual in size: take abs() before max()": third,
            },
        )
    with check.part("an affine function leaves nothing"):
        y = x @ torch.linspace(-1, 1, 9, dtype=DOUBLE) + 3
        compare(
            check.call(x, y),
            torch.zeros((), dtype=DOUBLE),
            1e-9,
            {
                "affine is linear and a constant: give x a column of ones": _residual(x, y, False),
                BROADCAST: _broadcast(x, y),
            },
        )
    with check.part("any function: numpy's least squares"):
        y = torch.relu(x).sum(1) + x[:, 0] * x[:, 1]
        compare(
            check.call(x, y),
            _residual(x, y, True),
            1e-9,
            {
                BROADCAST: _broadcast(x, y),
                "affine is linear and a constant: give x a column of ones": _residual(x, y, False),
                "the largest residual in size: take abs() before max()": _residual(x, y, True, 1),
            },
        )
        want = _residual(x[:60], y[:60], True)
        compare(check.call(x[:60], y[:60]), want, 1e-9)
        # Far from 0 a ridge, however small, bends the constant.
        far = x + 300
        ridge = "nothing is added to the squares: that is a ridge, and no least squares"
        compare(check.call(far, y), _residual(far, y, True), 1e-7, {ridge: _ridge(far, y)})
    with check.part("adding an affine function changes nothing"):
        more = y + 5 * x[:, 2] - 7
        compare(check.call(x, more), _residual(x, y, True), 1e-9, {BROADCAST: _broadcast(x, more)})
    return check.report()


def _residual(x: Tensor, y: Tensor, constant: bool, sign: int = 0) -> Tensor:
    columns = np.column_stack([x.numpy(), np.ones(len(x))]) if constant else x.numpy()
    left = y.numpy() - columns @ np.linalg.lstsq(columns, y.numpy(), rcond=None)[0]
    return torch.tensor((sign * left if sign else np.abs(left)).max())


def _ridge(x: Tensor, y: Tensor, small: float = 1e-9) -> Tensor:
    """Return what the normal equations give with a little on their diagonal."""
    columns = torch.cat([x, x.new_ones(len(x), 1)], 1)
    square = columns.T @ columns + small * torch.eye(columns.shape[1]).to(x)
    return (y - columns @ torch.linalg.solve(square, columns.T @ y)).abs().max()


def _broadcast(x: Tensor, y: Tensor) -> Tensor:
    """Return what [N, 1] minus [N] gives: everybody's prediction against everybody's value."""
    columns = np.column_stack([x.numpy(), np.ones(len(x))])
    fitted = columns @ np.linalg.lstsq(columns, y.numpy(), rcond=None)[0]
    return torch.tensor(np.abs(fitted[:, None] - y.numpy()).max())


# Wrong answers that people give.


def _lstsq_residual(x, y):
    return y - (x @ torch.linalg.lstsq(x, y[:, None]).solution)[:, 0]


def _with_ones(x):
    return torch.cat([x, x.new_ones(len(x), 1)], 1)


def _broadcast_residual(x, y):
    x = _with_ones(x)
    return (x @ torch.linalg.lstsq(x, y[:, None]).solution - y).abs().max()


MISTAKES = [
    Mistake(_broadcast_residual, "[N, N]", 1 / 4),
    Mistake(
        lambda x, y: _lstsq_residual(_with_ones(x.float()), y.float()).abs().max(), "float32", 0.0
    ),
    Mistake(lambda x, y: _lstsq_residual(x, y).abs().max(), "column of ones", 0.0),
    Mistake(lambda x, y: _lstsq_residual(_with_ones(x), y).abs().mean(), "mean", 1 / 4),
    Mistake(lambda x, y: _lstsq_residual(_with_ones(x), y).max(), "abs()", 3 / 4),
    Mistake(
        lambda x, y: _lstsq_residual(_with_ones(x), y).norm(),
        "",
        1 / 4,
        name="length of the residual",
    ),
    Mistake(_ridge, "a ridge", None),
    Mistake(lambda x, y: _lstsq_residual(_with_ones(x), y).abs().max()[None], "single number", 0.0),
    Mistake(
        lambda x, y: -_lstsq_residual(_with_ones(x), y).min(), "", None, name="the lowest only"
    ),
]
