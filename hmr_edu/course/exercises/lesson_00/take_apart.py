"""Exercise of lesson 00, `take_apart`: the parts of theta."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, described, require, several
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.theta import split_theta

POINTS = 2
PARTS = ("camera", "pose", "betas")


def check_take_apart(function: Asked) -> Report:
    """Check `take_apart(theta [B, 85]) -> camera [B, 3], pose [B, 24, 3], betas [B, 10]`."""
    check = Check("take_apart", function)
    # Each number says its own place; the second person's begin at 100.
    theta = torch.arange(85.0) + torch.tensor([[0.0], [100.0]])

    with check.part("the camera is the first 3 numbers"):
        compare(_parts(check, theta)[0], theta[:, :3], 0.0)
    with check.part("the pose is the next 72: 24 joints of 3"):
        pose = _parts(check, theta)[1]
        flat = "24 joints of 3 numbers: .view(-1, 24, 3) or .unflatten(1, (24, 3))"
        require(list(pose.shape) != [2, 72], "shape [2, 72], wanted [2, 24, 3]", flat)
        want = torch.tensor(
            [[[p * 100.0 + 3 + 3 * j + k for k in range(3)] for j in range(24)] for p in range(2)]
        )
        transposed = (theta[:, 3:75].view(2, 3, 24)).transpose(1, 2)
        mistakes = {
            "the three numbers of a joint stand next to each other: .view(-1, 24, 3)": transposed,
            "Python counts from 0: the pose is theta[:, 3:75]": want - 1,
        }
        compare(pose, want, 0.0, mistakes)
    with check.part("the shape is the last 10"):
        betas = _parts(check, theta)[2]
        want = torch.tensor([[p * 100.0 + 75 + k for k in range(10)] for p in range(2)])
        compare(betas, want, 0.0)
    with check.part("one person is a batch of one"):
        shapes = [list(part.shape) for part in _parts(check, theta[:1])]
        want = [[1, 3], [1, 24, 3], [1, 10]]
        lost = shapes == [shape[1:] for shape in want]
        hint = "keep the first axis: theta[:, :3], not theta[0, :3]" * lost
        require(shapes == want, f"shapes {shapes}, wanted {want}", hint)
    return check.report()


def _parts(check: Check, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    parts = several(check.call(theta), ", ".join(PARTS))
    for name, part in zip(PARTS, parts, strict=True):
        require(isinstance(part, Tensor), f"{name} is {described(part)}, a tensor is wanted")
    shapes, want = [tuple(part.shape[1:]) for part in parts], [(3,), (24, 3), (10,)]
    ordered = shapes == want or sorted(shapes) != sorted(want)
    require(ordered, "the three are in another order", "return camera, pose, betas: in this order")
    return parts


# Wrong answers that people give.


def _apart(t, first=3, end=75):
    return t[:, :first], t[:, first:end].reshape(len(t), -1, 3), t[:, end:]


MISTAKES = [
    Mistake(split_theta, "24 joints of 3", 2 / 4),
    Mistake(lambda t: (t[:, :3], t[:, 2:74].reshape(-1, 24, 3), t[:, 75:]), "counts from 0", 3 / 4),
    Mistake(
        lambda t: (t[:, :3], t[:, 3:75].reshape(-1, 3, 24).mT, t[:, 75:]),
        "next to each other",
        3 / 4,
    ),
    Mistake(lambda t: (t[0, :3], t[0, 3:75].view(24, 3), t[0, 75:]), "first axis", 0.0),
    Mistake(lambda t: _apart(t)[:2], "camera, pose, betas", 0.0),
    Mistake(lambda t: [*_apart(t)], "camera, pose, betas", 0.0),
    Mistake(lambda t: _apart(t)[::-1], "in this order", 0.0),
    Mistake(lambda t: tuple(part.squeeze(0) for part in _apart(t)), "first axis", 3 / 4),
    Mistake(lambda t: (*_apart(t)[:2], t[:, 74:84]), "", 3 / 4),
]
