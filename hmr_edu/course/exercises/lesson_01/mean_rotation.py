"""Exercise of lesson 01, `mean_rotation`: the mean of many rotations."""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, random_rotations, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6


def check_mean_rotation(function: Asked) -> Report:
    """Check `mean_rotation(R [N, 3, 3]) -> [3, 3]`: least sum of squared chordal distances."""
    check = Check("mean_rotation", function)
    near = random_rotations(102, 9, 0.5)
    apart = random_rotations(103, 4, 3.0)
    with check.part("many that are alike: SciPy's mean"):
        slips = {
            "a mean of matrices is no rotation: take the nearest one": near.mean(0),
            "U diag(1, 1, -1) V^T is for a determinant of -1 only": _turned_over(near),
            "it is transposed: U V^T, and not V U^T": _scipy_mean(near).mT,
        }
        compare(check.call(near), _scipy_mean(near), 1e-9, slips)
    with check.part("one rotation is its own mean"):
        compare(check.call(near[:1]), near[0], 1e-9)
    with check.part("it is a rotation, and never a reflection"):
        # Half turns about x, y and z: their mean has a negative determinant.
        turns = torch.diag_embed(tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]]))
        tilted = apart[0] @ turns.repeat_interleave(torch.tensor([2, 3, 4]), dim=0)
        got, one = check.call(tilted, shape=(3, 3)).detach(), tensor(1.0)
        slips = {"its determinant is -1: change the sign of the last singular vector": -one}
        eye = torch.eye(3, dtype=DOUBLE)
        compare(got @ got.mT, eye, 1e-9)
        compare(torch.linalg.det(got), one, 1e-9, slips)
        slips = {
            "-U V^T is a rotation, but not the nearest: only the last singular vector changes its "
            "sign": -_nearest(tilted)
        }
        compare(got, _scipy_mean(tilted), 1e-6, slips)
    with check.part("turning all turns the mean"):
        mean = check.call(near, shape=(3, 3))
        compare(check.call(apart[0] @ near), apart[0] @ mean, 1e-9)
    return check.report()


def _scipy_mean(R: Tensor) -> Tensor:
    return torch.from_numpy(Rotation.from_matrix(R.numpy()).mean().as_matrix())


def _nearest(R: Tensor) -> Tensor:
    """Return the orthogonal matrix nearest to the mean, reflections included."""
    U, _, Vh = torch.linalg.svd(R.mean(0))
    return U @ Vh


def _turned_over(R: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(R.mean(0))
    return U @ torch.diag(tensor([1.0, 1, -1])) @ Vh


# Wrong answers that people give.


def _svd_mean(R, fix=True):
    U, _, Vh = torch.linalg.svd(R.mean(0))
    if fix:
        U = U * torch.tensor([1.0, 1.0, -1.0]).to(U)
    return U @ Vh


MISTAKES = [
    Mistake(lambda R: R.mean(0), "no rotation", 2 / 4),
    Mistake(lambda R: _svd_mean(R, fix=False), "determinant is -1", 3 / 4),
    Mistake(lambda R: _svd_mean(R).mT, "", 0.0),
    Mistake(lambda R: R[0], "", 2 / 4),
    Mistake(_svd_mean, "for a determinant of -1 only", 2 / 4),
    Mistake(lambda R: _nearest(R) * torch.linalg.det(_nearest(R)).sign(), "not the nearest", 3 / 4),
    Mistake(lambda R: _nearest(R.float()).double(), "", 0.0),
    Mistake(lambda R: _nearest(R).mT, "not V U^T", 0.0),
]
