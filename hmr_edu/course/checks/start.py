"""Checks of lesson 00: the parts of theta, from the crop to pixels, what a metric notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, Report, compare, require

PARTS = ("camera", "pose", "betas")


def check_take_apart(function: Callable[..., Any]) -> Report:
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
        hint = "keep the first axis: theta[:, :3], not theta[0, :3]"
        require(shapes == [[1, 3], [1, 24, 3], [1, 10]], f"shapes {shapes}", hint)
    return check.report()


def check_to_pixels(function: Callable[..., Any]) -> Report:
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
        pixels = torch.rand(3, 19, 2, generator=torch.Generator().manual_seed(0)) * 100
        compare(check.call(2 * (pixels + 0.5) / 224 - 1, 224), pixels, 1e-3)
    return check.report()


# What becomes of MPJPE and PA-MPJPE (do they notice it?) when a perfect answer is changed; why.
CHANGES: dict[str, tuple[bool, bool, str]] = {
    "moved": (False, False, "both put the hips, or the middle, of the two bodies together first"),
    "turned": (True, False, "only PA-MPJPE may turn the answer before it measures"),
    "larger": (True, False, "only PA-MPJPE may scale the answer before it measures"),
    "mirrored": (True, True, "no rotation makes a left hand a right one"),
    "arm bent": (True, True, "no turn and no scale of the whole body unbends one arm"),
}


def check_noticed(function: Callable[..., Any]) -> Report:
    """Check `noticed(change) -> (by MPJPE, by PA-MPJPE)`, two bools for each of `CHANGES`."""
    check = Check("noticed", function)
    for change, (*want, why) in CHANGES.items():
        with check.part(change):
            got = check.call(change)
            if not isinstance(got, tuple) or len(got) != 2:
                raise Mismatch(f"it returned {got!r}", "return two bools: MPJPE's, PA-MPJPE's")
            wrong = [
                name
                for name, mine, true in zip(("MPJPE", "PA-MPJPE"), got, want, strict=True)
                if bool(mine) != true
            ]
            require(not wrong, f"think again about {' and '.join(wrong)}", why)
    return check.report()


def _parts(check: Check, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    parts = check.call(theta)
    if not isinstance(parts, tuple) or len(parts) != 3:
        raise Mismatch(
            f"it returned {type(parts).__name__}, three tensors are wanted",
            "return camera, pose, betas",
        )
    for name, part in zip(PARTS, parts, strict=True):
        require(isinstance(part, Tensor), f"{name} is a {type(part).__name__}, not a tensor")
    return parts
