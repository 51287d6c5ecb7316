"""What arms do in everyday life: hang, rest on hips or in pockets, cross, fold, point and talk."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.limbs import ARMS, MIRROR, SIDES, Figure, Vectors, about, stretch
from hmr_edu.data.poses.stance import choose, uniform
from hmr_edu.keypoints import SMPL_JOINTS

HANDS = {side: SMPL_JOINTS.index(f"{side}_wrist") for side in SIDES}
LEG_JOINTS = [SMPL_JOINTS.index(f"{s}_{j}") for s in SIDES for j in ("knee", "ankle", "foot")]
PALM = 0.04  # metres from the joints of knees and feet down to the ground and up to a wrist
Range = tuple[float | int, float | int]
Direction = tuple[float | int, float | int, float | int]
# From people, a side and random numbers to the wrist's place and the elbow's side, in the world.
Gesture = Callable[[Figure, str, torch.Generator], tuple[Vectors, Vectors]]
One = dict[str, tuple[float, Gesture]]
Both = dict[str, tuple[float, Gesture, Gesture]]


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


def at(joint: str, x: Range, y: Range, z: Range, pole: Direction) -> Gesture:
    """Return the gesture that puts a wrist near a joint; see `near`."""
    return lambda figure, side, generator: near(figure, side, generator, joint, (x, y, z), pole)


def overhead(figure: Figure, side: str, generator: torch.Generator) -> tuple[Vectors, Vectors]:
    """Raise an arm over the head, nearly straight; up is along the chest."""
    n = len(figure.joints)
    mirror = torch.tensor(MIRROR[side])
    aside, ahead = uniform(n, generator, 0.05, 0.45), uniform(n, generator, -0.1, 0.4)
    bend = (5 + 15 * torch.randn(n, generator=generator).abs()).deg2rad()
    up = torch.stack([aside, torch.ones(n), ahead], 1) * mirror
    up = torch.nn.functional.normalize(up, dim=1) * stretch(ARMS[side], bend)[:, None]
    pole = (torch.tensor([1.0, 0.0, 0.8]) + 0.2 * torch.randn(n, 3, generator=generator)) * mirror
    shoulder = figure.joints[:, ARMS[side].root]
    return shoulder + figure.direct("spine3", up), figure.direct("spine3", pole)


def propped(figure: Figure, side: str, generator: torch.Generator) -> tuple[Vectors, Vectors]:
    """Prop a hand on the ground, which is where the lowest joint of the legs rests.

    Without legs on the ground, or with a chest too far from it, hands end as near as they can.
    """
    n, shoulder = len(figure.joints), figure.joints[:, ARMS[side].root]
    aside, ahead = uniform(n, generator, -0.05, 0.25), 0.15 * torch.randn(n, generator=generator)
    own_side = figure.direct("spine3", torch.tensor([MIRROR[side][0], 0.0, 0.0]).expand(n, 3))
    up = figure.direct("spine3", torch.tensor([0.0, 1.0, 0.0]).expand(n, 3))
    down = torch.tensor([0.0, -1.0, 0.0]) + aside[:, None] * own_side + ahead[:, None] * up
    depth = shoulder[:, 1] - figure.joints[:, LEG_JOINTS, 1].amin(1) - PALM
    away = depth.clamp_min(0.1)[:, None] * down / -down[:, 1:2].clamp_max(-0.5)
    # Elbows point outwards and to the feet.
    return shoulder + away, 0.7 * own_side - up


def flat_hands(figure: Figure, forwards: Vectors, generator: torch.Generator) -> None:
    """Lay the hands on the ground: palms down, fingers `forwards`, more or less outwards."""
    n = len(figure.joints)
    for side in SIDES:
        mirror = MIRROR[side][0]
        ahead = torch.nn.functional.normalize(forwards * torch.tensor([1.0, 0.0, 1.0]), dim=1)
        ahead = (about("y", mirror * uniform(n, generator, -10, 45)) @ ahead[..., None])[..., 0]
        up = torch.tensor([0.0, 1.0, 0.0]).expand(n, 3)
        # At rest the left hand points to +x, the right hand to -x, both palms down.
        frame = torch.stack([mirror * ahead, up, torch.linalg.cross(mirror * ahead, up)], 2)
        figure.turn(HANDS[side], frame)


# Gestures of one arm, each with its share among arms that do something of their own.
ONE: One = {
    "hanging": (0.5, hang),
    "on the hip": (0.1, at("pelvis", (0.21, 0.26), (0.0, 0.1), (0.0, 0.09), (1, 0, -0.4))),
    "in a pocket": (0.12, at("pelvis", (0.2, 0.25), (-0.1, 0.0), (0.04, 0.12), (0.7, 0, -1))),
    "talking": (0.17, at("spine3", (0.0, 0.32), (-0.2, 0.06), (0.26, 0.42), (0.8, -0.7, -0.4))),
    "at the face": (0.06, at("head", (0.02, 0.12), (-0.2, -0.06), (0.16, 0.22), (0.4, -1, 0))),
    "at the ear": (0.04, at("head", (0.14, 0.2), (-0.2, -0.1), (0.1, 0.18), (0.4, -1, 0))),
    "waving": (0.05, at("spine3", (0.3, 0.45), (0.2, 0.4), (0.1, 0.3), (1, -1, -0.2))),
}
# Gestures of both arms: (share, gesture of one arm, gesture of the other).
BOTH: Both = {
    "crossed": (
        0.3,
        at("spine3", (-0.08, -0.03), (-0.16, -0.1), (0.2, 0.24), (1, -0.6, 0.7)),
        at("spine3", (-0.06, 0.0), (-0.09, -0.03), (0.28, 0.32), (1, -0.6, 0.7)),
    ),
    "clasped in front": (
        0.25,
        at("pelvis", (0.06, 0.09), (-0.1, 0.12), (0.22, 0.26), (1, 0, -0.6)),
        at("pelvis", (0.06, 0.09), (-0.1, 0.12), (0.22, 0.26), (1, 0, -0.6)),
    ),
    "behind the back": (
        0.1,
        at("pelvis", (0.06, 0.1), (0.0, 0.1), (-0.14, -0.1), (1, 0, -0.6)),
        at("pelvis", (0.06, 0.1), (-0.02, 0.08), (-0.19, -0.15), (1, 0, -0.6)),
    ),
    "holding something": (
        0.2,
        at("spine3", (0.06, 0.18), (-0.2, -0.05), (0.3, 0.4), (0.7, -0.8, -0.4)),
        at("spine3", (0.06, 0.18), (-0.2, -0.05), (0.3, 0.4), (0.7, -0.8, -0.4)),
    ),
    "hands on hips": (0.15, ONE["on the hip"][1], ONE["on the hip"][1]),
}


def gesture(
    figure: Figure,
    generator: torch.Generator,
    shares: tuple[float, float, float] = (0.2, 0.6, 0.2),
    swing: Float[Tensor, "n 2"] | None = None,
    one: One = ONE,
    both: Both = BOTH,
) -> None:
    """Give people's arms something to do.

    Args:
        figure: the people; their trunks must be in place.
        generator: of the draws.
        shares: of people who keep the prior's arms, whose arms do something each for itself, and
            whose arms do something together.
        swing: how far hanging arms swing forwards, left and right, in degrees.
        one: gestures of one arm with their shares.
        both: gestures of both arms with their shares.
    """
    n = len(figure.joints)
    drawn = figure.rotations.clone()
    what = choose(n, generator, list(shares))
    together = choose(n, generator, [share for share, _, _ in both.values()])
    swapped = torch.rand(n, generator=generator) < 0.5
    for index, side in enumerate(SIDES):
        alone = choose(n, generator, [share for share, _ in one.values()])
        target, pole = torch.empty(n, 3), torch.empty(n, 3)
        for k, (name, (_, draw)) in enumerate(one.items()):
            if name == "hanging" and swing is not None:
                place = hang(figure, side, generator, swing[:, index])
            else:
                place = draw(figure, side, generator)
            _put(what.eq(1) & alone.eq(k), place, target, pole)
        for k, (_, first, second) in enumerate(both.values()):
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
