"""Exercise of lesson 06, `fakes_of`: what the critics see."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, described, inputs, require, several
from hmr_edu.course.exercises._common import draw
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.rotations import axis_angle_to_matrix

POINTS = 4
# What of the package the answer may call: the exercise is about something else.
USES = ("rotations.py",)


def check_fakes_of(function: Asked) -> Report:
    """Check `fakes_of(thetas: T tensors [B, 85]) -> ([T B, 23, 3, 3], [T B, 10])`."""
    check = Check("fakes_of", function)
    g = inputs(0)
    thetas = [draw(g, 2, 85) for _ in range(3)]
    rotations, betas = _fakes(thetas, 6)
    with check.part("as many as there are people and steps, and no root"):
        got, shapes = _two(check, thetas)
        hints = {
            (6, 24, 3, 3): "the root, joint 0, says where somebody faces: leave it out",
            (2, 23, 3, 3): "the critics see every step, not only the last",
            (3, 2, 23, 3, 3): "put the steps below each other: torch.cat, not torch.stack",
        }
        want = (6, 23, 3, 3), (6, 10)
        shape = tuple(got.shape), tuple(shapes.shape)
        require(
            shape == want,
            f"shapes {list(shape[0])} and {list(shape[1])}, wanted {list(want[0])} and [6, 10]",
            hints.get(shape[0], ""),
        )
    with check.part("rotations of joints 1 to 23, by SciPy"):
        shifted = _fakes(thetas, 3)[0]
        compare(
            _two(check, thetas)[0],
            rotations,
            1e-10,
            {
                "theta begins with the camera (3), then comes the root (3)": shifted,
                "these are the transposed matrices": rotations.mT,
                "the first step first: cat the list as it comes": _fakes(thetas[::-1], 6)[0],
            },
        )
    with check.part("betas: the last ten numbers"):
        compare(_two(check, thetas)[1], betas, 1e-12)
    with check.part("gradients flow back to theta"):
        got, shapes = _two(check, [theta.clone().requires_grad_() for theta in thetas])
        hint = "no .detach() here: the network's own step needs the way back"
        known = all(part.passed for part in check.parts)
        cut = got.requires_grad and shapes.requires_grad
        require(cut, "the fakes are cut off from the network", hint * known)
        for part in (0, 1) if known else ():
            _, _, slopes = check.ask(questions.gradients, [thetas], [0], part)
            missing = "a step's theta gets no gradient"
            require(len(slopes) == 3 and None not in slopes, missing, hint * known)
        if known:
            compare(_two(check, [thetas[0][:1]])[1], thetas[0][:1, 75:], 1e-12)
    return check.report()


def _two(check: Check, thetas: list[Tensor]) -> tuple[Tensor, Tensor]:
    pair = several(check.call(thetas), "rotations, betas")
    for part in pair:
        require(
            isinstance(part, Tensor), f"{described(part)} is among them, two tensors are wanted"
        )
    exchanged = pair[0].shape[-1:] == (10,) and pair[1].shape[-2:] == (3, 3)
    require(not exchanged, "the two are exchanged", "return rotations, betas: in this order")
    return pair[0], pair[1]


def _fakes(thetas: list[Tensor], first: int) -> tuple[Tensor, Tensor]:
    theta = torch.cat(thetas).numpy()
    vectors = theta[:, first : first + 69].reshape(-1, 3)
    matrices = Rotation.from_rotvec(vectors).as_matrix().reshape(len(theta), 23, 3, 3)
    return torch.from_numpy(np.ascontiguousarray(matrices)), torch.from_numpy(theta[:, 75:].copy())


# Wrong answers that people give.


def _from_theta(thetas, first=6, joints=23):
    theta = torch.cat(thetas)
    vectors = theta[:, first : first + 3 * joints].unflatten(1, (joints, 3))
    return axis_angle_to_matrix(vectors), theta[:, 75:]


def _stacked(thetas):
    R, betas = _from_theta(thetas)
    return R.unflatten(0, (len(thetas), -1)), betas.unflatten(0, (len(thetas), -1))


def _detached(thetas):
    return tuple(part.detach() for part in _from_theta(thetas))


MISTAKES = [
    Mistake(lambda thetas: _from_theta(thetas, 3, 24), "leave it out", 2 / 4),
    Mistake(lambda thetas: _from_theta(thetas, 3), "begins with the camera", 3 / 4),
    Mistake(lambda thetas: _from_theta(thetas[-1:]), "every step", 1 / 4),
    Mistake(lambda thetas: _from_theta(thetas[::-1]), "first step first", 2 / 4),
    Mistake(_stacked, "torch.cat", 1 / 4),
    Mistake(_detached, "no .detach()", 3 / 4),
    Mistake(lambda x: _from_theta([*(t.detach() for t in x[:-1]), x[-1]]), "no .detach()", 3 / 4),
    Mistake(lambda thetas: _from_theta(thetas)[::-1], "in this order", 0.0),
    Mistake(
        lambda thetas: (_from_theta(thetas)[0].mT, _from_theta(thetas)[1]), "transposed", 3 / 4
    ),
    Mistake(lambda thetas: tuple(x.float() for x in _from_theta(thetas)), "float32", 2 / 4),
]
