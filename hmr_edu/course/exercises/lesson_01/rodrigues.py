"""Exercise of lesson 01, `rodrigues`: Rodrigues' formula, right everywhere."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.functional import hessian

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, require
from hmr_edu.course.exercises._common import DOUBLE
from hmr_edu.course.exercises.lesson_01._common import (
    GENERATORS,
    IN_DEGREES,
    angles,
    axes,
    exponential,
    hat,
    jacobian_of,
    slopes_of,
)
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.rotations import axis_angle_to_matrix

POINTS = 6
# The shift of public HMR code, |v + 1e-8|, is zero here.
AWKWARD = torch.full((3,), -1e-8, dtype=DOUBLE)
OTHER_WAY = "it turns the other way round: a sign in K, or the matrix is transposed"


def check_rodrigues(function: Asked) -> Report:
    """Check `rodrigues(axis_angle [..., 3]) -> [..., 3, 3]`: value, gradient, Hessian, float32."""
    check = Check("rodrigues", function)
    v = axes(24, seed=10) * angles(24, seed=11)[:, None]
    t = v.norm(dim=-1)[:, None, None]
    eye, K, R = torch.eye(3, dtype=DOUBLE), hat(v), exponential(v)
    mistakes = {
        OTHER_WAY: R.mT,
        IN_DEGREES: exponential(torch.deg2rad(v)),
        "the sine is missing: I + sin(t)/t K + ...": eye + (1 - t.cos()) / t**2 * (K @ K),
        "the term with K K is missing": eye + t.sin() / t * K,
        "K is made of v, whose length is t: divide K by t and K K by t^2": eye
        + t.sin() * K
        + (1 - t.cos()) * (K @ K),
        "K @ K is wanted; K**2 and K * K square every entry by itself": eye
        + t.sin() / t * K
        + (1 - t.cos()) / t**2 * K**2,
        "K K goes with (1 - cos t) / t^2, not / t": eye
        + t.sin() / t * K
        + (1 - t.cos()) / t * (K @ K),
    }
    with check.part("any axis and angle: the matrix exponential"):
        compare(check.call(v), R, 1e-9, mistakes)
    # A slip costs once: what is transposed is turned round for the questions that follow.
    if check.parts[-1].hint == OTHER_WAY:
        check.through = _transposed
    with check.part("one vector, and batches of any shape"):
        compare(check.call(v[0]), R[0], 1e-9)
        compare(check.call(v.reshape(2, 3, 4, 3)), R.reshape(2, 3, 4, 3, 3), 1e-9)
        compare(check.call(v[:1]), R[:1], 1e-9)
    # A body has joints at rest beside turned ones.
    mixed = torch.cat([v[:2], torch.zeros(2, 3, dtype=DOUBLE), 1e-3 * v[2:3]])
    with check.part("no rotation: the identity"):
        compare(check.call(torch.zeros(4, 3)), torch.eye(3).expand(4, 3, 3), 1e-7)
        alone = check.call(mixed[:2], shape=(2, 3, 3))
        _mixed(check.call(mixed, shape=(5, 3, 3)), alone, exponential(mixed[2:4]), 1e-9)
    with check.part("the gradient at zero"):
        gradient = jacobian_of(check, torch.zeros(3, dtype=DOUBLE))
        # The value at zero has been found right, or its own part has failed.
        right = any(p.passed and p.name == "no rotation: the identity" for p in check.parts)
        hint = (
            "0 * inf = NaN: a root or a quotient at zero, even in the branch that `where` drops; "
            "put a harmless t = 1 in before dividing"
        )
        require(gradient.isfinite().all(), "it is NaN", hint * right)
        compare(gradient, GENERATORS.permute(1, 2, 0), 1e-7)
        still = _exact_slopes(mixed[2:4])
        _mixed(slopes_of(check, mixed), slopes_of(check, mixed[:2]), still, 1e-6)
    with check.part("the vector (-1e-8, -1e-8, -1e-8)"):
        got = check.call(AWKWARD, shape=(3, 3))
        if not got.isfinite().all() and check.call(-AWKWARD, shape=(3, 3)).isfinite().all():
            hint = "|v + 1e-8| is zero just here: ask whether t^2 is small instead of shifting v"
            raise Mismatch("it is NaN here, and not at (1e-8, 1e-8, 1e-8)", hint)
        compare(got, exponential(AWKWARD), 1e-12)
        compare(jacobian_of(check, AWKWARD), _exact_slopes(AWKWARD[None])[0], 1e-6)
    with check.part("float64: right to 11 digits, no shift left in it"):
        compare(
            check.call(v),
            R,
            1e-11,
            {"there is still a 1e-8 in the norm": _shifted(v)},
        )
    with check.part("float32: the gradient at small angles"):
        by_cosine, at = _slopes_by_cosine(axes(4, seed=12)), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2]
        for angle, lossy in zip(at, by_cosine, strict=True):
            small = (axes(4, seed=12) * angle).float()
            got, want = slopes_of(check, small).double(), _exact_slopes(small.double())
            require(got.isfinite().all(), f"NaN at an angle of {angle:.0e}")
            off, theirs = (got - want).abs().max(), (lossy - want).abs().max()
            # The rounding of 1 - cos(t) is the same wherever it is done.
            alike = theirs > 3e-6 and (got - lossy).abs().max() < 0.1 * theirs
            hint = "1 - cos(t) loses its digits: it is 2 sin(t / 2)^2" * bool(alike)
            require(off < 3e-6, f"wrong by more than 3e-06 at an angle of {angle:.0e}", hint)
    with check.part("the second derivative at zero"):
        weights = torch.linspace(-1, 1, 9, dtype=DOUBLE).reshape(3, 3)
        zero = torch.zeros(3, dtype=DOUBLE)
        check.call(zero, shape=(3, 3))
        sloped = {"the gradient at zero", check.parts[0].name} <= {
            p.name for p in check.parts if p.passed
        }
        compare(
            check.ask(questions.hessian, zero, weights),
            hessian(lambda u: (exponential(u) * weights).sum(), zero),
            1e-3,
            {
                "B must be 1/2 at zero, and it must depend on v: (1 - t^2/12 + ...) / 2": hessian(
                    lambda u: ((torch.eye(3) + hat(u)) * weights).sum(), zero
                )
            }
            if sloped
            else {},
        )
    check.through = None
    with check.part("the same as hmr_edu.rotations.axis_angle_to_matrix"):
        compare(check.call(v.float()), axis_angle_to_matrix(v.float()), 2e-6)
    return check.report()


@question
def _transposed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda u: function(u).mT


def _exact_slopes(v: Tensor) -> Tensor:
    """Return the gradients of [N, 3] by the definition, [N, 3, 3, 3]."""
    return questions.slopes(exponential, v)


def _slopes_by_cosine(axes: Tensor) -> list[Tensor]:
    """Return the float32 gradients at small angles that 1 - cos(t) gives."""
    small = [(axes * angle).float() for angle in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)]
    return [questions.slopes(_formula(), v).double() for v in small]


def _mixed(got: Tensor, alone: Tensor, still: Tensor, tolerance: float) -> None:
    """Compare in a batch of two that turn, as they do alone, and two that do not."""
    each = "choose series or quotient for each vector, with torch.where, not for the whole batch"
    if not got.isfinite().all() and alone.isfinite().all():
        raise Mismatch("the joints at rest turn NaN beside turned ones", each)
    compare(got[2:4], still, tolerance)
    if (got[:2] - alone).abs().max() > tolerance:
        raise Mismatch("turned joints are turned otherwise beside joints at rest", each)


def _by_series(v: Tensor) -> Tensor:
    squared = v.square().sum(-1)[..., None, None]
    A, B = 1 - squared / 6 + squared**2 / 120, 0.5 - squared / 24 + squared**2 / 720
    return torch.eye(3, dtype=v.dtype) + A * hat(v) + B * (hat(v) @ hat(v))


def _shifted(v: Tensor) -> Tensor:
    """Return what the norm with 1e-8 in it gives."""
    t = (v + 1e-8).norm(dim=-1)[..., None, None]
    K = hat(v) / t
    n = v / t[..., 0]
    outer = n[..., :, None] * n[..., None, :]
    return t.cos() * torch.eye(3, dtype=v.dtype) + (1 - t.cos()) * outer + t.sin() * K


# Wrong answers that people give.


def _formula(sine=True, square=True, power=2, unit=True, degrees=False, transposed=False):
    """Make Rodrigues' formula with a mistake, safe at zero."""

    def wrong(v):
        v = torch.deg2rad(v) if degrees else v
        squared = v.square().sum(-1)[..., None, None]
        zero = squared < 1e-12
        t = torch.where(zero, 1.0, squared).sqrt()
        A = torch.where(zero, 1.0, t.sin() / (t if unit else 1))
        B = torch.where(zero, 0.5, (1 - t.cos()) / (t**power if unit else 1))
        K = hat(v)
        R = torch.eye(3).to(v) + sine * A * K + square * B * (K @ K)
        return R.mT if transposed else R

    return wrong


