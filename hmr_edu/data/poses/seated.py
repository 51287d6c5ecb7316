"""People who sit: on a chair, at a table, leaning back, on the ground, with crossed legs.

Thighs are level or nearly so. Where the shins go is what tells one kind from another.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from hmr_edu.data.poses.gestures import BOTH, ONE, Both, One, at, gesture
from hmr_edu.data.poses.legs import point, point_toes, towards
from hmr_edu.data.poses.limbs import ARMS, LEGS, MIRROR, SIDES, UP, Figure, about
from hmr_edu.data.poses.stance import Draw, Stance, uniform

# Spines bend so many times as far as the prior's; the pelvis's roll, a standard deviation, degrees.
LEAN = (0.8, 3)


def on_thigh(figure: Figure, side: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Put a hand on the thigh of its side: at rest its front is +z, and the hip is above."""
    n, leg = len(figure.joints), LEGS[side]
    knee, thigh = figure.joints[:, leg.middle], figure.turned[:, leg.root]
    place = [
        uniform(n, generator, low, high) for low, high in ((-0.03, 0.05), (0.05, 0.3), (0.11, 0.13))
    ]
    mirror = torch.tensor(MIRROR[side])
    offset = torch.stack(place, 1) * mirror
    elbow = torch.tensor([0.8, -0.2, -1.0]) * mirror
    return knee + (thigh @ offset[..., None])[..., 0], figure.direct("pelvis", elbow.expand(n, 3))


HANDS: One = {
    "on the thigh": (0.4, on_thigh),
    "hanging": (0.1, ONE["hanging"][1]),
    "on an arm rest": (0.15, at("pelvis", (0.26, 0.36), (0.08, 0.2), (0.12, 0.3), (0.8, -0.4, -1))),
    "talking": (0.2, ONE["talking"][1]),
    "at the face": (0.1, ONE["at the face"][1]),
    "behind": (0.05, at("pelvis", (0.24, 0.4), (-0.1, 0.0), (-0.42, -0.28), (0.4, 0, -1))),
}
TOGETHER: Both = {
    "crossed": BOTH["crossed"],
    "in the lap": (
        0.3,
        at("pelvis", (0.05, 0.1), (0.0, 0.1), (0.26, 0.34), (1, 0, -0.6)),
        at("pelvis", (0.05, 0.1), (0.0, 0.1), (0.26, 0.34), (1, 0, -0.6)),
    ),
    "on a table": (
        0.4,
        at("spine3", (0.05, 0.22), (-0.3, -0.18), (0.3, 0.45), (1, -0.3, -0.2)),
        at("spine3", (0.05, 0.22), (-0.3, -0.18), (0.3, 0.45), (1, -0.3, -0.2)),
    ),
}
# Metres from the hips down to what people on the ground sit on.
SEAT = 0.12
HOLDING = (0.25, 0.5, 0.25)  # shares of the prior's arms, of single arms and of both together


