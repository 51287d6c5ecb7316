"""Exercise of lesson 02, `turn_the_world`: a body turned as a whole."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises.lesson_02._common import TOLERANCE, any_rotations
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
WRONG_SIDE = "R is applied from the wrong side: R t is `t @ R.T` for rows"


def check_turn_the_world(turn_the_world: Asked) -> Report:
    """Check `turn_the_world(R [3, 3], translation [B, 3], pelvis [B, 3]) -> translation [B, 3]`."""
    check = Check("turn_the_world", turn_the_world)
    g = inputs(11)
    R = any_rotations(1, 1, seed=12)[0, 0]
    translation, pelvis = torch.randn(3, 3, generator=g), torch.randn(3, 3, generator=g)
    root = any_rotations(3, 1, seed=13)[:, 0]
    skin = torch.randn(3, 5, 3, generator=g)

    with check.part("no turn, no change"):
        compare(check.call(torch.eye(3), translation, pelvis), translation, TOLERANCE)
    with check.part("a pelvis at the origin: just R t"):
        mistakes = {
            WRONG_SIDE: translation @ R,
            f"{WRONG_SIDE}, R @ t for columns": R @ translation,
        }
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
            WRONG_SIDE: (translation + pelvis) @ R - pelvis,
            f"{WRONG_SIDE}, R @ t for columns": R @ (translation + pelvis) - pelvis,
        }
        compare(check.call(R, translation, pelvis), wanted, TOLERANCE, mistakes)
        # The same, said with bodies: turned as a whole, or by new parameters.
        here = torch.einsum("bij,bvj->bvi", root, skin - pelvis[:, None])
        turned = (here + (pelvis + translation)[:, None]) @ R.T
        new = check.call(R, translation, pelvis, shape=(3, 3)).detach()
        compare(here @ R.T + (pelvis + new)[:, None], turned, TOLERANCE)
        compare(check.call(R, translation[:1], pelvis[:1]), wanted[:1], TOLERANCE)
    return check.report()


MISTAKES = [
    Mistake(lambda R, t, p: t @ R.T, "the pelvis is missing", 2 / 4),
    Mistake(lambda R, t, p: (t + p) @ R.T, "take the pelvis off", 1 / 4),
    Mistake(lambda R, t, p: (t - p) @ R.T + p, "signs", 2 / 4),
    Mistake(lambda R, t, p: (t + p) @ R - p, "wrong side", 2 / 4),
    Mistake(lambda R, t, p: ((t + p) @ R.T - p).squeeze(0), "keep every leading", 2 / 4),
    Mistake(lambda R, t, p: (t + p[:1]) @ R.T - p[:1], "", 3 / 4, name="one pelvis for all"),
    Mistake(lambda R, t, p: R @ (t + p) - p, "wrong side", 1 / 4, name="R @ rows"),
]
