"""What arms do in everyday life: hang, rest on hips or in pockets, cross, fold, point and talk."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.limbs import ARMS, MIRROR, SIDES, Figure, Vectors, stretch
from hmr_edu.data.poses.stance import choose, uniform
from hmr_edu.keypoints import SMPL_JOINTS

Range = tuple[float | int, float | int]
Direction = tuple[float | int, float | int, float | int]
Gesture = Callable[[Figure, str, torch.Generator], tuple[Vectors, Vectors]]


def near(
    figure: Figure,
    side: str,
    generator: torch.Generator,
    joint: str,
    places: tuple[Range, Range, Range],
    pole: Direction,
) -> tuple[Vectors, Vectors]:
    """Put a wrist near a joint of the trunk; return the place and the elbow's side.

    Args:
        figure: the people.
        side: of the arm.
        generator: of the draws.
        joint: to which the place is fixed.
        places: ranges of x (to the arm's own side), y and z from the joint at rest, metres.
        pole: direction of the elbow, in the same frame.
    """
    n = len(figure.joints)
    mirror = torch.tensor(MIRROR[side])
    offset = torch.stack([uniform(n, generator, low, high) for low, high in places], 1) * mirror
    elbow = (torch.tensor(pole) + 0.15 * torch.randn(n, 3, generator=generator)) * mirror
    return figure.place(joint, offset), figure.direct(joint, elbow)


def hang(
    figure: Figure,
    side: str,
    generator: torch.Generator,
    swing: Float[Tensor, " n"] | float | int = 0,
) -> tuple[Vectors, Vectors]:
    """Let an arm hang, `swing` degrees forwards; elbows bend a little."""
    n = len(figure.joints)
    forwards = (swing + 9 * torch.randn(n, generator=generator)).deg2rad()
    outwards = uniform(n, generator, 6, 22).deg2rad()
    bend = (8 + 14 * torch.randn(n, generator=generator).abs()).deg2rad()
    mirror = torch.tensor(MIRROR[side])
    down = torch.stack([outwards.tan(), -torch.ones(n), forwards.tan()], 1) * mirror
    down = torch.nn.functional.normalize(down, dim=1) * stretch(ARMS[side], bend)[:, None]
    pole = (torch.tensor([0.35, 0.0, -1.0]) + 0.2 * torch.randn(n, 3, generator=generator)) * mirror
    return figure.joints[:, ARMS[side].root] + down, pole


def _near(joint: str, x: Range, y: Range, z: Range, pole: Direction) -> Gesture:
    return lambda figure, side, generator: near(figure, side, generator, joint, (x, y, z), pole)


# Gestures of one arm, each with its share among arms that do something of their own.
ONE: dict[str, tuple[float, Gesture]] = {
    "hanging": (0.45, hang),
    "on the hip": (0.1, _near("pelvis", (0.19, 0.24), (0.0, 0.1), (0.0, 0.09), (1, 0, -0.4))),
    "in a pocket": (0.15, _near("pelvis", (0.2, 0.25), (-0.1, 0.0), (0.04, 0.12), (0.7, 0, -1))),
    "talking": (0.2, _near("spine3", (0.0, 0.32), (-0.2, 0.06), (0.26, 0.42), (0.8, -0.7, -0.4))),
    "at the face": (0.06, _near("head", (0.02, 0.12), (-0.2, -0.06), (0.16, 0.22), (0.4, -1, 0))),
    "at the ear": (0.04, _near("head", (0.14, 0.2), (-0.2, -0.1), (0.1, 0.18), (0.4, -1, 0))),
    "waving": (0.05, _near("spine3", (0.3, 0.45), (0.2, 0.4), (0.1, 0.3), (1, -1, -0.2))),
}
# Gestures of both arms: (share, gesture of one arm, gesture of the other).
BOTH: dict[str, tuple[float, Gesture, Gesture]] = {
    "crossed": (
        0.3,
        _near("spine3", (-0.08, -0.03), (-0.16, -0.1), (0.2, 0.24), (1, -0.6, 0.7)),
        _near("spine3", (-0.06, 0.0), (-0.09, -0.03), (0.28, 0.32), (1, -0.6, 0.7)),
    ),
    "clasped in front": (
        0.25,
        _near("pelvis", (0.06, 0.09), (-0.1, 0.12), (0.22, 0.26), (1, 0, -0.6)),
        _near("pelvis", (0.06, 0.09), (-0.1, 0.12), (0.22, 0.26), (1, 0, -0.6)),
    ),
    "behind the back": (
        0.1,
        _near("pelvis", (0.06, 0.1), (0.0, 0.1), (-0.14, -0.1), (1, 0, -0.6)),
        _near("pelvis", (0.06, 0.1), (-0.02, 0.08), (-0.19, -0.15), (1, 0, -0.6)),
    ),
    "holding something": (
        0.2,
        _near("spine3", (0.06, 0.18), (-0.2, -0.05), (0.3, 0.4), (0.7, -0.8, -0.4)),
        _near("spine3", (0.06, 0.18), (-0.2, -0.05), (0.3, 0.4), (0.7, -0.8, -0.4)),
    ),
    "hands on hips": (0.15, ONE["on the hip"][1], ONE["on the hip"][1]),
}


def gesture(
    figure: Figure,
    generator: torch.Generator,
    shares: tuple[float, float, float] = (0.2, 0.55, 0.25),
    swing: Float[Tensor, "n 2"] | None = None,
) -> None:
    """Give people's arms something to do.

    Args:
        figure: the people; their trunks must be in place.
        generator: of the draws.
        shares: of people who keep the prior's arms, whose arms do something each for itself, and
            whose arms do something together.
        swing: how far hanging arms swing forwards, left and right, in degrees.
    """
    n = len(figure.joints)
    drawn = figure.rotations.clone()
    what = choose(n, generator, list(shares))
    together = choose(n, generator, [share for share, _, _ in BOTH.values()])
    swapped = torch.rand(n, generator=generator) < 0.5
    for index, side in enumerate(SIDES):
        alone = choose(n, generator, [share for share, _ in ONE.values()])
        target, pole = torch.empty(n, 3), torch.empty(n, 3)
        for k, (name, (_, one)) in enumerate(ONE.items()):
            if name == "hanging" and swing is not None:
                place = hang(figure, side, generator, swing[:, index])
            else:
                place = one(figure, side, generator)
            _put(what.eq(1) & alone.eq(k), place, target, pole)
        for k, (_, first, second) in enumerate(BOTH.values()):
            rows = what.eq(2) & together.eq(k)
            is_first = swapped if side == "left" else ~swapped
            _put(rows & is_first, first(figure, side, generator), target, pole)
            _put(rows & ~is_first, second(figure, side, generator), target, pole)
        rows = what.eq(0)
        _put(rows, (figure.joints[:, ARMS[side].end], torch.ones(n, 3)), target, pole)
        figure.reach(ARMS[side], target, pole)
    kept = [SMPL_JOINTS.index(f"{s}_{j}") for s in SIDES for j in ("shoulder", "elbow")]
    rows = what.eq(0).nonzero()
    figure.rotations[rows, torch.tensor(kept)] = drawn[rows, torch.tensor(kept)]
    figure.update()


def _put(rows: Tensor, place: tuple[Vectors, Vectors], target: Vectors, pole: Vectors) -> None:
    """Copy places and poles of these rows."""
    target[rows], pole[rows] = place[0][rows], place[1][rows]
