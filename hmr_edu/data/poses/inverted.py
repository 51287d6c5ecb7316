"""People who do not stand: upside down, on their hands, arched, on all fours, lying, falling.

Recorded people of the prior keep their heads up. Here the root itself is turned, so the world's up
is part of the pose.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.data.poses.gestures import One, at, flat_hands, gesture, hang, overhead, propped
from hmr_edu.data.poses.legs import downwards, point, point_toes, step, towards
from hmr_edu.data.poses.limbs import FRONT, LEGS, MIRROR, SIDES, UP, Figure, about, stretch
from hmr_edu.data.poses.stance import SPINE, WRISTS, Draw, Stance, look_around, uniform
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix, quaternion_to_axis_angle

TIPS = [SMPL_JOINTS.index(f"{s}_{j}") for s in SIDES for j in ("wrist", "knee", "ankle")]
TRUNK = [SMPL_JOINTS.index(j) for j in ("pelvis", "spine3", "left_hip", "right_hip")]
DEEP = 0.12  # metres that a limb of a lying person may be lower than the joints of the trunk
ALONE = (0.0, 1.0, 0.0)  # every arm by the gestures of one arm
OVERHEAD: One = {"overhead": (1.0, overhead)}
PROPPED: One = {"propped": (1.0, propped)}
LYING: One = {
    "beside": (0.35, at("pelvis", (0.24, 0.4), (-0.1, 0.12), (-0.02, 0.12), (0.8, 0, -0.6))),
    "spread": (0.25, at("spine3", (0.42, 0.62), (-0.2, 0.35), (-0.05, 0.15), (0.6, -1, -0.3))),
    "overhead": (0.2, overhead),
    "on the belly": (0.2, at("pelvis", (0.02, 0.12), (0.05, 0.25), (0.22, 0.26), (1, 0, -0.2))),
}


class Inverted(Stance):
    """A pose source: roots that are turned far from upright."""

    def kinds(self) -> dict[str, tuple[float, Draw]]:
        """Return the ways of not standing."""
        return {
            "handstand": (0.15, self.handstand),
            "cartwheel": (0.12, self.cartwheel),
            "bridge": (0.1, self.bridge),
            "all fours": (0.12, self.all_fours),
            "plank": (0.1, self.plank),
            "bent over": (0.13, self.bent_over),
            "lying": (0.16, self.lying),
            "falling": (0.12, self.falling),
        }

    def turned(
        self, n: int, generator: torch.Generator, root: Float[Tensor, "n 3 3"], calm: float = 0.6
    ) -> Figure:
        """Draw upper bodies with this root."""
        figure = self.upper_body(n, generator, calm)
        figure.rotations[:, 0] = root
        figure.calm(WRISTS, 0.5)
        look_around(figure, generator)
        return figure

    def handstand(self, n: int, generator: torch.Generator) -> Figure:
        """Head down, arms to the ground, legs up: together, split or bent."""
        tilt, roll = (
            180 + 15 * torch.randn(n, generator=generator),
            6 * torch.randn(n, generator=generator),
        )
        figure = self.turned(n, generator, about("x", tilt) @ about("z", roll))
        split = uniform(n, generator, 0, 70) * (torch.rand(n, generator=generator) < 0.5)
        fold = uniform(n, generator, -10, 30)
        first = torch.rand(n, generator=generator) < 0.5
        for k, side in enumerate(SIDES):
            ahead = first if k == 0 else ~first
            forwards = fold + torch.where(ahead, split, (-0.4 * split).clamp_min(-28))
            bent = torch.rand(n, generator=generator) < 0.3
            knee = torch.where(bent, uniform(n, generator, 30, 110), uniform(n, generator, 2, 12))
            self.leg(figure, side, forwards, uniform(n, generator, -3, 18), knee)
            point_toes(figure, side, uniform(n, generator, -5, 50))
        gesture(figure, generator, ALONE, one=OVERHEAD)
        flat_hands(figure, figure.direct("spine3", -FRONT.expand(n, 3)), generator)
        return figure

    def cartwheel(self, n: int, generator: torch.Generator) -> Figure:
        """Sideways over the hands, legs spread."""
        turn = uniform(n, generator, 50, 310)
        tilt = 10 * torch.randn(n, generator=generator)
        figure = self.turned(n, generator, about("z", turn) @ about("x", tilt))
        wide = uniform(n, generator, 12, 50)
        for side in SIDES:
            knee = 2 + (12 * torch.randn(n, generator=generator)).abs()
            forwards = 12 * torch.randn(n, generator=generator)
            self.leg(figure, side, forwards, wide + 4 * torch.randn(n, generator=generator), knee)
            point_toes(figure, side, uniform(n, generator, -5, 50))
        gesture(figure, generator, ALONE, one=OVERHEAD)
        return figure

    def bridge(self, n: int, generator: torch.Generator) -> Figure:
        """Belly up, back arched, on hands and feet."""
        figure = self.turned(n, generator, about("x", uniform(n, generator, -100, -65)), 0.2)
        for joint in SPINE:
            figure.rotations[:, joint] = about("x", uniform(n, generator, -22, -12))
        figure.update()
        raised = uniform(n, generator, -22, 20)
        for side in SIDES:
            out = uniform(n, generator, 0, 16)
            own = raised + 4 * torch.randn(n, generator=generator)
            shin = towards(side, uniform(n, generator, -105, -75), 0 * out)
            point(figure, side, towards(side, own, out), shin, UP.expand(n, 3))
            figure.turn(
                LEGS[side].end, about("y", 0 * out) @ about("x", uniform(n, generator, 0, 35))
            )
        gesture(figure, generator, ALONE, one=OVERHEAD)
        return figure

    def all_fours(self, n: int, generator: torch.Generator) -> Figure:
        """On hands and knees."""
        figure = self.turned(n, generator, about("x", uniform(n, generator, 76, 108)))
        for side in SIDES:
            back = -90 + 14 * torch.randn(n, generator=generator)
            out = uniform(n, generator, -2, 14)
            thigh = normalize(downwards(side, back + 90, out), dim=1)
            shin = towards(side, uniform(n, generator, -190, -172), 0.5 * out)
            point(figure, side, thigh, shin, UP.expand(n, 3))
            point_toes(figure, side, uniform(n, generator, -20, 50))
        gesture(figure, generator, ALONE, one=PROPPED)
        flat_hands(figure, figure.direct("spine3", UP.expand(n, 3)), generator)
        return figure

    def plank(self, n: int, generator: torch.Generator) -> Figure:
        """Chest down, body in a line, arms propped; hips up in some, as in yoga's dog."""
        tilt = uniform(n, generator, 66, 92)
        figure = self.turned(n, generator, about("x", tilt), 0.4)
        hips_up = torch.where(
            torch.rand(n, generator=generator) < 0.4, uniform(n, generator, 20, 75), 0.0
        )
        figure.rotations[:, 0] = about("x", 0.6 * hips_up) @ figure.rotations[:, 0]
        figure.update()
        wide = uniform(n, generator, -1, 12)
        for side in SIDES:
            forwards = hips_up + 5 * torch.randn(n, generator=generator)
            self.leg(figure, side, forwards, wide, uniform(n, generator, 1, 14))
            point_toes(figure, side, uniform(n, generator, -38, -10))
        gesture(figure, generator, ALONE, one=PROPPED)
        flat_hands(figure, figure.direct("spine3", UP.expand(n, 3)), generator)
        return figure

    def bent_over(self, n: int, generator: torch.Generator) -> Figure:
        """On the feet, the trunk bent down as far as the ground: lifting, stretching, looking."""
        figure = self.turned(n, generator, about("x", uniform(n, generator, 35, 85)), 0.8)
        stoop = uniform(n, generator, 0, 18)
        for joint in SPINE:
            figure.rotations[:, joint] = about("x", stoop) @ figure.rotations[:, joint]
        figure.update()
        wide = uniform(n, generator, 0, 18)
        knee = (4 + 16 * torch.randn(n, generator=generator).abs()).deg2rad()
        for side in SIDES:
            # The hips go back, so the feet stay below the trunk.
            way = downwards(side, uniform(n, generator, 2, 16), wide)
            length = stretch(LEGS[side], knee)
            toes = uniform(n, generator, 0, 20)
            step(figure, side, way, length, toes, 0 * toes)
        reach: One = {"hanging": (0.7, hang), "propped": (0.3, propped)}
        gesture(figure, generator, (0.25, 0.75, 0.0), one=reach)
        return figure

    def lying(self, n: int, generator: torch.Generator) -> Figure:
        """On the back, the belly or a side; legs straight or drawn up."""
        tilt = -90 + 8 * torch.randn(n, generator=generator)
        about_itself = uniform(n, generator, 0, 360)
        figure = self.turned(n, generator, about("x", tilt) @ about("y", about_itself), 0.8)
        drawn_up = torch.rand(n, generator=generator) < 0.45
        both = uniform(n, generator, 15, 95)
        for side in SIDES:
            own = both + 12 * torch.randn(n, generator=generator)
            forwards = torch.where(drawn_up, own, uniform(n, generator, -10, 15))
            knee = torch.where(drawn_up, 1.2 * own + 10, uniform(n, generator, 2, 25)).clamp_min(2)
            self.leg(figure, side, forwards, uniform(n, generator, -4, 24), knee)
            point_toes(figure, side, uniform(n, generator, 0, 45))
        gesture(figure, generator, (0.3, 0.7, 0.0), one=LYING)
        # No wrist, knee or ankle is far below the trunk, where the ground is.
        lowest = figure.joints[:, TIPS, 1].amin(1)
        figure.wrong = lowest < figure.joints[:, TRUNK, 1].amin(1) - DEEP
        return figure

    def falling(self, n: int, generator: torch.Generator) -> Figure:
        """Turn people any way: the prior's whole pose, or tucked as in a somersault."""
        q = normalize(torch.randn(n, 4, generator=generator), dim=1)
        root = axis_angle_to_matrix(quaternion_to_axis_angle(q))
        figure = self.turned(n, generator, root, 1.0)
        drawn = figure.rotations.clone()
        tucked = torch.rand(n, generator=generator) < 0.4
        for side in SIDES:
            forwards, knee = uniform(n, generator, 60, 103), uniform(n, generator, 60, 135)
            self.leg(figure, side, forwards, uniform(n, generator, 2, 25), knee)
        figure.rotations[~tucked] = drawn[~tucked]
        figure.update()
        return figure

    @staticmethod
    def leg(
        figure: Figure,
        side: str,
        forwards: Float[Tensor, " n"],
        outwards: Float[Tensor, " n"],
        knee: Float[Tensor, " n"],
    ) -> None:
        """Point a leg relative to the pelvis, whichever way that is turned; degrees.

        Args:
            figure: the people.
            side: of the leg.
            forwards: of the thigh, from straight down.
            outwards: of the thigh.
            knee: how far it bends.
        """
        fold, spread = forwards.deg2rad(), outwards.deg2rad()
        ways = []
        for angle in (fold, fold - knee.deg2rad()):
            way = torch.stack(
                [spread.sin(), -angle.cos() * spread.cos(), angle.sin() * spread.cos()], 1
            )
            ways.append(figure.direct("pelvis", way * torch.tensor(MIRROR[side])))
        front = torch.stack([0 * fold, fold.sin(), fold.cos()], 1)
        point(figure, side, ways[0], ways[1], figure.direct("pelvis", front))