class Seated(Stance):
    """A pose source: people who sit on something or on the ground."""

    # No recorded person sat on the ground; with crossed legs a hip is bent, turned and spread.
    wider: ClassVar = {"hip": 30}

    def kinds(self) -> dict[str, tuple[float, Draw]]:
        """Return the ways of sitting."""
        return {
            "on a chair": (0.4, self.chair),
            "legs stretched": (0.2, self.stretched),
            "one leg over the other": (0.15, self.crossed),
            "tailor's seat": (0.1, self.tailor),
            "on the ground": (0.15, self.ground),
        }

    def chair(self, n: int, generator: torch.Generator) -> Figure:
        """Thighs level, shins down, soles level."""
        figure = self.torso(n, generator, LEAN, -25, 16)
        wide = uniform(n, generator, -2, 28)
        tilt = uniform(n, generator, -25, 25)
        for side in SIDES:
            out = wide + 4 * torch.randn(n, generator=generator)
            thigh = towards(side, uniform(n, generator, -16, 8), out)
            own = -90 + tilt + 8 * torch.randn(n, generator=generator)
            shin = towards(side, own, 0.4 * out)
            point(figure, side, thigh, shin, UP.expand(n, 3))
            heel = (uniform(n, generator, -40, 50) - 10).clamp_min(0)
            mirror = MIRROR[side][0]
            sole = about("y", mirror * 0.7 * out) @ about("x", heel)
            figure.turn(LEGS[side].end, sole)
        gesture(figure, generator, HOLDING, one=HANDS, both=TOGETHER)
        return figure

    def stretched(self, n: int, generator: torch.Generator) -> Figure:
        """Thighs level, shins ahead: on a sofa, a bench, a swing."""
        figure = self.torso(n, generator, LEAN, -40, 10)
        wide = uniform(n, generator, -2, 25)
        knee = uniform(n, generator, 8, 60)
        for side in SIDES:
            out = wide + 3 * torch.randn(n, generator=generator)
            raised = uniform(n, generator, -20, 12)
            own = (knee + 10 * torch.randn(n, generator=generator)).clamp_min(3)
            shin = towards(side, raised - own, out)
            point(figure, side, towards(side, raised, out), shin, UP.expand(n, 3))
            point_toes(figure, side, uniform(n, generator, -10, 35))
        gesture(figure, generator, HOLDING, one=HANDS, both=TOGETHER)
        return figure

    def crossed(self, n: int, generator: torch.Generator) -> Figure:
        """One thigh over the other, or an ankle on the other knee."""
        figure = self.torso(n, generator, LEAN, -25, 8)
        over = torch.rand(n, generator=generator) < 0.5  # the left leg
        ankle = torch.rand(n, generator=generator) < 0.4  # an ankle on the other knee
        for k, side in enumerate(SIDES):
            upper = over if k == 0 else ~over
            out = torch.where(ankle, uniform(n, generator, 35, 50), uniform(n, generator, -14, -6))
            raised = torch.where(ankle, uniform(n, generator, 0, 12), uniform(n, generator, 14, 24))
            raised = torch.where(upper, raised, uniform(n, generator, -14, -4))
            out = torch.where(upper, out, uniform(n, generator, 0, 10))
            # The shin of the upper leg goes across, level, or hangs over the other knee.
            hangs = torch.where(
                ankle, uniform(n, generator, -8, 10), uniform(n, generator, -75, -45)
            )
            across = torch.where(
                ankle, uniform(n, generator, -80, -65), uniform(n, generator, -35, -5)
            )
            down = torch.where(upper, hangs, uniform(n, generator, -100, -80))
            thigh = towards(side, raised, out)
            shin = towards(side, down, torch.where(upper, across, 0.4 * out))
            point(figure, side, thigh, shin, UP.expand(n, 3))
            point_toes(figure, side, uniform(n, generator, -5, 25))
        gesture(figure, generator, HOLDING, one=HANDS, both=TOGETHER)
        return figure

    def tailor(self, n: int, generator: torch.Generator) -> Figure:
        """On the ground, knees out, shins crossed in front."""
        figure = self.torso(n, generator, LEAN, -12, 14)
        first = torch.rand(n, generator=generator) < 0.5
        for k, side in enumerate(SIDES):
            ahead = first if k == 0 else ~first
            out = uniform(n, generator, 40, 55)
            thigh = towards(side, uniform(n, generator, -2, 22), out)
            across = torch.where(
                ahead, uniform(n, generator, -78, -66), uniform(n, generator, -98, -86)
            )
            shin = towards(side, uniform(n, generator, -24, -8), across)
            point(figure, side, thigh, shin, UP.expand(n, 3))
            point_toes(figure, side, uniform(n, generator, 5, 35))
        gesture(figure, generator, HOLDING, one=HANDS, both=TOGETHER)
        figure.wrong = below_the_seat(figure)
        return figure

    def ground(self, n: int, generator: torch.Generator) -> Figure:
        """On the ground, legs stretched or knees drawn up, often leaning back on the hands."""
        figure = self.torso(n, generator, LEAN, -35, 5)
        drawn_up = torch.rand(n, generator=generator) < 0.5
        for side in SIDES:
            out = uniform(n, generator, 0, 20)
            raised = torch.where(
                drawn_up, uniform(n, generator, 25, 55), uniform(n, generator, 0, 6)
            )
            down = torch.where(
                drawn_up, uniform(n, generator, -75, -45), uniform(n, generator, -8, -2)
            )
            thigh, shin = towards(side, raised, out), towards(side, down, out)
            point(figure, side, thigh, shin, UP.expand(n, 3))
            flat = uniform(n, generator, -10, 25) + torch.where(drawn_up, 15.0, 0.0)
            point_toes(figure, side, flat)
        gesture(figure, generator, HOLDING, one=HANDS | {"behind": (0.6, HANDS["behind"][1])})
        figure.wrong = below_the_seat(figure)
        return figure


def below_the_seat(figure: Figure) -> Bool[Tensor, " n"]:
    """Return whose hands are in the ground on which they sit."""
    seat = torch.stack([figure.joints[:, LEGS[side].root, 1] for side in SIDES]).amin(0) - SEAT
    hands = torch.stack([figure.joints[:, ARMS[side].end, 1] for side in SIDES]).amin(0)
    return hands < seat
