"""Exercise of lesson 01, `six_to_matrix`: six numbers to a rotation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.nn.functional import normalize

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, normal
from hmr_edu.course.exercises.lesson_01._common import axes, exponential, jacobian_of
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.rotations import rotation_6d_to_matrix

POINTS = 4


def check_rotation_6d(function: Asked) -> Report:
    """Check `six_to_matrix(six [..., 6]) -> [..., 3, 3]`; six = first column, second column."""
    check = Check("six_to_matrix", function)
    six = normal(20, 16, 6)
    want = _by_qr(six)
    a1, a2 = six.split(3, dim=-1)
    b1, b2 = normalize(a1, dim=-1), want[..., 1]
    mistakes = {
        "b1 and b2 are the columns of R, not its rows": want.mT,
        "the six numbers are two columns, a1 = six[..., :3]; you read them row by row, as SPIN "
        "stores them": _by_qr(six.unflatten(-1, (3, 2)).mT.flatten(-2)),
        "the third column is b1 x b2, not b2 x b1": torch.stack((b1, b2, -want[..., 2]), -1),
        "take b1's share out of a2 before you normalise it": torch.stack(
            (b1, normalize(a2, dim=-1), torch.linalg.cross(b1, normalize(a2, dim=-1))), -1
        ),
        "b2 must have length 1 too": torch.stack(
            (b1, a2 - (b1 * a2).sum(-1, keepdim=True) * b1, want[..., 2]), -1
        ),
    }
    with check.part("any six numbers: a QR decomposition agrees"):
        compare(check.call(six), want, 1e-9, mistakes)
    with check.part("what comes out is a rotation"):
        R = check.call(six, shape=(16, 3, 3)).detach()
        eye, one = torch.eye(3, dtype=DOUBLE).expand(16, 3, 3), torch.ones(16, dtype=DOUBLE)
        compare(R.mT @ R, eye, 1e-9)
        mirrored = {"it is a mirror image: the third column is b1 x b2": -one}
        compare(torch.linalg.det(R.double()), one, 1e-9, mirrored)
    with check.part("the first two columns of a rotation give it back"):
        R = exponential(axes(8, seed=21) * 2)
        compare(check.call(torch.cat((R[..., 0], R[..., 1]), -1)), R, 1e-9)
    with check.part("stretching the arrows, or leaning the second, changes nothing"):
        compare(check.call(torch.cat((3 * a1, 0.5 * a2 - 2 * a1), -1)), want, 1e-9)
    with check.part("one vector, and batches of any shape"):
        compare(check.call(six[0]), want[0], 1e-9)
        compare(check.call(six.reshape(2, 8, 6)), want.reshape(2, 8, 3, 3), 1e-9)
        # Three and one: axes that are easily taken for those of a vector, or lost.
        compare(check.call(six[:3]), want[:3], 1e-9)
        compare(check.call(six[:1]), want[:1], 1e-9)
    with check.part("gradients flow through it"):
        compare(jacobian_of(check, six[0]), jacobian(rotation_6d_to_matrix, six[0]), 1e-7)
    return check.report()


def _by_qr(six: Tensor) -> Tensor:
    """Do Gram-Schmidt by QR: its columns up to sign, the diagonal of its R telling which."""
    Q, upper = torch.linalg.qr(six.unflatten(-1, (2, 3)).mT)
    Q = Q * upper.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
    return torch.cat((Q, torch.linalg.cross(Q[..., 0], Q[..., 1])[..., None]), dim=-1)


# Wrong answers that people give.


def _gram_schmidt(split=None, dim=-1, swap=False, subtract=True, last=True):
    def wrong(six):
        a1, a2 = split(six) if split else (six[..., :3], six[..., 3:])
        b1 = normalize(a1, dim=-1)
        b2 = a2 - subtract * (b1 * a2).sum(-1, keepdim=True) * b1
        b2 = normalize(b2, dim=-1) if last else b2
        b3 = torch.linalg.cross(b2, b1) if swap else torch.linalg.cross(b1, b2)
        if not last:
            b3 = normalize(b3, dim=-1)
        return torch.stack((b1, b2, b3), dim=dim)

    return wrong


def _first_axis_of_three(six):
    R = _gram_schmidt()(six)
    axis = [*R.shape[:-1]].index(3)
    return torch.stack(
        (R[..., 0], R[..., 1], torch.linalg.cross(R[..., 0], R[..., 1], dim=axis)), -1
    )


MISTAKES = [
    Mistake(_gram_schmidt(dim=-2), "not its rows", 1 / 6),
    Mistake(
        _gram_schmidt(split=lambda six: six.unflatten(-1, (3, 2)).unbind(-1)),
        "you read them row by row",
        1 / 6,
    ),
    Mistake(_gram_schmidt(swap=True), "not b2 x b1", 0.0),
    Mistake(_gram_schmidt(subtract=False), "take b1's share out", 1 / 6),
    Mistake(_gram_schmidt(last=False), "b2 must have length 1", 1 / 6),
    Mistake(lambda six: _gram_schmidt()(six).squeeze(0), "", 5 / 6),
    Mistake(_first_axis_of_three, "", 5 / 6, name="cross without dim"),
    Mistake(lambda six: _gram_schmidt()(six.float()).to(six), "", None),
    Mistake(lambda six: _gram_schmidt()(six.detach()), "", 5 / 6),
]
