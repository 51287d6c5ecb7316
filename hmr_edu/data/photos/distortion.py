"""The distortion of a lens, as OpenCV models it: k1, k2, p1, p2, k3.

A point (x, y) at depth 1 before an ideal pinhole is seen at (x', y'), with r^2 = x^2 + y^2::

    x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
    y' = y (1 + k1 r^2 + k2 r^4 + k3 r^6) + p1 (r^2 + 2 y^2) + 2 p2 x y

Source: OpenCV's documentation, "Camera Calibration and 3D Reconstruction". The points are in units
of the focal length, before K makes pixels of them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# Steps of Newton's method; a lens that can be inverted needs fewer than ten.
STEPS = 50
# Largest error of the inverse, in focal lengths: a thousandth of a pixel or less.
EXACT = 1e-7


def distort(
    points: Float[Tensor, "*batch 2"], coefficients: Float[Tensor, "5"]
) -> Float[Tensor, "*batch 2"]:
    """Return where the lens shows points that an ideal pinhole would show at `points`."""
    k1, k2, p1, p2, k3 = coefficients.to(points)
    x, y = points.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return torch.stack(
        (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ),
        dim=-1,
    )


def undistort(
    points: Float[Tensor, "*batch 2"], coefficients: Float[Tensor, "5"]
) -> Float[Tensor, "*batch 2"]:
    """Return where an ideal pinhole would show points that the lens shows at `points`.

    Newton's method, in float64. The result is NaN where no point is shown there: the polynomials
    of a calibration fold the picture over beyond the part that was calibrated.
    """
    target, coefficients = points.double(), coefficients.double()
    x = target.clone()
    for _ in range(STEPS):
        J = _jacobian(x, coefficients)
        miss = distort(x, coefficients) - target
        # A fold has no inverse; it is found out below.
        det = (J[..., 0, 0] * J[..., 1, 1] - J[..., 0, 1] * J[..., 1, 0])[..., None]
        inverse = torch.stack(
            (
                J[..., 1, 1] * miss[..., 0] - J[..., 0, 1] * miss[..., 1],
                J[..., 0, 0] * miss[..., 1] - J[..., 1, 0] * miss[..., 0],
            ),
            dim=-1,
        )
        x = x - inverse / det
    found = (distort(x, coefficients) - target).norm(dim=-1) < EXACT
    J = _jacobian(x, coefficients)
    upright = (torch.linalg.det(J) > 0) & (J[..., 0, 0] + J[..., 1, 1] > 0)
    return torch.where((found & upright)[..., None], x, torch.nan)


def _jacobian(
    points: Float[Tensor, "*batch 2"], coefficients: Float[Tensor, "5"]
) -> Float[Tensor, "*batch 2 2"]:
    """Return the derivatives of `distort`: rows x' and y', columns x and y."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = points.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))  # of `radial`, divided by x or y
    mixed = slope * x * y + 2 * p1 * x + 2 * p2 * y
    across = radial + slope * x * x + 2 * p1 * y + 6 * p2 * x
    down = radial + slope * y * y + 6 * p1 * y + 2 * p2 * x
    return torch.stack((across, mixed, mixed, down), dim=-1).unflatten(-1, (2, 2))
