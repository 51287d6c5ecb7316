"""Smooth what is recovered frame by frame: the one-euro filter, also for rotations; a steady clock.

A network that sees one frame at a time trembles. The one-euro filter is a low-pass filter whose
cutoff rises with speed: slow motion trembles visibly, so it is smoothed much; fast motion would lag
visibly, so it is smoothed little. It knows only the past, so it lags a little all the same; where
the future is known, as in a file, it also runs backwards, and the two lags cancel.

Source: Casiez, Roussel, Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input
in Interactive Systems", CHI 2012.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.rotations import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    nearest_rotation,
)

# After so many seconds without a frame the filter starts again.
PAUSE = 0.5
# A frame this near to a tick of the steady clock, in ticks, counts as its own.
NEAR = 0.25


class OneEuro(NamedTuple):
    """The three numbers of the filter.

    `min_cutoff` (Hz) is the cutoff at rest: lower trembles less. `speed` (Hz for each unit a
    second; the paper's beta) is how much the cutoff rises: higher lags less. `speed_cutoff` (Hz) is
    that of the speed itself.
    """

    min_cutoff: float = 1.0
    speed: float = 0.5
    speed_cutoff: float = 1.0

    def check(self) -> None:
        """Raise ValueError on numbers of no filter."""
        if not (self.min_cutoff > 0 and self.speed >= 0 and self.speed_cutoff > 0):
            raise ValueError(
                f"a one-euro filter needs positive cutoffs and no negative speed: {self}"
            )


# Rotations in radians, cameras in sizes of the body. Chosen on a film of somebody who walks, whose
# truth is known (`scripts/video/speed.py`): it trembles by a third, and is as near the truth.
ROTATIONS = OneEuro(min_cutoff=1.0, speed=3.0)
CAMERA = OneEuro(min_cutoff=1.0, speed=5.0)


def smooth(
    values: Float[Tensor, "T *shape"], seconds: Float[Tensor, " T"], filter: OneEuro = CAMERA
) -> Float[Tensor, "T *shape"]:
    """Smooth numbers, each on its own. The frames need not be evenly spaced.

    Raises ValueError unless the seconds increase.
    """
    return _run(values, seconds, filter, lambda a, b: b - a, lambda a, step: a + step, 0)


def smooth_rotations(
    rotations: Float[Tensor, "T *joints 3 3"],
    seconds: Float[Tensor, " T"],
    filter: OneEuro = ROTATIONS,
) -> Float[Tensor, "T *joints 3 3"]:
    """Smooth rotations along the shortest way from one to the next, each joint on its own.

    The difference of two rotations is the axis-angle vector that leads from one to the other; its
    length is the angle, and the speed is in radians a second. So the result does not depend on how
    the rotations are written, and never leaves the rotations. Raises ValueError unless the seconds
    increase.
    """

    def difference(before: Tensor, after: Tensor) -> Tensor:
        return matrix_to_axis_angle(before.mT @ after)

    def turn(before: Tensor, step: Tensor) -> Tensor:
        return before @ axis_angle_to_matrix(step)

    return nearest_rotation(_run(rotations, seconds, filter, difference, turn, 1))


def _run(values, seconds, filter, difference, move, vectors) -> Tensor:
    """Filter values of which `difference(a, b)` leads from a to b and `move(a, step)` goes there.

    Args:
        values: one for each frame.
        seconds: of the frames.
        filter: its numbers.
        difference: of two values.
        move: a value by a step.
        vectors: 1 where a step is a vector with one speed, 0 where each number has its own.
    """
    filter.check()
    times = seconds.tolist()
    if len(times) != len(values):
        raise ValueError(f"{len(values)} frames, {len(times)} times")
    if not all(a < b for a, b in pairwise(times)):
        raise ValueError("the times of frames must increase")
    out: list[Tensor] = []
    velocity = None
    for k, value in enumerate(values):
        dt = times[k] - times[k - 1] if k else math.inf
        if dt > PAUSE:
            out.append(value)
            velocity = None
            continue
        # The paper's listing: the speed is measured against the raw value of the frame before.
        raw = difference(values[k - 1], value) / dt
        if velocity is None:
            velocity = torch.zeros_like(raw)
        velocity = velocity + _alpha(filter.speed_cutoff, dt) * (raw - velocity)
        rate = velocity.norm(dim=-1, keepdim=True) if vectors else velocity.abs()
        share = _alpha(filter.min_cutoff + filter.speed * rate, dt)
        out.append(move(out[-1], share * difference(out[-1], value)))
    return torch.stack(out) if out else values


def _alpha(cutoff: float | Tensor, dt: float) -> float | Tensor:
    """Return the share of the new value, eq. 3-5: 1 / (1 + tau / dt), tau = 1 / (2 pi cutoff)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * dt))


