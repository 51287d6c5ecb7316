"""Exercise of lesson 08, `robust`: Geman and McClure's penalty."""

from __future__ import annotations

from hmr_edu.course.check import Asked, Check, Report, compare, inputs
from hmr_edu.course.exercises._common import slopes_of, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_robust(function: Asked) -> Report:
    """Check `robust(squared [...], sigma, outlier) -> [...]`: Geman and McClure's penalty."""
    check = Check("robust", function)
    sigma, outlier = 0.05, 0.4
    d = tensor([0.0, 1e-3, 1e-2])

    with check.part("near: half the squared distance in units of sigma"):
        want = d.square() / (1 + (d / outlier).square()) / (2 * sigma**2)
        mistakes = {
            "the factor 1/2 is missing: d^2 / (2 sigma^2)": 2 * want,
            "divide by sigma squared": want * sigma,
            "`squared` is squared already": d**4 / (1 + d**4 / outlier**2) / (2 * sigma**2),
        }
        compare(check.call(d.square(), sigma, outlier), want, 1e-9, mistakes)

    with check.part("far: a constant, outlier^2 / (2 sigma^2)"):
        limit = tensor([outlier**2 / (2 * sigma**2)])
        mistakes = {
            "it must level off: divide by 1 + squared / outlier^2": tensor([1e8 / (2 * sigma**2)]),
            "in the denominator, too, squared distances are compared with outlier SQUARED": limit
            / outlier,
        }
        compare(check.call(tensor([1e8]), sigma, outlier), limit, 1e-3, mistakes)

    with check.part("at d = outlier it has come half the way"):
        half = tensor([outlier**2 / (4 * sigma**2)])
        compare(check.call(tensor([outlier**2]), sigma, outlier), half, 1e-6)

    with check.part("in between, and its slope"):
        x = 0.01 + uniform(inputs(2), 3, 4)
        value = check.call(x, sigma, outlier)
        want = x * outlier**2 / (outlier**2 + x) / (2 * sigma**2)
        compare(value, want, 1e-6)
        (slope,) = slopes_of(check, [x, sigma, outlier], [0], want, 1e-6)
        # Another sigma, another outlier; one number, and one in a row.
        for s, o in ((0.2, 0.4), (0.05, 1.5)):
            other = x * o**2 / (o**2 + x) / (2 * s**2)
            compare(check.call(x, s, o), other, 1e-6)
        compare(check.call(x[0, 0], sigma, outlier), want[0, 0], 1e-6)
        compare(check.call(x[:1, :1], sigma, outlier), want[:1, :1], 1e-6)
        compare(slope, (outlier**2 / (outlier**2 + x)).square() / (2 * sigma**2), 1e-6)
    return check.report()


# Wrong answers that people give.


def _right(squared, sigma, outlier):
    return squared / (1 + squared / outlier**2) / (2 * sigma**2)


MISTAKES = [
    Mistake(lambda q, s, o: q / (1 + q / o**2) / s**2, "1/2", 0.0),
    Mistake(lambda q, s, o: q / (1 + q / o**2) / (2 * s), "sigma squared", 0.0),
    Mistake(lambda q, s, o: q / (2 * s**2), "level off", 0.0),
    Mistake(lambda q, s, o: q / (1 + q / o) / (2 * s**2), "outlier SQUARED", 0.0),
    Mistake(lambda q, s, o: q**2 / (1 + q**2 / o**2) / (2 * s**2), "squared already", 1 / 4),
    Mistake(lambda q, s, o: _right(q.detach(), s, o), "is cut", 3 / 4),
    Mistake(lambda q, s, o: _right(q, s, o).squeeze(), "", 1 / 4),
    Mistake(lambda q, s, o: _right(q, s, 0.4), "", 3 / 4, name="a fixed outlier"),
    Mistake(lambda q, s, o: q.clamp(max=o**2) / (2 * s**2), "", 1 / 4, name="cut off"),
]
