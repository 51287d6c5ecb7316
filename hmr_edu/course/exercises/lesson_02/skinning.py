"""Exercise of lesson 02, `skinning`: linear blend skinning."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import DOUBLE, slopes_of, tensor
from hmr_edu.course.exercises.lesson_02._common import FORK, TOLERANCE, any_rotations, chain, rows
from hmr_edu.course.exercises.registry import Mistake

POINTS = 6


def check_skinning(skinning: Asked) -> Report:
    """Check `skinning(vertices [B,V,3], joints [B,K,3], G [B,K,3,4], weights [V,K]) -> [B,V,3]`."""
    check = Check("skinning", skinning)
    g = inputs(8)
    vertices, joints = torch.randn(2, 9, 3, generator=g), torch.randn(2, 7, 3, generator=g)
    weights = torch.rand(9, 7, generator=g) ** 4
    weights = weights / weights.sum(1, keepdim=True)
    still = rows(torch.eye(3).expand(2, 7, 3, 3), joints)
    posed = chain(any_rotations(2, 7, seed=9), joints, FORK)

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
        R, t = any_rotations(1, 1, seed=10)[0, 0], torch.tensor([0.3, -1.0, 2.0])
        moved = torch.cat([R @ posed[..., :3], (posed[..., 3] @ R.T + t)[..., None]], -1)
        before = check.call(vertices, joints, posed, weights, shape=(2, 9, 3)).detach()
        compare(check.call(vertices, joints, moved, weights), before @ R.T + t, TOLERANCE)
        alone = [x[:1] for x in (vertices, joints, posed)]
        compare(check.call(*alone, weights), before[:1], TOLERANCE)
        slopes_of(check, [vertices, joints, posed, weights], [0, 2], before, TOLERANCE)
    return check.report()


def _skin(vertices: Tensor, joints: Tensor, G: Tensor, weights: Tensor) -> Tensor:
    """Follow eq. 2 and 3 to the letter: a 4 x 4 matrix for every vertex, one by one."""
    bottom = tensor([[0.0, 0, 0, 1]])
    out = torch.zeros_like(vertices)
    for body in range(len(vertices)):
        for i in range(vertices.shape[1]):
            M = torch.zeros(4, 4, dtype=DOUBLE)
            for k in range(weights.shape[1]):
                rest = torch.eye(4, dtype=DOUBLE)
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
            vertices, torch.zeros_like(joints), rows(R, t - joints), weights
        ),
        "every joint of a vertex counts, not only the strongest": _skin(vertices, joints, G, hard),
        "R is transposed: R v is a sum over R's columns": _skin(
            vertices, torch.zeros_like(joints), rows(R.mT, t - flipped), weights
        ),
    }


# Wrong answers that people give.


def _skin_by(change_t, change_R=lambda R: R, change_weights=lambda w: w):
    def skinning(vertices, joints, G, weights):
        R, t = change_R(G[..., :3]), change_t(G[..., :3], G[..., 3], joints)
        w = change_weights(weights)
        R, t = torch.einsum("vk,bkij->bvij", w, R), torch.einsum("vk,bki->bvi", w, t)
        return (R @ vertices[..., None])[..., 0] + t

    return skinning


def _from_rest(R, t, J):
    return t - (R @ J[..., None])[..., 0]


_right = _skin_by(_from_rest)

MISTAKES = [
    Mistake(_skin_by(lambda R, t, J: t), "take the rest pose out", 1 / 4),
    Mistake(_skin_by(lambda R, t, J: t - J), "rest joint is turned too", 1 / 4),
    Mistake(
        _skin_by(_from_rest, change_weights=lambda w: torch.eye(w.shape[1])[w.argmax(1)]),
        "not only the strongest",
        3 / 4,
    ),
    Mistake(_skin_by(_from_rest, lambda R: R.mT), "", 1 / 4),
    Mistake(lambda *a: _right(*a).squeeze(0), "keep every leading", 3 / 4),
    Mistake(lambda v, J, G, w: _right(v, J, G.detach(), w), "is cut", 3 / 4),
    Mistake(lambda v, J, G, w: _right(v, J, G[:1].expand_as(G), w), "", 1 / 4),
    Mistake(_skin_by(lambda R, t, J: _from_rest(R.mT, t, J), lambda R: R.mT), "transposed", 1 / 4),
]
