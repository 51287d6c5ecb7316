"""Exercise of lesson 01, `skew`: the matrix of the cross product."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require
from hmr_edu.course.exercises.lesson_01._common import GENERATORS, axes, hat, jacobian_of
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question

POINTS = 2
NO_SIGNS = "half of the six numbers are negative: three entries and their negatives"
CROSSED = "it is w x v: every sign is the other way round (or transposed)"


def check_skew(function: Asked) -> Report:
    """Check `skew(v [..., 3]) -> [..., 3, 3]`, the matrix of the cross product with v."""
    check = Check("skew", function)
    v, w = axes(5, seed=7) * 2, axes(5, seed=8)
    with check.part("skew(v) times w is v x w"):
        got = check.call(v[0], shape=(3, 3))
        want = torch.linalg.cross(v[0], w[0])
        compare(
            got @ w[0],
            want,
            1e-12,
            {CROSSED: -want, NO_SIGNS: hat(v[0]).abs() @ w[0]},
        )
    with check.part("transposed, it changes its sign"):
        got = check.call(v[0], shape=(3, 3))
        signs = NO_SIGNS * bool(torch.equal(got, hat(v[0]).abs()))
        require(torch.equal(got.mT, -got), "skew(v).T is not -skew(v)", signs)
    # A slip costs once: what has the other sign is turned round for the questions that follow.
    if check.parts[0].hint == CROSSED:
        check.through = _negated
    with check.part("it takes batches, [2, 24, 3] to [2, 24, 3, 3]"):
        many = torch.randn(2, 24, 3, generator=inputs(9))
        want = torch.einsum("...i,ijk->...jk", many, GENERATORS.float())
        compare(check.call(many), want, 1e-6)
        compare(check.call(many[:1, 0]), want[:1, 0], 1e-6)
    with check.part("gradients flow through it"):
        compare(jacobian_of(check, v[0]), GENERATORS.permute(1, 2, 0), 1e-12)
    return check.report()


@question
def _negated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda u: -function(u)


MISTAKES = [
    Mistake(lambda v: -hat(v), "it is w x v", 3 / 4),
    Mistake(lambda v: hat(v).abs(), "three entries and their negatives", 0.0),
    Mistake(lambda v: hat(v.reshape(-1, 3)).squeeze(0), "keep every leading", 3 / 4),
    Mistake(lambda v: hat(v.detach()), "", 3 / 4),
    Mistake(lambda v: hat(v).squeeze(), "", 3 / 4),
    Mistake(lambda v: hat(v.float()).to(v), "", 3 / 4),
    Mistake(lambda v: hat(v.flip(-1)), "", 1 / 4),
]
