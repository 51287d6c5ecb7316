"""Exercise of lesson 03, `weak_perspective`: weak perspective."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import slopes_of, tensor
from hmr_edu.course.exercises.lesson_03._common import TIGHT, people, two_left
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_weak_perspective(function: Asked) -> Report:
    """Check `weak_perspective(points [B, N, 3], camera [B, 3]) -> [B, N, 2]`, x = s (X + t)."""
    check = Check("weak_perspective", function)

    with check.part("by hand: s = 2, t = (1, 0) sends (0.5, -0.25, 9) to (3, -0.5)"):
        points, camera = tensor([[[0.5, -0.25, 9.0]]]), tensor([[2.0, 1.0, 0.0]])
        mistakes = {
            "the brackets: t is added before the scale, s * (X + t), not s * X + t": tensor(
                [[[2.0, -0.5]]]
            ),
            "t is added to the point, not taken away": tensor([[[-1.0, -0.5]]]),
        }
        got = two_left(check.call(points, camera))
        compare(got, tensor([[[3.0, -0.5]]]), TIGHT, mistakes)

    points, camera = people(3, 5), tensor([[0.9, 0.1, -0.2], [0.5, 0.0, 0.3], [1.4, -0.4, 0.0]])
    by_hand = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
    with check.part("every person has a camera of his own"):
        flipped = by_hand * tensor([1.0, -1.0])
        first = camera[:1, None, :1] * (points[..., :2] + camera[:1, None, 1:])
        mistakes = {
            "y points down in the image and in the camera frame alike: change no sign": flipped,
            "you used the first person's camera for everybody": first,
            "x and y are swapped": by_hand.flip(-1),
            "the brackets: t is added before the scale, s * (X + t), not s * X + t": camera[
                :, None, :1
            ]
            * points[..., :2]
            + camera[:, None, 1:],
        }
        compare(two_left(check.call(points, camera)), by_hand, TIGHT, mistakes)

    with check.part("as many persons as points: still one camera a person"):
        points, camera = people(4, 4, seed=1), people(1, 4, seed=2)[0].abs()
        want = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
        hint = "camera[:, 0] has shape [B]; give it an axis for the points: camera[:, None, :1]"
        wrong = camera[:, :1] * (points[..., :2] + camera[:, 1:])
        compare(two_left(check.call(points, camera)), want, TIGHT, {hint: wrong})

    with check.part("depth changes nothing"):
        deeper = points + tensor([0.0, 0.0, 7.0])
        here = check.call(points, camera, shape=(4, 4, 2)).detach()
        compare(check.call(deeper, camera), here, TIGHT)
        compare(check.call(points[:1], camera[:1]), here[:1], TIGHT)
        slopes_of(check, [points, camera], [0, 1], here, TIGHT)
    return check.report()


def _pairs(points: Tensor, camera: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(points, camera, strict=True))


# Wrong answers that people give.


def _weak(order):
    """Make a weak perspective from a formula of (points xy, s [B, 1, 1], t [B, 1, 2])."""
    return lambda points, c: order(points[..., :2], c[:, None, :1], c[:, None, 1:])


_right = _weak(lambda X, s, t: s * (X + t))

MISTAKES = [
    Mistake(_weak(lambda X, s, t: s * X + t), "brackets", 1 / 4, name="t after the scale"),
    Mistake(_weak(lambda X, s, t: s * (X - t)), "not taken away", 1 / 4, name="t taken away"),
    Mistake(
        _weak(lambda X, s, t: s * (X + t) * tensor([1.0, -1.0])),
        "change no sign",
        1 / 4,
        name="y negated",
    ),
    Mistake(
        _weak(lambda X, s, t: (s * (X + t)).flip(-1)), "swapped", 1 / 4, name="x and y swapped"
    ),
    Mistake(
        lambda X, c: c[:, None, :1] * (X + torch.nn.functional.pad(c[:, None, 1:], (0, 1))),
        "points[..., :2]",
        0.0,
        name="depth kept",
    ),
    Mistake(
        _weak(lambda X, s, t: s[:1] * (X + t[:1])),
        "first person",
        2 / 4,
        name="the first camera for all",
    ),
    Mistake(lambda X, c: _right(X, c).squeeze(0), "keep every leading", 2 / 4),
    Mistake(lambda X, c: _right(X, c.detach()), "is cut", 3 / 4),
    Mistake(lambda X, c: _right(X.float(), c.float()).double(), "", 2 / 4),
]
