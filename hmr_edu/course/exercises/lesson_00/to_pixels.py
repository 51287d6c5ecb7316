"""Exercise of lesson 00, `to_pixels`: crop coordinates to pixels."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_to_pixels(function: Asked) -> Report:
    """Check `to_pixels(points [..., 2], size) -> [..., 2]`: crop coordinates to pixel centres."""
    check = Check("to_pixels", function)
    centres = "a pixel's number is its centre: the left edge of the picture is at -0.5, not 0"
    original = "from -1 to 1 there are 2 units: half the size for each"

    with check.part("by hand: in 4 pixels the crop's middle lies between pixels 1 and 2"):
        middle = torch.zeros(1, 2)
        mistakes = {
            centres: torch.full((1, 2), 2.0),
            "half a pixel too far: subtract 0.5 after scaling, not add": torch.full((1, 2), 2.5),
        }
        compare(check.call(middle, 4), torch.full((1, 2), 1.5), 1e-6, mistakes)
    with check.part("the crop's edges are the outer edges of its first and last pixel"):
        edges = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
        mistakes = {
            centres: torch.tensor([[0.0, 0.0], [64.0, 64.0]]),
            "1 is the outer edge of the last pixel, not its centre": torch.tensor(
                [[0.0, 0.0], [63.0, 63.0]]
            ),
            original: torch.tensor([[-0.5, -0.5], [127.5, 127.5]]),
        }
        compare(check.call(edges, 64), torch.tensor([[-0.5, -0.5], [63.5, 63.5]]), 1e-4, mistakes)
    with check.part("x stays x and y stays y, and y points down in both"):
        points = torch.tensor([[[0.5, -0.25]]])
        want = torch.tensor([[[5.5, 2.5]]])
        mistakes = {
            "x and y are swapped": want.flip(-1),
            "y points down in both: change no sign": torch.tensor([[[5.5, 4.5]]]),
        }
        compare(check.call(points, 8), want, 1e-5, mistakes)
    with check.part("it undoes x = 2 (p + 0.5) / size - 1"):
        # From 100 pixels outside of the picture on one side to 100 on the other.
        pixels = 424 * torch.rand(3, 19, 2, generator=inputs(0)) - 100
        outside = "points outside of the crop have pixels, too: no clamp"
        mistakes = {
            outside: pixels.clamp(-0.5, 223.5),
            f"{outside} to 0 and size - 1": pixels.clamp(0, 223),
            "pixels are no whole numbers: do not round": pixels.round(),
        }
        compare(check.call(2 * (pixels + 0.5) / 224 - 1, 224), pixels, 1e-3, mistakes)
        compare(check.call(2 * (pixels[0, 0] + 0.5) / 224 - 1, 224), pixels[0, 0], 1e-3)
    return check.report()


MISTAKES = [
    Mistake(lambda p, size: (p + 1) * size / 2, "centre", 0.0),
    Mistake(lambda p, size: (p + 1) * size / 2 + 0.5, "not add", 0.0),
    Mistake(lambda p, size: (p + 1) / 2 * (size - 1), "outer edge", 1 / 4),
    Mistake(lambda p, size: (p + 1) * size - 0.5, "half the size", 0.0),
    Mistake(lambda p, size: ((p + 1) * size / 2 - 0.5).flip(-1), "swapped", 2 / 4),
    Mistake(lambda p, size: (p * torch.tensor([1, -1]) + 1) * size / 2 - 0.5, "no sign", 1 / 4),
    Mistake(lambda p, size: (p.clamp(-1, 1) + 1) * size / 2 - 0.5, "no clamp", 3 / 4),
    Mistake(lambda p, size: ((p + 1) * size / 2 - 0.5).clamp(0, size - 1), "no clamp", 2 / 4),
    Mistake(lambda p, size: ((p + 1) * size / 2 - 0.5).round(), "", 0.0),
    Mistake(lambda p, size: ((p + 1) * size / 2 - 0.5).squeeze(), "", 2 / 4),
]
