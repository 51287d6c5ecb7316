"""Exercise of lesson 03, `in_picture`: keypoints in the whole picture."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, normal, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_in_picture(function: Asked) -> Report:
    """Check `in_picture(points [B, N, 2], box [B, 3]) -> [B, N, 2]`: from crops to the picture."""
    check = Check("in_picture", function)
    box = tensor([[99.5, 49.5, 40.0], [10.0, 300.0, 64.0]])
    points = normal(112, 2, 7, 2)
    middle = torch.zeros(2, 1, 2, dtype=DOUBLE)
    with check.part("the middle of the crop is the middle of the box"):
        wrong = {
            "the box is given by its middle, not by its corner": box[:, None, :2]
            + box[:, None, 2:] / 2
        }
        compare(check.call(middle, box), box[:, None, :2], 1e-9, wrong)
    with check.part("by hand: the corners of a box of 40 pixels"):
        corners = tensor([[[-1.0, -1.0], [1.0, 1.0]]])
        want = tensor([[[79.5, 29.5], [119.5, 69.5]]])
        wrong = {
            "from -1 to 1 there are 2: half the side for each": tensor(
                [[[59.5, 9.5], [139.5, 89.5]]]
            ),
            "pixels are counted at their centres, and so is the box: no half pixel to add": want
            - 0.5,
        }
        compare(check.call(corners, box[:1]), want, 1e-9, wrong)
    with check.part("every person has a box of his own"):
        want = torch.stack([points[i] * box[i, 2] / 2 + box[i, :2] for i in range(2)])
        everybody = points * box[0, 2] / 2 + box[0, :2]
        slips = {
            "x and y are exchanged": want.flip(-1),
            "you used the first person's box for everybody": everybody,
        }
        compare(check.call(points, box), want, 1e-9, slips)
        # As many persons as points; and one person alone.
        hint = "box has shape [B, 3]; give it an axis for the points: box[:, None]"
        square = points[:, :2]
        wrong = box[:, :2] + square * box[:, 2:] / 2
        compare(check.call(square, box), want[:, :2], 1e-9, {hint: wrong})
        compare(check.call(points[:1], box[:1]), want[:1], 1e-9)
    return check.report()


MISTAKES = [
    Mistake(lambda x, b: b[:, None, :2] + x * b[:, None, 2:], "half the side", 1 / 3),
    Mistake(lambda x, b: b[:, None, :2] + (x + 1) * b[:, None, 2:] / 2, "its corner", 0.0),
    Mistake(lambda x, b: b[:, None, :2] + x * b[:, None, 2:] / 2 - 0.5, "half pixel", 0.0),
    Mistake(lambda x, b: b[0, :2] + x * b[0, 2:] / 2, "", 1 / 3),
    Mistake(lambda x, b: (b[:, None, :2] + x * b[:, None, 2:] / 2).round(), "", 0.0),
    Mistake(lambda x, b: b[:, None, :2] + x.clamp(-1, 1) * b[:, None, 2:] / 2, "", 2 / 3),
    Mistake(lambda x, b: (b[:, None, :2] + x * b[:, None, 2:] / 2).squeeze(0), "leading", 1 / 3),
]