def _patched_by_where(v):
    t = v.norm(dim=-1)[..., None, None]
    K = hat(v)
    R = torch.eye(3).to(v) + t.sin() / t * K + (1 - t.cos()) / t**2 * (K @ K)
    return torch.where(t == 0, torch.eye(3).to(v), R)


def _right(v):
    squared = v.square().sum(-1)[..., None, None]
    small = squared < 1e-4
    t = torch.where(small, 1.0, squared).sqrt()
    A = torch.where(small, 1 - squared / 6 + squared**2 / 120, t.sin() / t)
    B = torch.where(small, 0.5 - squared / 24 + squared**2 / 720, 2 * ((t / 2).sin() / t) ** 2)
    return torch.eye(3).to(v) + A * hat(v) + B * (hat(v) @ hat(v))


def _branch(any_or_all):
    """Choose series or quotient for the whole batch."""

    def wrong(v):
        squared = v.square().sum(-1)[..., None, None]
        if any_or_all(squared < 1e-4):
            return _by_series(v)
        t = squared.sqrt()
        K = hat(v)
        return torch.eye(3).to(v) + t.sin() / t * K + 2 * ((t / 2).sin() / t) ** 2 * (K @ K)

    return wrong


def _square_entries(v):
    t = v.square().sum(-1)[..., None, None].clamp(min=1e-30).sqrt()
    return torch.eye(3).to(v) + t.sin() / t * hat(v) + (1 - t.cos()) / t**2 * hat(v) ** 2


