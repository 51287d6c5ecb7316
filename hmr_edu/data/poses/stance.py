"""What all stances share: draws that keep the joints' limits, and arms that stay out of the torso.

A stance draws an upper body from the prior and puts legs, and often arms, where its rule says. A
draw that bends a joint beyond its limits, or puts an arm inside the body, is drawn again. This
takes time, so a stance draws a pool of poses once, the same on every machine, and samples from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hmr_edu.data.poses.limbs import ARMS, LEGS, SIDES, Figure, about
from hmr_edu.data.poses.prior import PosePrior
from hmr_edu.io.precision import float32_by_default
from hmr_edu.keypoints import SMPL_JOINTS, flip_pose

Draw = Callable[[int, torch.Generator], Figure]
SEED = 20261130  # of the pools for training
# Rounds of draws; then what is left is clamped to the limits.
ROUNDS = 12
SPINE = [SMPL_JOINTS.index(f"spine{k}") for k in (1, 2, 3)]
NECK = [SMPL_JOINTS.index(name) for name in ("neck", "head")]
WRISTS = [SMPL_JOINTS.index(f"{side}_wrist") for side in SIDES]
# The torso and the head of the average body as ellipsoids fixed to a joint: offset of the centre
# from the joint at rest, and half axes, metres.
SOLIDS = {
    "pelvis": ((0.0, -0.08, 0.045), (0.18, 0.17, 0.115)),
    "spine2": ((0.0, -0.04, 0.05), (0.155, 0.17, 0.12)),
    "spine3": ((0.0, 0.0, 0.06), (0.175, 0.16, 0.12)),
    "head": ((0.0, 0.03, 0.015), (0.08, 0.12, 0.10)),
}
TURNED_HEADS = 0.35  # share of people who look to a side
LOOK = 50  # degrees, the farthest
# Half of the thickness of a forearm or a hand, and of a thigh or a shin: bones do not come nearer.
ARM, THIGH, SHIN = 0.035, 0.065, 0.045
# Places along elbow to wrist to hand, and along the bones of a leg, that are checked.
STEPS = 5


class Stance:
    """A pose source by rule. A stance has several kinds, each with its share of the people.

    Args:
        prior: draws the upper bodies, and knows the limits of the joints.
        seed: of the pool.
    """

    # Poses in the pool; their mirror images come on top.
    size: ClassVar[int] = 16_384
    # Degrees beyond the prior's limits, for joints whose names end so. The limits are those of the
    # recordings, which lack some stances.
    wider: ClassVar[dict[str, float | int]] = {}

    def __init__(self, prior: PosePrior, seed: int = SEED) -> None:
        self.prior, self.seed = prior, seed
        more = [sum(v for k, v in self.wider.items() if j.endswith(k)) for j in SMPL_JOINTS[1:]]
        beyond = torch.tensor(more).float().deg2rad().repeat_interleave(3)
        self.low, self.high = prior.low.float() - beyond, prior.high.float() + beyond

    def kinds(self) -> dict[str, tuple[float, Draw]]:
        """Return the share of each kind, and the function that draws `n` figures of it.

        The function need not care whether bodies can do that.
        """
        raise NotImplementedError

    @float32_by_default
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Take `n` poses of the pool, Y up, every other one mirrored.

        What is taken depends on the generator alone.
        """
        rows = torch.randint(self.size, (n,), generator=generator)
        mirrored = torch.rand(n, 1, generator=generator) < 0.5
        poses = self.pool[rows]
        return torch.where(mirrored, flip_pose(poses), poses)

    @cached_property
    @float32_by_default
    def pool(self) -> Float[Tensor, "size 72"]:
        """The poses, drawn once: 0.2 ms a pose, where a single one would take 20 ms."""
        generator = torch.Generator().manual_seed(self.seed)
        kinds = list(self.kinds().values())
        which = choose(self.size, generator, [share for share, _ in kinds])
        poses = torch.empty(self.size, 72)
        for k, (_, draw) in enumerate(kinds):
            rows = which == k
            poses[rows] = self._kept(draw, int(rows.sum()), generator)
        return poses

    def _kept(self, draw: Draw, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw until there are `n` poses that a body can take."""
        kept: list[Tensor] = []
        missing = n
        for _ in range(ROUNDS):
            if missing <= 0:
                break
            # More than needed, so that two rounds are mostly enough.
            figure = draw(missing + missing // 2 + 4, generator)
            pose = figure.pose
            good = self.possible(pose) & ~figure.wrong & ~collides(figure)
            kept.append(pose[good][:missing])
            missing -= len(kept[-1])
        if missing > 0:
            pose = draw(missing, generator).pose
            pose[:, 3:] = pose[:, 3:].clamp(self.low, self.high)
            kept.append(pose)
        return torch.cat(kept) if kept else torch.empty(0, 72)

    def possible(self, pose: Float[Tensor, "n 72"]) -> Bool[Tensor, " n"]:
        """Return which poses keep the limits of all joints."""
        body = pose[:, 3:]
        return ((body >= self.low) & (body <= self.high)).all(1)

    def upper_body(self, n: int, generator: torch.Generator, calm: float = 1.0) -> Figure:
        """Draw people of the prior, upright; their spines bend `calm` times as far."""
        pose = self.prior.sample(n, generator, recline=0.0).float().unflatten(1, (24, 3))
        pose[:, 0] = 0.0
        pose[:, SPINE] *= calm
        return Figure(pose.flatten(1))

    def torso(
        self,
        n: int,
        generator: torch.Generator,
        lean: tuple[float, int],
        low: float | int,
        high: float | int,
    ) -> Figure:
        """Draw upper bodies whose pelvis leans forwards by `low` to `high` degrees.

        Args:
            n: how many.
            generator: of the draws.
            lean: `calm` of `upper_body`; the standard deviation of the pelvis's roll, degrees.
            low: the smallest lean.
            high: the largest lean.
        """
        calm, roll_deviation = lean
        figure = self.upper_body(n, generator, calm)
        roll = roll_deviation * torch.randn(n, generator=generator)
        figure.rotations[:, 0] = about("z", roll) @ about("x", uniform(n, generator, low, high))
        figure.calm(WRISTS, 0.5)
        look_around(figure, generator)
        return figure


def uniform(
    n: int, generator: torch.Generator, low: float | int, high: float | int
) -> Float[Tensor, " n"]:
    """Draw `n` numbers uniformly from a range."""
    return low + (high - low) * torch.rand(n, generator=generator)


def choose(n: int, generator: torch.Generator, shares: list[float]) -> Int64[Tensor, " n"]:
    """Draw `n` numbers of entries, each with its share."""
    up_to = torch.tensor(shares).cumsum(0)
    chosen = torch.searchsorted(up_to / up_to[-1], torch.rand(n, generator=generator))
    return chosen.clamp_(max=len(shares) - 1)


def look_around(figure: Figure, generator: torch.Generator) -> None:
    """Turn the heads of some people to a side, and up or down."""
    n = len(figure.joints)
    turns = torch.rand(n, generator=generator) < TURNED_HEADS
    yaw = torch.where(turns, uniform(n, generator, -LOOK, LOOK), 0.0)
    nod = torch.where(turns, uniform(n, generator, -10, 25), 0.0)
    look = about("y", yaw / 2) @ about("x", nod / 2)
    figure.calm(NECK, 0.5)
    for joint in NECK:
        figure.rotations[:, joint] = look @ figure.rotations[:, joint]
    figure.update()


def collides(figure: Figure) -> Bool[Tensor, " n"]:
    """Return who has a forearm or a hand inside torso, head, legs or the other arm, or legs in one.

    Limbs are lines with a thickness; torso and head are the ellipsoids `SOLIDS`.
    """
    arms = {side: _arm(figure, side) for side in SIDES}
    legs = [_leg(figure, side) for side in SIDES]
    both = torch.cat(list(arms.values()), 1)
    inside = torch.zeros(len(both), dtype=torch.bool)
    for joint, (centre, axes) in SOLIDS.items():
        j = SMPL_JOINTS.index(joint)
        away = (both - figure.joints[:, None, j]) @ figure.turned[:, j] - torch.tensor(centre)
        inside |= ((away / torch.tensor(axes)).square().sum(-1) < 1).any(1)
    for thigh, shin in legs:
        inside |= (_nearest(both, thigh) < ARM + THIGH) | (_nearest(both, shin) < ARM + SHIN)
    inside |= _nearest(arms["left"], arms["right"]) < 2 * ARM
    inside |= _nearest(legs[0][1], legs[1][1]) < 2 * SHIN
    # Thighs meet at the hips, so only their lower halves count.
    lower = [thigh[:, STEPS // 2 :] for thigh, _ in legs]
    inside |= _nearest(lower[0], lower[1]) < 2 * SHIN
    inside |= _nearest(lower[0], legs[1][1]) < 2 * SHIN
    return inside | (_nearest(lower[1], legs[0][1]) < 2 * SHIN)


def _arm(figure: Figure, side: str) -> Float[Tensor, "n P 3"]:
    """Return places along forearm and hand."""
    limb = ARMS[side]
    hand = SMPL_JOINTS.index(f"{side}_hand")
    forearm = _along(figure.joints[:, limb.middle], figure.joints[:, limb.end])
    return torch.cat([forearm, _along(figure.joints[:, limb.end], figure.joints[:, hand])], 1)


def _leg(figure: Figure, side: str) -> tuple[Float[Tensor, "n P 3"], Float[Tensor, "n P 3"]]:
    """Return places along the thigh and along the shin."""
    limb = LEGS[side]
    hip, knee, ankle = (figure.joints[:, j] for j in limb[:3])
    return _along(hip, knee), _along(knee, ankle)


def _along(start: Float[Tensor, "n 3"], end: Float[Tensor, "n 3"]) -> Float[Tensor, "n P 3"]:
    shares = torch.linspace(0, 1, STEPS)[:, None]
    return start[:, None] + shares * (end - start)[:, None]


def _nearest(a: Float[Tensor, "n P 3"], b: Float[Tensor, "n Q 3"]) -> Float[Tensor, " n"]:
    """Return the smallest distance of two sets of places."""
    return torch.cdist(a, b).amin((1, 2))
