"""Exercise of lesson 03, `fit_energy`: the energy of a fit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, described, require
from hmr_edu.course.exercises._common import DOUBLE, normal, slopes_of, tensor
from hmr_edu.course.exercises.lesson_03._common import TIGHT
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_fit_energy(function: Asked) -> Report:
    """Check `fit_energy(projected, keypoints2d, visibility, log_prior, betas, sigma) -> [B]`."""
    check = Check("fit_energy", function)
    x, target = 0.3 * normal(7, 3, 19, 2), 0.3 * normal(8, 3, 19, 2)
    seen = (normal(9, 3, 19) > -0.5).to(DOUBLE)
    log_prior, betas, sigma = tensor([60.0, -20.0, 5.0]), normal(10, 3, 10), 0.02
    no_prior, no_betas = torch.zeros(3, dtype=DOUBLE), torch.zeros(3, 10, dtype=DOUBLE)
    d = (x - target).square().sum(-1)

    with check.part("by hand: one keypoint off by one sigma costs one half"):
        one = torch.zeros(1, 1, 2, dtype=DOUBLE)
        off = one + tensor([0.02, 0.0])
        zero, ten = torch.zeros(1, dtype=DOUBLE), torch.zeros(1, 10, dtype=DOUBLE)
        got = check.call(off, one, torch.ones(1, 1, dtype=DOUBLE), zero, ten, sigma)
        mistakes = {
            "the factor 1/2 of the Gaussian is missing: |x|^2 / (2 sigma^2)": tensor([1.0]),
            "divide by sigma squared, not by sigma": tensor([0.01]),
            "take the square of the distance: |x|^2 / (2 sigma^2)": tensor([25.0]),
            "divide by sigma squared: without it pixels and radians cannot be compared": tensor(
                [0.0002]
            ),
        }
        compare(got, tensor([0.5]), TIGHT, mistakes)

    with check.part("2D term: minus the log of a Gaussian, visible keypoints only"):
        gauss = torch.distributions.Normal(target, sigma)
        highest = gauss.log_prob(target)
        want = ((highest - gauss.log_prob(x)).sum(-1) * seen).sum(-1)
        mistakes = {
            "hidden keypoints must not count: multiply by `visibility`": d.sum(-1) / (2 * sigma**2),
            "the sum over keypoints, not the mean": want / 19,
            "the sum over keypoints, not the mean: every seen keypoint is evidence": want
            / seen.sum(-1),
        }
        got = check.call(x, target, seen, no_prior, no_betas, sigma)
        _one_each(got)
        compare(got, want, 1e-6, mistakes)

    with check.part("likely poses have low energy"):
        got = check.call(x, x, seen, log_prior, no_betas, sigma)
        mistakes = {"energy is MINUS the log probability: subtract log_prior": log_prior}
        compare(got, -log_prior, TIGHT, mistakes)

    with check.part("betas: minus the log of a standard normal, up to a constant"):
        gauss = torch.distributions.Normal(0.0, 1.0)
        want = (gauss.log_prob(torch.zeros_like(betas)) - gauss.log_prob(betas)).sum(-1)
        mistakes = {
            "the factor 1/2 is missing: |beta|^2 / 2": 2 * want,
            "the sum over the ten betas, not the mean": want / 10,
            "the square of the norm, not the norm": betas.norm(dim=-1) / 2,
        }
        compare(check.call(x, x, seen, no_prior, betas, sigma), want, 1e-7, mistakes)

    with check.part("the three terms add up"):
        got = check.call(x, target, seen, log_prior, betas, sigma)
        want = (d * seen).sum(-1) / (2 * sigma**2) - log_prior + betas.square().sum(-1) / 2
        compare(got, want, 1e-6)
        few = [a[:1] for a in (x, target, seen, log_prior, betas)]
        compare(check.call(*few, sigma), got[:1], 1e-6)
        whole = [x, target, seen, log_prior, betas, sigma]
        slopes_of(check, whole, [0, 3, 4], got.detach(), 1e-6)
    return check.report()


def _one_each(got: Any) -> None:
    require(
        isinstance(got, Tensor) and got.ndim == 1,
        f"it returned {described(got)}; one energy a person is wanted, shape [B]",
        "sum over keypoints and coordinates, not over the batch" * (getattr(got, "shape", 0) == ()),
    )


# Wrong answers that people give.


def _good_energy(p, x, v, log_prior, betas, sigma):
    d = (p - x).square().sum(-1)
    return (v * d).sum(-1) / (2 * sigma**2) - log_prior + betas.square().sum(-1) / 2


MISTAKES = [
    Mistake(
        lambda p, x, v, lp, b, s: (
            ((p - x) ** 2 * v[..., None]).sum((1, 2)) / s**2 - lp + b.square().sum(-1) / 2
        ),
        "factor 1/2 of the Gaussian",
        2 / 5,
        name="no half",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, lp, b, s**0.5),
        "not by sigma",
        2 / 5,
        name="sigma not squared",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, torch.ones_like(v), lp, b, s),
        "multiply by `visibility`",
        3 / 5,
        name="hidden ones count",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, -lp, b, s),
        "subtract log_prior",
        3 / 5,
        name="prior added",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, lp, b * 2**0.5, s),
        "|beta|^2 / 2",
        3 / 5,
        name="betas not halved",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, lp, b / 10**0.5, s),
        "not the mean",
        3 / 5,
        name="mean of betas",
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, lp, b, s).sum(),
        "",
        0.0,
        name="one for all",
    ),
    Mistake(lambda *a: _good_energy(*a).squeeze(0), "", 3 / 5, name="one person squeezed"),
    Mistake(
        lambda p, *a: _good_energy(p.detach(), *a), "is cut", 4 / 5, name="detached projections"
    ),
    Mistake(
        lambda p, x, v, lp, b, s: _good_energy(p, x, v, lp.mean(), b, s),
        "",
        3 / 5,
        name="one prior for all",
    ),
]
