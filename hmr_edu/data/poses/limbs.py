"""Put hands and feet in places: two-bone inverse kinematics on the average body.

Stances are rules about places in space: a hand on the hip, a sole on the ground. Here they become
rotations of shoulder and elbow, hip and knee. Elbows and knees are hinges, so the distance of the
hand fixes their bend; the pole, the side to which elbow or knee points, fixes the rest.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.body.smpl import forward_kinematics
from hmr_edu.keypoints import SMPL_JOINTS, SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle

Vectors = Float[Tensor, "n 3"]
Matrices = Float[Tensor, "n 3 3"]
SIDES = ("left", "right")
FRONT = torch.tensor([0.0, 0.0, 1.0], device="cpu")
UP = torch.tensor([0.0, 1.0, 0.0], device="cpu")
# The mirror image of a place on the left is this many times the place on the right.
MIRROR = {"left": (1.0, 1.0, 1.0), "right": (-1.0, 1.0, 1.0)}


class Limb(NamedTuple):
    """A chain of two bones: numbers of its joints, and the axis about which the middle one bends.

    Args:
        root: shoulder or hip.
        middle: elbow or knee.
        end: wrist or ankle.
        hinge: unit vector; positive angles bend.
    """

    root: int
    middle: int
    end: int
    hinge: tuple[float, float, float]


def _limb(side: str, names: tuple[str, str, str], hinge: tuple[float, float, float]) -> Limb:
    return Limb(*(SMPL_JOINTS.index(f"{side}_{name}") for name in names), hinge)


ARMS = {
    "left": _limb("left", ("shoulder", "elbow", "wrist"), (0.0, -1.0, 0.0)),
    "right": _limb("right", ("shoulder", "elbow", "wrist"), (0.0, 1.0, 0.0)),
}
LEGS = {side: _limb(side, ("hip", "knee", "ankle"), (1.0, 0.0, 0.0)) for side in SIDES}


@lru_cache(maxsize=1)
def rest_joints() -> Float[Tensor, "24 3"]:
    """Return the joints of the average body at rest, metres."""
    return load_body("lite").J_template.detach().float().cpu()


class Figure:
    """People whose joints are being turned; `joints` and `turned` follow from `rotations`.

    Who turns out wrong is marked in `wrong` [n] and drawn again.

    Args:
        pose: axis-angle poses [n, 72], Y up.
    """

    def __init__(self, pose: Float[Tensor, "n 72"]) -> None:
        self.rotations = axis_angle_to_matrix(pose.unflatten(1, (24, 3)))
        self.wrong = torch.zeros(len(pose), dtype=torch.bool)
        self.update()

    def update(self) -> None:
        """Compute `turned` [n, 24, 3, 3] and `joints` [n, 24, 3] of the present rotations."""
        rest = rest_joints().expand(len(self.rotations), -1, -1)
        self.turned, self.joints = forward_kinematics(self.rotations, rest)

    @property
    def pose(self) -> Float[Tensor, "n 72"]:
        """The poses, axis-angle."""
        return matrix_to_axis_angle(self.rotations).flatten(1)

    def calm(self, joints: list[int], factor: float) -> None:
        """Turn joints `factor` times as far as now."""
        rotations = matrix_to_axis_angle(self.rotations[:, joints])
        self.rotations[:, joints] = axis_angle_to_matrix(factor * rotations)
        self.update()

    def place(self, joint: str, offset: Vectors) -> Vectors:
        """Return places fixed to a joint; `offset` is from the joint, in the body at rest."""
        j = SMPL_JOINTS.index(joint)
        return self.joints[:, j] + (self.turned[:, j] @ offset[..., None])[..., 0]

    def direct(self, joint: str, direction: Vectors) -> Vectors:
        """Return directions fixed to a joint, in the world."""
        return (self.turned[:, SMPL_JOINTS.index(joint)] @ direction[..., None])[..., 0]

    def reach(self, limb: Limb, target: Vectors, pole: Vectors) -> None:
        """Put the end of a limb at `target`, its middle towards `pole`; both in the world.

        A target out of reach is approached as far as the limb is long.
        """
        parent = self.turned[:, SMPL_PARENTS[limb.root]]
        away = ((target - self.joints[:, limb.root])[:, None] @ parent)[:, 0]
        upper, lower = _reach(limb, away, (pole[:, None] @ parent)[:, 0])
        self.rotations[:, limb.root], self.rotations[:, limb.middle] = upper, lower
        self.update()

    def turn(self, joint: int, wanted: Matrices) -> None:
        """Give a joint this rotation in the world."""
        parent = self.turned[:, SMPL_PARENTS[joint]] if SMPL_PARENTS[joint] >= 0 else torch.eye(3)
        self.rotations[:, joint] = parent.transpose(-1, -2) @ wanted
        self.update()


def bones(limb: Limb) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Return the upper bone, the lower bone and the hinge of a limb at rest."""
    rest = rest_joints()
    upper, lower = rest[limb.middle] - rest[limb.root], rest[limb.end] - rest[limb.middle]
    return upper, lower, torch.tensor(limb.hinge)


def stretch(limb: Limb, bend: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the distance from the root of a limb to its end; `bend` turns the hinge, radians."""
    upper, lower, hinge = bones(limb)
    return (upper + (_about(hinge, bend) @ lower)).norm(dim=1)


def bend_of(limb: Limb, distance: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the angle of the hinge, radians, at which the end is so far from the root.

    |u + R(t) l|^2 = |u|^2 + |l|^2 + 2 u_h l_h + 2 r cos(t - d): u and l are the bones, u_h and l_h
    their parts along the hinge, and d is the angle at which the limb is straight.
    """
    u, l, h = bones(limb)  # noqa: E741
    across, along = u @ l - (u @ h) * (l @ h), u @ torch.linalg.cross(h, l)
    r, d = torch.hypot(across, along), torch.atan2(along, across)
    constant = u @ u + l @ l + 2 * (u @ h) * (l @ h)
    cosine = (distance.square() - constant) / (2 * r)
    return d + cosine.clamp(-1, 1).acos()


def about(axis: str, degrees: Float[Tensor, " n"]) -> Matrices:
    """Return rotations about "x", "y" or "z"."""
    return _about(torch.eye(3)["xyz".index(axis)], degrees.deg2rad())


def _about(axis: Float[Tensor, "3"], angle: Float[Tensor, " n"]) -> Matrices:
    return axis_angle_to_matrix(axis * angle[:, None])


def _reach(limb: Limb, away: Vectors, pole: Vectors) -> tuple[Matrices, Matrices]:
    """Return the rotations of root and middle that put the end at `away` from the root.

    All in the frame of the root's parent.
    """
    upper, lower, hinge = bones(limb)
    bend = _about(hinge, bend_of(limb, away.norm(dim=1)))
    now = upper + bend @ lower
    # A positive bend leaves the middle joint on the side `along x hinge` of the line to the end.
    before = _frame(now, torch.linalg.cross(now, hinge.expand_as(now)))
    return _frame(away, pole) @ before.transpose(1, 2), bend


def _frame(along: Vectors, towards: Vectors) -> Matrices:
    """Return right-handed frames: the first column along, the second as far as it can towards."""
    first = torch.nn.functional.normalize(along, dim=1)
    second = towards - (towards * first).sum(1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], 2)
