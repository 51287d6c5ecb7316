"""Exercise of lesson 01, `half_turn_axis`: the axis of half a turn."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.course.check import Asked, Check, Report, compare, require, shaped
from hmr_edu.course.exercises._common import DOUBLE, tensor
from hmr_edu.course.exercises.lesson_01._common import axes
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_half_turn_axis(function: Asked) -> Report:
    """Check `half_turn_axis(R [..., 3, 3]) -> [..., 3]`: the axis, of length 1, of half turns."""
    check = Check("half_turn_axis", function)
    base = torch.eye(3, dtype=DOUBLE)
    for name, n in zip("xyz", base, strict=True):
        with check.part(f"half a turn about {name}"):
            got = check.call(_half_turn(n))
            require(
                isinstance(got, Tensor) and got.isfinite().all(),
                "NaN or infinite",
                "the column you divide by is zero here: take the one with the largest diagonal",
            )
            _compare_axes(got, n)
    with check.part("any axis"):
        n = axes(12, seed=13)
        for one in n:
            _compare_axes(check.call(_half_turn(one)), one)
    with check.part("a batch whose axes need different columns"):
        n = torch.cat([base, axes(5, seed=14)])
        _compare_axes(check.call(_half_turn(n)), n)
    with check.part("float32, an axis close to y"):
        n = normalize(tensor([1e-4, 1.0, -2e-4]), dim=-1)
        got = check.call(_half_turn(n).float())
        require(isinstance(got, Tensor) and got.shape == (3,), "one matrix gives [3]")
        got = got.double()
        require(
            torch.minimum((got - n).norm(), (got + n).norm()) < 1e-6,
            "its small components are off",
            "a small column carries few digits: take the one with the largest diagonal",
        )
    return check.report()


def _half_turn(axis: Tensor) -> Tensor:
    return 2 * axis[..., :, None] * axis[..., None, :] - torch.eye(3, dtype=axis.dtype)


def _compare_axes(got: object, want: Tensor) -> None:
    """Compare up to sign: n and -n are the same half turn."""
    got = shaped(got, want.shape)
    outer = want[..., :, None] * want[..., None, :]
    mine = got[..., :, None] * got[..., None, :]
    plain = want.abs()
    length = want.abs().amax(-1, keepdim=True)
    compare(
        mine,
        outer,
        1e-9,
        {
            "the axis must have length 1: normalise the column": outer * length[..., None] ** 2,
            "roots of the diagonal lose the signs: a whole column has them": plain[..., :, None]
            * plain[..., None, :],
        },
    )


# Wrong answers that people give.


def _from_column(column=None, unit=True, signs=True):
    def wrong(R):
        outer = (R + torch.eye(3).to(R)) / 2
        if not signs:
            return outer.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
        if column is not None:
            picked = outer[..., column]
            return picked / picked.norm(dim=-1, keepdim=True)
        best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
        picked = outer.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)
        return normalize(picked, dim=-1) if unit else picked

    return wrong


MISTAKES = [
    Mistake(_from_column(column=0), "take the one with the largest diagonal", 2 / 6),
    Mistake(_from_column(unit=False), "must have length 1", 4 / 6),
    Mistake(_from_column(signs=False), "lose the signs", 3 / 6),
    Mistake(lambda R: _from_column()(R.mT)[..., [1, 0, 2]], "", 1 / 6, name="x and y exchanged"),
    Mistake(
        lambda R: torch.linalg.eigh(R)[1][..., 0],
        "",
        0.0,
        name="eigenvector of the least eigenvalue",
    ),
]