def _one_vector_only(v):
    return _formula()(v) if v.ndim == 1 else _formula()(v.reshape(-1, 3))


MISTAKES = [
    Mistake(_formula(sine=False), "the sine is missing", 2 / 9),
    Mistake(_formula(square=False), "the term with K K is missing", 3 / 9),
    Mistake(_formula(unit=False), "divide K by t", 4 / 9),
    Mistake(_formula(power=1), "not / t", 4 / 9),
    Mistake(_formula(transposed=True), "a sign in K", 6 / 9),
    Mistake(_formula(degrees=True), "radians", 1 / 9),
    Mistake(_formula(), "it is 2 sin(t / 2)^2", 8 / 9),
    Mistake(_patched_by_where, "0 * inf = NaN", 6 / 9),
    Mistake(_one_vector_only, "keep every leading", 7 / 9),
    Mistake(_branch(torch.all), "not for the whole batch", 7 / 9),
    Mistake(_branch(torch.any), "not for the whole batch", 7 / 9),
    Mistake(_square_entries, "K @ K is wanted", 3 / 9),
    Mistake(lambda v: _right(v).squeeze(0), "", 8 / 9),
    Mistake(lambda v: _right(v.float()).to(v), "", 6 / 9),
    Mistake(lambda v: _right(v.detach()), "", 5 / 9),
]
