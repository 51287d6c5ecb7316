"""Exercise of lesson 02, `relative_rotations`: rotations relative to the parents."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare
from hmr_edu.course.exercises._common import DOUBLE, random_rotations
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
TREE = (-1, 0, 0, 1, 2, 3, 3)


def check_relative_rotations(function: Asked) -> Report:
    """Check `relative_rotations(G [B, K, 3, 3], parents) -> [B, K, 3, 3]`: the chain undone."""
    check = Check("relative_rotations", function)
    R = random_rotations(104, 14, 2.0).view(2, 7, 3, 3)
    G = [R[:, 0]]
    for joint in range(1, 7):
        G.append(G[TREE[joint]] @ R[:, joint])
    whole = torch.stack(G, 1)
    above = whole[:, [max(p, 0) for p in TREE]]
    slips = {
        "the parent's inverse comes from the left: R = G_parent^T G": torch.cat(
            [R[:, :1], (whole @ above.mT)[:, 1:]], 1
        ),
        "the inverse of a rotation is its transpose": torch.cat(
            [R[:, :1], (above @ whole)[:, 1:]], 1
        ),
        "the root has no parent: it stays as it is": torch.cat(
            [torch.eye(3, dtype=DOUBLE).expand(2, 1, 3, 3), R[:, 1:]], 1
        ),
        "that leads from the joint to its parent": torch.cat([R[:, :1], R[:, 1:].mT], 1),
        "parents turn about their parents: undo them with G, not with R": torch.cat(
            [R[:, :1], (R[:, [max(p, 0) for p in TREE]].mT @ whole)[:, 1:]], 1
        ),
    }
    last = "the root has no parent: parents[0] = -1 is the last joint"
    root = {last: whole[:, -1].mT @ whole[:, 0]}
    with check.part("the root stays"):
        compare(check.call(whole, TREE, shape=whole.shape)[:, 0], R[:, 0], 1e-9, root)
    with check.part("every joint relative to its parent"):
        compare(check.call(whole, TREE), R, 1e-9, slips)
    with check.part("a chain"):
        chain = (-1, 0, 1, 2, 3, 4, 5)
        got = check.call(whole, chain, shape=whole.shape)
        compare(got[:, 1:], whole[:, :-1].mT @ whole[:, 1:], 1e-9)
        together = check.call(whole, TREE, shape=whole.shape)
        compare(check.call(whole[:1], TREE), together[:1], 1e-9)
    return check.report()


# Wrong answers that people give.


def _above(G, parents):
    return G[:, [max(p, 0) for p in parents]]


def _with_root(G, rest):
    return torch.cat([G[:, :1], rest[:, 1:]], 1)


def _right(G, p):
    return _with_root(G, _above(G, p).mT @ G)


MISTAKES = [
    Mistake(lambda G, p: _with_root(G, G @ _above(G, p).mT), "from the left", 1 / 3),
    Mistake(lambda G, p: _with_root(G, _above(G, p) @ G), "its transpose", 1 / 3),
    Mistake(lambda G, p: _with_root(G, G.mT @ _above(G, p)), "to its parent", 1 / 3),
    Mistake(lambda G, p: _above(G, p).mT @ G, "", 1 / 3),
    Mistake(lambda G, p: G[:, list(p)].mT @ G, "is the last joint", 1 / 3),
    Mistake(lambda G, p: _right(G, p).squeeze(0), "keep every leading", 2 / 3),
    Mistake(lambda G, p: _right(G, TREE), "", 2 / 3, name="one tree for all"),
    Mistake(lambda G, p: _right(G.float(), p).double(), "", 0.0),
]
