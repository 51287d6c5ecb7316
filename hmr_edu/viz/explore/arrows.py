"""Arrows as small meshes: lit like the bodies, of one colour each, any front can draw them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt16

SIDES = 10
THICK, HEAD, HEAD_LENGTH = 0.014, 0.04, 0.12  # metres


def arrow_faces() -> UInt16[np.ndarray, "3 F"]:
    """Return the triangles of every arrow: rings joined by a band each, ended by the tip."""
    ring, after = np.arange(SIDES), (np.arange(SIDES) + 1) % SIDES
    bands = []
    for low in range(0, 3 * SIDES, SIDES):
        high = low + SIDES
        bands.append(np.stack([low + ring, low + after, high + ring]))
        bands.append(np.stack([low + after, high + after, high + ring]))
    # The tail end is closed with a fan, so that the mesh is.
    fan = np.stack([np.zeros(SIDES - 2, int), ring[2:], ring[1:-1]])
    return np.concatenate([*bands, fan], axis=1).astype(np.uint16)


def arrow_points(
    tail: Float[np.ndarray, "3"], tip: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "3 V"]:
    """Return the vertices of an arrow; one too short to see is a point at its tail."""
    along = np.asarray(tip, np.float64) - tail
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return np.repeat(np.asarray(tail, np.float32)[:, None], 4 * SIDES, axis=1)
    along /= length
    # Any direction that is not the arrow's own gives the two across it.
    aside = np.eye(3)[np.abs(along).argmin()]
    u = np.cross(along, aside)
    u /= np.linalg.norm(u)
    v = np.cross(along, u)
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    circle = np.outer(u, np.cos(angle)) + np.outer(v, np.sin(angle))
    head = min(HEAD_LENGTH, 0.5 * length)
    neck = length - head
    scale = head / HEAD_LENGTH
    rings = [(0.0, THICK), (neck, THICK), (neck, HEAD * scale), (length, 0.0)]
    points = [at * along[:, None] + radius * circle for at, radius in rings]
    return (np.concatenate(points, axis=1) + np.asarray(tail)[:, None]).astype(np.float32)


def rodrigues_terms(
    axis: Float[np.ndarray, "3"], angle: float | int, point: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return what adds up to the turned point: along, cos t times across, sin t times n x p.

    `axis` [3] has length 1, `angle` is in radians. Source: Rodrigues' formula.
    """
    along = (axis @ point) * axis
    return along, np.cos(angle) * (point - along), np.sin(angle) * np.cross(axis, point)
