"""People as they stand in everyday life: talking, waiting, walking, the weight on one leg.

Recorded people of the prior walk, dance and climb: their knees bend by 45 degrees on average. Most
people in photographs stand. `Upright` of `varied.py` only straightens the legs of the prior's draws
and leaves everything else: arms that climb, feet that tip. It stays because the shipped encoder of
keypoints was trained on it, and its numbers must stay reproducible; new trainings take this source.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.data.poses.gestures import gesture
from hmr_edu.data.poses.legs import downwards, step
from hmr_edu.data.poses.limbs import LEGS, SIDES, Figure, about, bend_of, stretch
from hmr_edu.data.poses.stance import WRISTS, Draw, Stance, choose, look_around, uniform
from hmr_edu.keypoints import SMPL_JOINTS

# Shares of people: both legs bear, the weight is on one leg, they walk.
KINDS = (0.35, 0.4, 0.25)
BOTH_LEGS, ONE_LEG, WALKS = range(3)
STRAIGHT = 0.03  # radians, the least bend of a knee
CALM = 0.5  # spines bend so many times as far as the prior's: nobody climbs


class Standing(Stance):
    """A pose source: people on their feet, knees nearly straight, with everyday arms."""

    def kinds(self) -> dict[str, tuple[float, Draw]]:
        """Return the only kind: what its people do is drawn for each of them."""
        return {"standing": (1.0, self.draw)}

    def draw(self, n: int, generator: torch.Generator) -> Figure:
        """Draw `n` figures, whether or not bodies can do that."""
        figure = self.upper_body(n, generator, CALM)
        kind = choose(n, generator, list(KINDS))
        bearing = torch.rand(n, generator=generator) < 0.5  # the left leg
        sink = (4 + 2.5 * torch.randn(n, generator=generator)) * kind.eq(ONE_LEG)
        self._pelvis(figure, sink * torch.where(bearing, 1.0, -1.0), generator)
        look_around(figure, generator)
        swing = self._legs(figure, kind, bearing, generator)
        figure.calm(WRISTS, 0.5)
        gesture(figure, generator, swing=swing)
        return figure

    @staticmethod
    def _pelvis(figure: Figure, sink: Float[Tensor, " n"], generator: torch.Generator) -> None:
        """Tilt the pelvis, by `sink` degrees down on the right; the spine makes up for most."""
        n = len(sink)
        lean, roll, turn = 3 * torch.randn(3, n, generator=generator)
        figure.rotations[:, 0] = about("z", sink + roll / 2) @ about("x", lean + 1.5)
        spine = SMPL_JOINTS.index("spine1"), SMPL_JOINTS.index("spine2")
        for joint in spine:
            back = about("z", -0.5 * sink) @ about("y", turn)
            figure.rotations[:, joint] = back @ figure.rotations[:, joint]
        figure.update()

    @staticmethod
    def _legs(
        figure: Figure, kind: Tensor, bearing: Bool[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, "n 2"]:
        """Put the feet on one ground; return how far the arms swing, left and right, degrees.

        The bearing leg is straight and fixes the ground. The other one is as long as its way there,
        so a pelvis that sinks on one side bends that knee. In a walk the bearing leg is in front.
        """
        n = len(kind)
        walks, one_leg = kind.eq(WALKS), kind.eq(ONE_LEG)
        knee = (2 + 5 * torch.randn(n, generator=generator).abs()).deg2rad()
        stride = uniform(n, generator, -4, 24)  # half of the angle between the legs
        width = uniform(n, generator, -2, 9)
        ahead = 5 * torch.randn(n, generator=generator)
        # Degrees forwards and outwards, of the bearing and of the other leg.
        forwards = (
            torch.where(walks, stride, torch.where(one_leg, 0.4 * ahead, 0.5 * ahead)),
            torch.where(walks, -stride, torch.where(one_leg, 2.0 * ahead, -0.5 * ahead)),
        )
        outwards = (
            torch.where(walks, 0.5, torch.where(one_leg, -2.0, width)),
            torch.where(walks, 0.5, torch.where(one_leg, width + 4, width)),
        )
        bears = torch.stack([bearing, ~bearing], 1)
        ahead = torch.where(bears, forwards[0][:, None], forwards[1][:, None])
        aside = torch.where(bears, outwards[0][:, None], outwards[1][:, None])
        ways = [downwards(side, ahead[:, k], aside[:, k]) for k, side in enumerate(SIDES)]
        hips = [figure.joints[:, LEGS[side].root] for side in SIDES]
        # The way down to the ground is -1 high.
        straight = stretch(LEGS["left"], knee)
        reached = [
            hip[:, 1] - straight / way.norm(dim=1) for hip, way in zip(hips, ways, strict=True)
        ]
        ground = torch.where(bearing, *reached)
        swing_bend, heel = uniform(n, generator, 5, 45), uniform(n, generator, 10, 45)
        toes_up = uniform(n, generator, -20, 0)
        for k, side in enumerate(SIDES):
            leg, way = LEGS[side], ways[k]
            longest = stretch(leg, torch.full((n,), STRAIGHT))
            length = torch.minimum((hips[k][:, 1] - ground) * way.norm(dim=1), longest)
            swinging = bend_of(leg, length) + swing_bend.deg2rad()
            length = torch.where(walks & ~bears[:, k], stretch(leg, swinging), length)
            toes = uniform(n, generator, 2, 22) * torch.where(walks, 0.5, 1.0)
            pitch = torch.where(bears[:, k], toes_up, heel) * walks
            step(figure, side, way, length, toes, pitch)
        # Each arm swings with the leg of the other side.
        return 0.9 * ahead.flip(1) * walks[:, None]
