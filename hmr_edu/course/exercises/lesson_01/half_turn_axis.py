"""Exercise of lesson 01, `half_turn_axis`: the axis of half a turn."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, require, shaped
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
            got = check.call(_half_turn(n), shape=(3,))
            if not got.isfinite().all():
                found = [check.call(_half_turn(one), shape=(3,)) for one in base]
                right = [
                    bool((x.abs() - one).abs().max() < 1e-9)
                    for x, one in zip(found, base, strict=True)
                ]
                # A fixed column is right for its own axis, and for no other.
                hint = "the column you divide by is zero here: take the one with the largest "
                raise Mismatch("NaN or infinite", (hint + "diagonal") * (sum(right) == 1))
            _compare_axes(got, n)
    with check.part("any axis"):
        n = axes(12, seed=13)
        for one in n:
            _compare_axes(check.call(_half_turn(one)), one)
        _compare_axes(check.call(_half_turn(n[:1])), n[:1])
        # Columns that are added up cancel for some axes: here, and close to one of very many.
        cancel = normalize(tensor([[1.0, -1, 0], [0, 1, -1], [1, 0, -1], [1, 1, -2]]), dim=-1)
        got = check.call(_half_turn(cancel), shape=(4, 3))
        cancels = "added up, the columns cancel where the axis' own numbers add up to 0"
        nothing = ~(got.norm(dim=-1) > 0.5)
        require(not nothing.all(), "no axis for (1, -1, 0)", cancels)
        _compare_axes(got, cancel)
        many = axes(4096, seed=14)
        got = check.call(_half_turn(many).float(), shape=(4096, 3)).double()
        off = torch.minimum((got - many).abs().amax(-1), (got + many).abs().amax(-1))
        # In float64 the same answer was right.
        hint = "digits are lost where what you divide by is small: take the largest column"
        # Right answers are wrong by 6e-7 at most, and sums of columns by 8e-6 at least.
        require((off < 2e-6).all(), "in float32 it is wrong by more than 2e-6 for some axes", hint)
    with check.part("a batch whose axes need different columns"):
        n = torch.cat([base, axes(5, seed=14)])
        _compare_axes(check.call(_half_turn(n)), n)
    with check.part("float32, an axis close to y"):
        n = normalize(tensor([1e-4, 1.0, -2e-4]), dim=-1)
        half = _half_turn(n).float()
        got = check.call(half, shape=(3,)).double()
        got = got if (got @ n) >= 0 else -got
        small = "a small column carries few digits: take the one with the largest diagonal"
        columns = [normalize((half + torch.eye(3))[:, k], dim=0).double() for k in (0, 2)]
        slips: dict[str, Tensor] = {
            small + " " * k: x if (x @ n) >= 0 else -x for k, x in enumerate(columns)
        }
        compare(got, n, 1e-6, slips)
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


def _sum_of_columns(weights):
    def wrong(R):
        return normalize((R + torch.eye(3).to(R)) @ torch.tensor(weights).to(R), dim=-1)

    return wrong


def _one_column_for_all(R):
    outer = (R + torch.eye(3).to(R)) / 2
    diagonal = outer.diagonal(dim1=-2, dim2=-1)
    return normalize(outer[..., diagonal.reshape(-1, 3).sum(0).argmax()], dim=-1)


MISTAKES = [
    Mistake(_from_column(column=0), "take the one with the largest diagonal", 1 / 6),
    Mistake(_from_column(unit=False), "must have length 1", 4 / 6),
    Mistake(_sum_of_columns([1.0, 1, 1]), "cancel", 5 / 6),
    Mistake(_sum_of_columns([0.3, 0.9, -0.5]), "largest column", 5 / 6, name="a fixed mixture"),
    Mistake(lambda R: _from_column()(R).squeeze(0), "", 5 / 6),
    Mistake(_one_column_for_all, "", 4 / 6, name="one column for the whole batch"),
    Mistake(lambda R: _from_column()(R.float()).to(R), "", 4 / 6),
    Mistake(_from_column(signs=False), "lose the signs", 3 / 6),
    Mistake(lambda R: _from_column()(R.mT)[..., [1, 0, 2]], "", 1 / 6, name="x and y exchanged"),
    Mistake(
        lambda R: torch.linalg.eigh(R)[1][..., 0],
        "",
        0.0,
        name="eigenvector of the least eigenvalue",
    ),
]
