"""Exercise of lesson 02, `shape_blend`: bodies of any shape."""

from __future__ import annotations

import torch

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import slopes_of
from hmr_edu.course.exercises.lesson_02._common import TOLERANCE
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_shape_blend(shape_blend: Asked) -> Report:
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
        together = check.call(template, shapedirs, betas, shape=(4, 7, 3))
        alone = check.call(template, shapedirs, betas[2:3])
        compare(alone, together[2:3], TOLERANCE)
        slopes_of(check, [template, shapedirs, betas], [1, 2], together, TOLERANCE)
    return check.report()


# Wrong answers that people give.


def _right(T, S, b):
    return T + torch.einsum("vcn,bn->bvc", S, b)


MISTAKES = [
    Mistake(lambda T, S, b: torch.einsum("vcn,bn->bvc", S, b), "add them to the template", 1 / 4),
    Mistake(lambda T, S, b: T + (b @ S.reshape(10, -1)).view(len(b), -1, 3), "LAST axis", 2 / 4),
    Mistake(lambda T, S, b: T - torch.einsum("vcn,bn->bvc", S, b), "PLUS", 2 / 4),
    Mistake(lambda T, S, b: T + S @ b[0], "", 0.0),
    Mistake(lambda T, S, b: _right(T, S, b).squeeze(0), "keep every leading", 1 / 4),
    Mistake(lambda T, S, b: _right(T, S, b.detach()), "is cut", 3 / 4),
    Mistake(lambda T, S, b: _right(T, S, b.mean(0).expand_as(b)), "", 2 / 4),
]
