"""People with their legs far apart: lunges, kneeling, running, squatting, kicking, star jumps."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.data.poses.gestures import BOTH, ONE, Both, One, at, gesture, overhead
from hmr_edu.data.poses.legs import downwards, point, point_toes, step, towards
from hmr_edu.data.poses.limbs import FRONT, LEGS, MIRROR, SIDES, UP, Figure, about, stretch
from hmr_edu.data.poses.seated import on_thigh
from hmr_edu.data.poses.stance import Draw, Stance, uniform

# Spines bend so many times as far as the prior's; the pelvis's roll, a standard deviation, degrees.
LEAN = (0.7, 5)
HEEL = 0.09  # metres that the ankle of a foot on its toes is higher than that of a level foot
ANKLE = 16  # degrees that a sole stays level while its leg leans outwards
# Shares of the prior's arms, of single arms and of both together.
BUSY = (0.35, 0.55, 0.1)
ACTIVE: One = {
    "hanging": (0.15, ONE["hanging"][1]),
    "balancing": (0.25, at("spine3", (0.38, 0.58), (-0.15, 0.25), (-0.1, 0.2), (0.5, -1, -0.4))),
    "reaching": (0.2, at("spine3", (0.05, 0.3), (0.0, 0.3), (0.35, 0.52), (1, -0.7, -0.2))),
    "running, in front": (
        0.15,
        at("spine3", (0.02, 0.2), (-0.2, 0.02), (0.26, 0.4), (0.5, -1, -1)),
    ),
    "running, behind": (0.1, at("spine3", (0.24, 0.32), (-0.3, -0.15), (-0.15, 0.1), (0.3, 0, -1))),
    "overhead": (0.15, overhead),
}
KNEELING: One = ACTIVE | {"on the thigh": (0.5, on_thigh)}
GUARD: Both = {"holding something": BOTH["holding something"], "hips": BOTH["hands on hips"]}


class Strides(Stance):
    """A pose source: legs far apart, one knee or both on the ground, a leg in the air."""

    def kinds(self) -> dict[str, tuple[float, Draw]]:
        """Return the ways of striding."""
        return {
            "lunge": (0.25, self.lunge),
            "run": (0.2, self.run),
            "one knee down": (0.12, self.one_knee),
            "both knees down": (0.08, self.both_knees),
            "squat": (0.1, self.squat),
            "straddle": (0.12, self.straddle),
            "kick": (0.13, self.kick),
        }

    def lunge(self, n: int, generator: torch.Generator) -> Figure:
        """One leg bent in front, the other stretched behind, on its toes."""
        figure = self.torso(n, generator, LEAN, -2, 35)
        front = coin(n, generator)
        thigh = uniform(n, generator, -62, -5)
        for k, side in enumerate(SIDES):
            out = uniform(n, generator, -4, 12)
            shin = towards(side, uniform(n, generator, -110, -82), 0.3 * out)
            before = figure.rotations.clone()
            point(figure, side, towards(side, thigh, out), shin, FRONT.expand(n, 3))
            figure.turn(LEGS[side].end, about("y", MIRROR[side][0] * out))
            figure.rotations[front != (k == 0)] = before[front != (k == 0)]
            figure.update()
        ankles = [figure.joints[:, LEGS[side].end, 1] for side in SIDES]
        ground = torch.where(front, ankles[0], ankles[1])
        for k, side in enumerate(SIDES):
            before = figure.rotations.clone()
            # As far back as the leg is long.
            height = figure.joints[:, LEGS[side].root, 1] - ground - HEEL
            longest = stretch(LEGS[side], uniform(n, generator, 3, 40).deg2rad())
            back = (height / longest).clamp(-1, 1).acos().rad2deg()
            way = downwards(side, -back.clamp_max(70), uniform(n, generator, -2, 8))
            step(figure, side, way, longest, 0 * back, uniform(n, generator, 30, 60))
            figure.rotations[front == (k == 0)] = before[front == (k == 0)]
            figure.update()
        gesture(figure, generator, BUSY, one=KNEELING, both=GUARD)
        return figure

    def run(self, n: int, generator: torch.Generator) -> Figure:
        """Run or leap: one thigh far ahead, the other far behind."""
        figure = self.torso(n, generator, LEAN, -4, 28)
        front = coin(n, generator)
        wide = uniform(n, generator, 0.3, 1.0)
        for k, side in enumerate(SIDES):
            ahead = front if k == 0 else ~front
            raised = torch.where(ahead, -90 + 85 * wide, -90 - 45 * wide)
            bent = torch.where(ahead, uniform(n, generator, 5, 110), uniform(n, generator, 8, 100))
            out = uniform(n, generator, -3, 8)
            own = raised - bent
            point(
                figure,
                side,
                towards(side, raised, out),
                towards(side, own, out),
                FRONT.expand(n, 3),
            )
            point_toes(figure, side, uniform(n, generator, -15, 40))
        # Each arm swings with the leg of the other side.
        gesture(figure, generator, BUSY, one=ACTIVE, both=GUARD)
        return figure

    def one_knee(self, n: int, generator: torch.Generator) -> Figure:
        """One knee on the ground, the other thigh level."""
        figure = self.torso(n, generator, LEAN, -6, 22)
        down = coin(n, generator)
        for k, side in enumerate(SIDES):
            knee = down if k == 0 else ~down
            out = uniform(n, generator, -2, 16)
            raised = torch.where(
                knee, uniform(n, generator, -105, -78), uniform(n, generator, -7, 7)
            )
            own = torch.where(
                knee, uniform(n, generator, -186, -170), uniform(n, generator, -102, -78)
            )
            point(
                figure,
                side,
                towards(side, raised, out),
                towards(side, own, 0.4 * out),
                FRONT.expand(n, 3),
            )
            stretched = point_of_toes(figure, side, uniform(n, generator, -35, 45))
            level = about("y", MIRROR[side][0] * out)
            figure.turn(LEGS[side].end, torch.where(knee[:, None, None], stretched, level))
        gesture(figure, generator, BUSY, one=KNEELING, both=GUARD)
        return figure

    def both_knees(self, n: int, generator: torch.Generator) -> Figure:
        """On both knees, upright or sitting towards the heels."""
        figure = self.torso(n, generator, LEAN, -8, 20)
        sits = coin(n, generator)
        thigh = torch.where(sits, uniform(n, generator, -60, -22), uniform(n, generator, -100, -78))
        wide = uniform(n, generator, 0, 18)
        for side in SIDES:
            out = wide + 2 * torch.randn(n, generator=generator)
            shin = towards(side, uniform(n, generator, -184, -172), 0.4 * out)
            way = torch.where(
                sits[:, None],
                towards(side, thigh, out),
                normalize(downwards(side, thigh + 90, 0.5 * out), dim=1),
            )
            point(figure, side, way, shin, FRONT.expand(n, 3))
            point_toes(figure, side, uniform(n, generator, -30, 50))
        gesture(figure, generator, BUSY, one=KNEELING, both=GUARD)
        return figure

    def squat(self, n: int, generator: torch.Generator) -> Figure:
        """Both knees bent, feet flat, torso over the feet: deep, or as before a jump."""
        deep = uniform(n, generator, 0, 1)
        figure = self.torso(n, generator, LEAN, 8, 34)
        wide = uniform(n, generator, 2, 38)
        for side in SIDES:
            thigh = towards(side, -68 + 70 * deep + 3 * torch.randn(n, generator=generator), wide)
            shin = towards(side, -104 - 16 * deep, wide)
            point(figure, side, thigh, shin, FRONT.expand(n, 3))
            heel = 25 * (uniform(n, generator, -1, 1) * deep).clamp_min(0)
            figure.turn(LEGS[side].end, about("y", MIRROR[side][0] * wide) @ about("x", heel))
        gesture(figure, generator, BUSY, one=KNEELING, both=GUARD)
        return figure

    def straddle(self, n: int, generator: torch.Generator) -> Figure:
        """Legs wide to the sides: a star, a jump, or one knee bent over its foot."""
        figure = self.torso(n, generator, LEAN, -6, 20)
        bent_side = coin(n, generator)
        bends = torch.rand(n, generator=generator) < 0.5
        wide = uniform(n, generator, 16, 44)
        for k, side in enumerate(SIDES):
            rows = bends & (bent_side if k == 0 else ~bent_side)
            knee = torch.where(rows, uniform(n, generator, 20, 75), uniform(n, generator, 2, 12))
            out = wide + 3 * torch.randn(n, generator=generator)
            forwards = torch.where(rows, 0.6 * knee, 8 * torch.randn(n, generator=generator))
            length = stretch(LEGS[side], knee.deg2rad())
            way = downwards(side, 0.25 * forwards, out)
            step(figure, side, way, length, 0.6 * out, uniform(n, generator, 0, 12))
            # An ankle gives way sideways by so much only.
            mirror, tilt = MIRROR[side][0], (out - ANKLE).clamp_min(0)
            sole = about("y", 0.6 * mirror * out) @ about("z", mirror * tilt)
            figure.turn(LEGS[side].end, sole)
        gesture(figure, generator, BUSY, one=ACTIVE, both=GUARD)
        return figure

    def kick(self, n: int, generator: torch.Generator) -> Figure:
        """On one leg, the other high in front or to the side, stretched or about to be."""
        figure = self.torso(n, generator, LEAN, -28, 6)
        kicks = coin(n, generator)
        for k, side in enumerate(SIDES):
            lifted = kicks if k == 0 else ~kicks
            out = torch.where(lifted, uniform(n, generator, -5, 40), uniform(n, generator, -3, 4))
            lean = 6 * torch.randn(n, generator=generator)
            raised = torch.where(lifted, uniform(n, generator, -45, 14), -90 + lean)
            stretched = (10 + 25 * torch.randn(n, generator=generator)).abs()
            knee = torch.where(lifted, stretched, 3 + stretched / 3)
            thigh, shin = towards(side, raised, out), towards(side, raised - knee, out)
            point(figure, side, thigh, shin, torch.where(lifted[:, None], UP, FRONT))
            toes = point_of_toes(figure, side, uniform(n, generator, -15, 40))
            figure.turn(
                LEGS[side].end,
                torch.where(lifted[:, None, None], toes, about("y", MIRROR[side][0] * 2 * out)),
            )
        gesture(figure, generator, BUSY, one=ACTIVE, both=GUARD)
        return figure


def coin(n: int, generator: torch.Generator) -> Bool[Tensor, " n"]:
    """Toss a coin for each of `n` people."""
    return torch.rand(n, generator=generator) < 0.5


def point_of_toes(
    figure: Figure, side: str, degrees: Float[Tensor, " n"]
) -> Float[Tensor, "n 3 3"]:
    """Return the rotation in the world of a foot whose toes point away from the shin."""
    return figure.turned[:, LEGS[side].middle] @ about("x", degrees)