def smooth_both_ways(
    values: Float[Tensor, "T *shape"], seconds: Float[Tensor, " T"], filter: OneEuro = CAMERA
) -> Float[Tensor, "T *shape"]:
    """Smooth numbers of which the future is known: the mean of both directions does not lag."""
    back = smooth(values.flip(0), -seconds.flip(0), filter).flip(0)
    return (smooth(values, seconds, filter) + back) / 2


def smooth_rotations_both_ways(
    rotations: Float[Tensor, "T *joints 3 3"],
    seconds: Float[Tensor, " T"],
    filter: OneEuro = ROTATIONS,
) -> Float[Tensor, "T *joints 3 3"]:
    """Smooth rotations of which the future is known: half the way from one direction to the other.

    The forward filter lags behind, the backward one as much ahead.
    """
    forward = smooth_rotations(rotations, seconds, filter)
    back = smooth_rotations(rotations.flip(0), -seconds.flip(0), filter).flip(0)
    return forward @ axis_angle_to_matrix(matrix_to_axis_angle(forward.mT @ back) / 2)


class Steady(NamedTuple):
    """A motion at a steady frame rate.

    `seen` says which frames are the person's own; the others are interpolated.
    """

    rotations: Float[Tensor, "N 24 3 3"]
    translations: Float[Tensor, "N 3"]
    seen: Bool[Tensor, " N"]
    fps: float


def steady(
    rotations: Float[Tensor, "T 24 3 3"],
    translations: Float[Tensor, "T 3"],
    seconds: Float[Tensor, " T"],
    fps: float | int,
) -> Steady:
    """Put a motion on a steady clock: frames where there are some, else the way between two.

    Videos of phones have no steady frame rate, and a person may be lost for some frames. Rotations
    take the shortest way (slerp), places the straight one. A frame within a quarter of a tick is
    taken as it is.

    Args:
        rotations: of the frames.
        translations: of the frames, metres.
        seconds: of the frames, increasing.
        fps: ticks a second.
    """
    start, span = float(seconds[0]), float(seconds[-1] - seconds[0])
    ticks = start + torch.arange(round(span * fps) + 1, dtype=torch.float64) / fps
    times = seconds.double()
    # Of a single frame: right is 0 and left -1, which is that frame, too.
    right = torch.searchsorted(times, ticks).clamp_min(1).clamp_max(len(times) - 1)
    left = right - 1
    share = ((ticks - times[left]) / (times[right] - times[left]).clamp_min(1e-9)).clamp(0, 1)
    near = torch.stack([(times[side] - ticks).abs() * fps for side in (left, right)])
    own = near.amin(0) <= NEAR
    share = torch.where(own, near.argmin(0).double(), share).to(rotations.dtype)

    way = matrix_to_axis_angle(rotations[left].mT @ rotations[right])
    turned = rotations[left] @ axis_angle_to_matrix(share[:, None, None] * way)
    moved = translations[left] + share[:, None] * (translations[right] - translations[left])
    # Exactly, not by way of the logarithm.
    nearest = torch.where(near.argmin(0) == 0, left, right)
    turned[own], moved[own] = rotations[nearest][own], translations[nearest][own]
    return Steady(turned, moved, own, fps)


def trembling(rotations: Float[Tensor, "T *joints 3 3"]) -> Float[Tensor, ""]:
    """Return how much rotations tremble: the mean angle by which a step differs from the last.

    Radians. Steady motion, however fast, has none.
    """
    steps = rotations[:-1].mT @ rotations[1:]
    return geodesic_angle(steps[:-1], steps[1:]).mean()
