"""The shape space: principal components of sampled people, scaled so that betas are N(0, 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class ShapeSpace:
    """mean + dirs @ betas; `explained` is each component's share of the variance."""

    mean: Float[np.ndarray, "H 3"]
    dirs: Float[np.ndarray, "H 3 K"]
    explained: Float[np.ndarray, " K"]

    def project(self, shapes: Float[np.ndarray, "S H 3"]) -> Float[np.ndarray, "S K"]:
        """Return the betas of given shapes, by least squares."""
        flat = self.dirs.reshape(-1, self.dirs.shape[2])
        offsets = (shapes - self.mean).reshape(len(shapes), -1)
        return np.linalg.lstsq(flat, offsets.T, rcond=None)[0].T


def principal_components(
    shapes: Float[np.ndarray, "S H 3"], mid: Bool[np.ndarray, " H"], components: int = 10
) -> ShapeSpace:
    """Compute principal components of half bodies, weighted as in the whole bodies.

    Each direction is one standard deviation long. Its sign makes the body taller or, where the
    height hardly changes, makes the largest entry positive.
    """
    count = len(shapes)
    mean = shapes.mean(0)
    # A vertex off the plane counts for its partner too.
    scale = np.sqrt(np.where(mid, 1.0, 2.0))[:, None]
    centred = ((shapes - mean) * scale).reshape(count, -1)
    variance, vectors = np.linalg.eigh(centred @ centred.T / (count - 1))
    order = np.argsort(variance)[::-1][:components]
    dirs = (vectors[:, order].T @ centred).reshape(components, *mean.shape) / scale
    dirs *= np.sqrt(1 / (count - 1))
    for k, direction in enumerate(dirs):
        growth = direction[mean[:, 1].argmax(), 1] - direction[mean[:, 1].argmin(), 1]
        largest = direction.ravel()[np.abs(direction).argmax()]
        if (growth if abs(growth) > 1e-3 else largest) < 0:
            dirs[k] = -direction
    explained = variance[order] / variance.sum()
    return ShapeSpace(mean, np.ascontiguousarray(dirs.transpose(1, 2, 0)), explained)
