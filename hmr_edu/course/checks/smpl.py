"""Checks of lesson 2: blend shapes, the pose feature, the kinematic tree, skinning, the root.

Truth is made here by plain loops over vertices and 4 x 4 matrices in float64, not by the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Check, Report, compare, inputs, require

TOLERANCE = 1e-5
# A small tree that forks, and a chain: neither is SMPL's.
FORK = (-1, 0, 0, 1, 2, 2, 4)
CHAIN = (-1, 0, 1, 2, 3, 4, 5)


def check_shape_blend(shape_blend: Callable[..., Any]) -> Report:
    """Check `shape_blend(template [V, 3], shapedirs [V, 3, 10], betas [B, 10]) -> [B, V, 3]`."""
    check = Check("shape_blend", shape_blend)
    g = inputs(2)
    template = torch.randn(7, 3, generator=g)
    shapedirs = torch.randn(7, 3, 10, generator=g)
    betas = torch.randn(4, 10, generator=g)

    with check.part("betas of zero give the template"):
        compare(check.call(template, shapedirs, torch.zeros(1, 10)), template[None], TOLERANCE)
    with check.part("one beta adds its own blend shape"):
        one = torch.eye(10)[3:4]
        compare(check.call(template, shapedirs, one), (template + shapedirs[..., 3])[None], 1e-5)
    with check.part("any betas, a batch of people"):
        truth = template + sum(
            betas[:, n, None, None] * shapedirs[None, :, :, n] for n in range(10)
        )
        scrambled = template + (betas @ shapedirs.reshape(10, 21)).view(4, 7, 3)
        mistakes = {
            "the blend shapes are offsets: add them to the template": truth - template,
            "subtracted: the shape is template PLUS S beta": 2 * template - truth,
            "the LAST axis of shapedirs goes with the betas; a reshape to [10, ...] scrambles "
            "it, einsum or a matrix product does not": scrambled,
        }
        compare(check.call(template, shapedirs, betas), truth, TOLERANCE, mistakes)
    with check.part("each person has a shape of their own"):
        together = check.call(template, shapedirs, betas)
        alone = check.call(template, shapedirs, betas[2:3])
        compare(alone, together[2:3], TOLERANCE)
    return check.report()


def check_pose_feature(pose_feature: Callable[..., Any]) -> Report:
    """Check `pose_feature(rotations [B, 24, 3, 3]) -> [B, 207]`."""
    check = Check("pose_feature", pose_feature)
    rotations = _rotations(3, 24, seed=4)

    def call(R: Tensor) -> Any:
        got = check.call(R)
        require(
            not isinstance(got, Tensor) or got.shape != (len(R), 216),
            "216 numbers a body, wanted 207",
            "the root is left out: turning the whole body bends no joint",
        )
        require(
            not isinstance(got, Tensor) or got.shape != (len(R), 23, 3, 3),
            "23 matrices a body, wanted 207 numbers",
            "flatten all but the batch dimension",
        )
        return got

    with check.part("a body at rest has a feature of zeros"):
        rest = torch.eye(3).expand(2, 24, 3, 3).clone()
        mistakes = {
            "subtract the identity: at rest nothing is to be corrected": rest[:, 1:].flatten(1)
        }
        compare(call(rest), torch.zeros(2, 207), TOLERANCE, mistakes)
    with check.part("any pose: R - I of the 23 joints, row after row"):
        eye = torch.eye(3)
        truth = torch.stack(
            [
                R[joint, row, column] - float(row == column)
                for R in rotations
                for joint in range(1, 24)
                for row in range(3)
                for column in range(3)
            ]
        ).view(3, 207)
        mistakes = {
            "subtract the identity: at rest nothing is to be corrected": rotations[:, 1:].flatten(
                1
            ),
            "row after row: yours runs down the columns (R is transposed)": (
                rotations[:, 1:].mT - eye
            ).flatten(1),
            "leave out the FIRST joint, the root, not the last": (rotations[:, :-1] - eye).flatten(
                1
            ),
            "the sign is turned round: R - I, not I - R": -truth,
        }
        compare(call(rotations), truth, TOLERANCE, mistakes)
    with check.part("turning the whole body changes nothing"):
        turned = rotations.clone()
        turned[:, 0] = turned[:, 0] @ _rotations(3, 1, seed=5)[:, 0]
        compare(call(turned), call(rotations), TOLERANCE)
    return check.report()


def check_global_transforms(global_transforms: Callable[..., Any]) -> Report:
    """Check `global_transforms(rotations [B,K,3,3], joints [B,K,3], parents) -> [B,K,3,4]`."""
    check = Check("global_transforms", global_transforms)
    g = inputs(6)
    rotations, joints = _rotations(2, 7, seed=7), torch.randn(2, 7, 3, generator=g)
    still = torch.eye(3).expand(2, 7, 3, 3).clone()

    with check.part("at rest every joint is where it was"):
        summed = joints.clone()
        for joint, parent in enumerate(FORK):
            if parent >= 0:
                summed[:, joint] = summed[:, parent] + joints[:, joint]
        mistakes = {
            "a bone is the way from the parent, J_k - J_parent: absolute positions must not be "
            "added up": _rows(still, summed),
            "the root stands at J_0, not at the origin": _rows(still, joints - joints[:, :1]),
        }
        compare(check.call(still, joints, FORK), _rows(still, joints), TOLERANCE, mistakes)
    with check.part("a turned joint moves only what hangs on it"):
        bent = still.clone()
        bent[:, 2] = rotations[:, 2]
        got = check.call(bent, joints, FORK)
        compare(got, _chain(bent, joints, FORK), TOLERANCE, _tree_mistakes(bent, joints, FORK))
    with check.part("any pose: the product of the matrices from the root down"):
        truth = _chain(rotations, joints, FORK)
        mistakes = _tree_mistakes(rotations, joints, FORK)
        compare(check.call(rotations, joints, FORK), truth, TOLERANCE, mistakes)
    with check.part("another tree: a chain"):
        compare(
            check.call(rotations, joints, CHAIN),
            _chain(rotations, joints, CHAIN),
            TOLERANCE,
            {"read the tree from `parents`": _chain(rotations, joints, FORK)}
            | _tree_mistakes(rotations, joints, CHAIN),
        )
    with check.part("bones keep their length"):
        t = check.call(rotations, joints, FORK)[..., 3]
        parents = list(FORK[1:])
        compare(
            (t[:, 1:] - t[:, parents]).norm(dim=-1),
            (joints[:, 1:] - joints[:, parents]).norm(dim=-1),
            TOLERANCE,
        )
    return check.report()


def check_skinning(skinning: Callable[..., Any]) -> Report:
    """Check `skinning(vertices [B,V,3], joints [B,K,3], G [B,K,3,4], weights [V,K]) -> [B,V,3]`."""
    check = Check("skinning", skinning)
    g = inputs(8)
    vertices, joints = torch.randn(2, 9, 3, generator=g), torch.randn(2, 7, 3, generator=g)
    weights = torch.rand(9, 7, generator=g) ** 4
    weights = weights / weights.sum(1, keepdim=True)
    still = _rows(torch.eye(3).expand(2, 7, 3, 3), joints)
    posed = _chain(_rotations(2, 7, seed=9), joints, FORK)

    with check.part("at rest nothing moves"):
        mistakes = {
            "take the rest pose out: G' = G G_rest^-1, its translation is t - R J": vertices
            + weights @ joints
        }
        compare(check.call(vertices, joints, still, weights), vertices, TOLERANCE, mistakes)
    with check.part("a vertex of one joint moves rigidly with it"):
        rigid = torch.eye(7)[torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 1])]
        got = check.call(vertices, joints, posed, rigid)
        truth = _skin(vertices, joints, posed, rigid)
        compare(got, truth, TOLERANCE, _skin_mistakes(vertices, joints, posed, rigid))
    with check.part("weights blend the motions of several joints"):
        truth = _skin(vertices, joints, posed, weights)
        mistakes = _skin_mistakes(vertices, joints, posed, weights)
        compare(check.call(vertices, joints, posed, weights), truth, TOLERANCE, mistakes)
    with check.part("moving the whole skeleton moves the whole skin"):
        R, t = _rotations(1, 1, seed=10)[0, 0], torch.tensor([0.3, -1.0, 2.0])
        moved = torch.cat([R @ posed[..., :3], (posed[..., 3] @ R.T + t)[..., None]], -1)
        before = check.call(vertices, joints, posed, weights)
        compare(check.call(vertices, joints, moved, weights), before @ R.T + t, TOLERANCE)
    return check.report()


def check_turn_the_world(turn_the_world: Callable[..., Any]) -> Report:
    """Check `turn_the_world(R [3, 3], translation [B, 3], pelvis [B, 3]) -> translation [B, 3]`."""
    check = Check("turn_the_world", turn_the_world)
    g = inputs(11)
    R = _rotations(1, 1, seed=12)[0, 0]
    translation, pelvis = torch.randn(3, 3, generator=g), torch.randn(3, 3, generator=g)
    root = _rotations(3, 1, seed=13)[:, 0]
    skin = torch.randn(3, 5, 3, generator=g)

    with check.part("no turn, no change"):
        compare(check.call(torch.eye(3), translation, pelvis), translation, TOLERANCE)
    with check.part("a pelvis at the origin: just R t"):
        mistakes = {"R is applied from the wrong side: R t is `t @ R.T` for rows": translation @ R}
        compare(check.call(R, translation, pelvis * 0), translation @ R.T, TOLERANCE, mistakes)
    with check.part("a half turn about x through a pelvis 0.2 m below the origin"):
        low = torch.tensor([[0.0, -0.2, 0.0]])
        half = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        compare(check.call(half, low * 0, low), torch.tensor([[0.0, 0.4, 0.0]]), TOLERANCE)
    with check.part("any turn: the whole body lands where it should"):
        wanted = translation @ R.T + pelvis @ R.T - pelvis
        mistakes = {
            "the pelvis is missing: the root turns the body about J_0, not about the origin": (
                translation @ R.T
            ),
            "take the pelvis off again at the end: v = ... + J_0 + t": (translation + pelvis) @ R.T,
            "signs: the pelvis is added before the turn and taken off after it": (
                (translation - pelvis) @ R.T + pelvis
            ),
            "R is applied from the wrong side: R t is `t @ R.T` for rows": (
                (translation + pelvis) @ R - pelvis
            ),
        }
        compare(check.call(R, translation, pelvis), wanted, TOLERANCE, mistakes)
        # The same, said with bodies: turned as a whole, or by new parameters.
        here = torch.einsum("bij,bvj->bvi", root, skin - pelvis[:, None])
        turned = (here + (pelvis + translation)[:, None]) @ R.T
        new = check.call(R, translation, pelvis)
        compare(here @ R.T + (pelvis + new)[:, None], turned, TOLERANCE)
    return check.report()


def _rotations(batch: int, joints: int, seed: int) -> Tensor:
    """Any rotations, by the exponential of skew matrices: independent of our Rodrigues."""
    g = inputs(seed)
    A = torch.randn(batch, joints, 3, 3, generator=g, dtype=torch.float64)
    return torch.linalg.matrix_exp(A - A.mT).float()


def _rows(R: Tensor, t: Tensor) -> Tensor:
    return torch.cat([R, t[..., None]], dim=-1)


def _chain(rotations: Tensor, joints: Tensor, parents: Sequence[int]) -> Tensor:
    """Eq. 4 to the letter: for every joint the product over its ancestors, in 4 x 4 matrices."""
    out = torch.zeros(*joints.shape[:2], 3, 4, dtype=torch.float64)
    for body in range(len(joints)):
        for joint in range(len(parents)):
            G, at = torch.eye(4, dtype=torch.float64), joint
            while at >= 0:
                local = torch.eye(4, dtype=torch.float64)
                local[:3, :3] = rotations[body, at]
                up = parents[at]
                local[:3, 3] = joints[body, at] - (joints[body, up] if up >= 0 else 0)
                G, at = local @ G, up
            out[body, joint] = G[:3]
    return out.float()


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
        return _rows(torch.stack(R, 1), torch.stack(t, 1))

    return {
        "a bone is turned by its PARENT's rotation, not by the joint's own": walk("down", "own"),
        "the parent comes first: R_parent @ R_joint, not the other way round": walk("up", "parent"),
        "R is transposed where it turns the bone": walk("down", "transposed"),
        "rotations are relative to the parent: multiply them down the tree": walk(
            "down", "parent", compose=False
        ),
    }


def _skin(vertices: Tensor, joints: Tensor, G: Tensor, weights: Tensor) -> Tensor:
    """Eq. 2 and 3 to the letter: a 4 x 4 matrix for every vertex, one by one."""
    bottom = torch.tensor([[0.0, 0, 0, 1]], dtype=torch.float64)
    out = torch.zeros_like(vertices)
    for body in range(len(vertices)):
        for i in range(vertices.shape[1]):
            M = torch.zeros(4, 4, dtype=torch.float64)
            for k in range(weights.shape[1]):
                rest = torch.eye(4, dtype=torch.float64)
                rest[:3, 3] = joints[body, k]
                M += weights[i, k] * torch.cat([G[body, k].double(), bottom]) @ rest.inverse()
            point = torch.cat([vertices[body, i].double(), bottom[0, 3:]])
            out[body, i] = (M @ point)[:3]
    return out


def _skin_mistakes(
    vertices: Tensor, joints: Tensor, G: Tensor, weights: Tensor
) -> dict[str, Tensor]:
    R, t = G[..., :3], G[..., 3]
    hard = torch.eye(weights.shape[1])[weights.argmax(1)]
    flipped = (R.mT @ joints[..., None])[..., 0]
    return {
        "take the rest pose out: G' = G G_rest^-1, its translation is t - R J": _skin(
            vertices, torch.zeros_like(joints), G, weights
        ),
        "t - J is not enough: the rest joint is turned too, t - R J": _skin(
            vertices, torch.zeros_like(joints), _rows(R, t - joints), weights
        ),
        "every joint of a vertex counts, not only the strongest": _skin(vertices, joints, G, hard),
        "R is transposed: R v is a sum over R's columns": _skin(
            vertices, torch.zeros_like(joints), _rows(R.mT, t - flipped), weights
        ),
    }
