"""Exercise of lesson 02, `global_transforms`: the kinematic tree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import slopes_of
from hmr_edu.course.exercises.lesson_02._common import FORK, TOLERANCE, any_rotations, chain, rows
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6
CHAIN = (-1, 0, 1, 2, 3, 4, 5)


def check_global_transforms(global_transforms: Asked) -> Report:
    """Check `global_transforms(rotations [B,K,3,3], joints [B,K,3], parents) -> [B,K,3,4]`."""
    check = Check("global_transforms", global_transforms)
    g = inputs(6)
    rotations, joints = any_rotations(2, 7, seed=7), torch.randn(2, 7, 3, generator=g)
    still = torch.eye(3).expand(2, 7, 3, 3).clone()

    with check.part("at rest every joint is where it was"):
        summed = joints.clone()
        for joint, parent in enumerate(FORK):
            if parent >= 0:
                summed[:, joint] = summed[:, parent] + joints[:, joint]
        mistakes = {
            "a bone is the way from the parent, J_k - J_parent: absolute positions must not be "
            "added up": rows(still, summed),
            "the root stands at J_0, not at the origin": rows(still, joints - joints[:, :1]),
        }
        compare(check.call(still, joints, FORK), rows(still, joints), TOLERANCE, mistakes)
    with check.part("a turned joint moves only what hangs on it"):
        bent = still.clone()
        bent[:, 2] = rotations[:, 2]
        got = check.call(bent, joints, FORK)
        compare(got, chain(bent, joints, FORK), TOLERANCE, _tree_mistakes(bent, joints, FORK))
    with check.part("any pose: the product of the matrices from the root down"):
        truth = chain(rotations, joints, FORK)
        mistakes = _tree_mistakes(rotations, joints, FORK)
        compare(check.call(rotations, joints, FORK), truth, TOLERANCE, mistakes)
    with check.part("another tree: a chain"):
        compare(
            check.call(rotations, joints, CHAIN),
            chain(rotations, joints, CHAIN),
            TOLERANCE,
            {"read the tree from `parents`": chain(rotations, joints, FORK)}
            | _tree_mistakes(rotations, joints, CHAIN),
        )
        # A skeleton of one joint.
        root = rows(rotations[:1, :1], joints[:1, :1])
        compare(check.call(rotations[:1, :1], joints[:1, :1], (-1,)), root, TOLERANCE)
    with check.part("bones keep their length"):
        both = check.call(rotations, joints, FORK, shape=(2, 7, 3, 4)).detach()
        t = both[..., 3]
        parents = list(FORK[1:])
        compare(
            (t[:, 1:] - t[:, parents]).norm(dim=-1),
            (joints[:, 1:] - joints[:, parents]).norm(dim=-1),
            TOLERANCE,
        )
        # One person; and the way back to the pose.
        compare(check.call(rotations[:1], joints[:1], FORK), both[:1], TOLERANCE)
        slopes_of(check, [rotations, joints, FORK], [0, 1], both, TOLERANCE)
    return check.report()


def _tree_mistakes(rotations: Tensor, joints: Tensor, parents: Sequence[int]) -> dict[str, Tensor]:
    def walk(order: str, turn: str, compose: bool = True) -> Tensor:
        R, t = [rotations[:, 0]], [joints[:, 0]]
        for joint, parent in enumerate(parents):
            if parent < 0:
                continue
            local, bone = rotations[:, joint], joints[:, joint] - joints[:, parent]
            above = R[parent] if compose else rotations[:, parent]
            here = above @ local if order == "down" else local @ above
            R.append(here if compose else local)
            by = {"parent": above, "own": here, "transposed": above.mT}[turn]
            t.append(t[parent] + (by @ bone[..., None])[..., 0])
        return rows(torch.stack(R, 1), torch.stack(t, 1))

    return {
        "a bone is turned by its PARENT's rotation, not by the joint's own": walk("down", "own"),
        "the parent comes first: R_parent @ R_joint, not the other way round": walk("up", "parent"),
        "R is transposed where it turns the bone": walk("down", "transposed"),
        "rotations are relative to the parent: multiply them down the tree": walk(
            "down", "parent", compose=False
        ),
    }


# Wrong answers that people give.


def _as_chain(compose, own=False, absolute=False):
    def transforms(rotations, joints, parents):
        R, t = [rotations[:, 0]], [joints[:, 0]]
        for k in range(1, len(parents)):
            p = parents[k]
            bone = joints[:, k] if absolute else joints[:, k] - joints[:, p]
            R.append(compose(R[p], rotations[:, k]))
            t.append(t[p] + ((R[k] if own else R[p]) @ bone[..., None])[..., 0])
        return torch.cat([torch.stack(R, 1), torch.stack(t, 1)[..., None]], -1)

    return transforms


_right = _as_chain(lambda p, k: p @ k)

MISTAKES = [
    Mistake(_as_chain(lambda p, k: k @ p), "parent comes first", 3 / 5),
    Mistake(_as_chain(lambda p, k: p @ k, own=True), "PARENT's rotation", 2 / 5),
    Mistake(_as_chain(lambda p, k: p @ k, absolute=True), "J_k - J_parent", 0.0),
    Mistake(_as_chain(lambda p, k: k), "down the tree", 2 / 5),
    Mistake(
        lambda R, J, parents: _as_chain(lambda p, k: p @ k)(R, J, (-1, 0, 0, 1, 2, 2, 4)),
        "read the tree from",
        4 / 5,
    ),
    Mistake(lambda *a: _right(*a).squeeze(0), "keep every leading", 3 / 5),
    Mistake(lambda R, J, p: _right(R.detach(), J, p), "a way back is cut", 4 / 5),
    Mistake(lambda R, J, p: _right(R[:1].expand_as(R), J, p), "", 2 / 5, name="one pose for all"),
]
