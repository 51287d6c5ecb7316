"""Arrows as small meshes, of one colour each, lit like the bodies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt16

SIDES = 10
SHAFT_RADIUS, HEAD_RADIUS, HEAD_LENGTH = 0.014, 0.04, 0.12  # metres


def arrow_faces() -> UInt16[np.ndarray, "3 F"]:
    """Return the triangles of every arrow: bands between its rings, the last ring at the tip."""
    ring, next_in_ring = np.arange(SIDES), (np.arange(SIDES) + 1) % SIDES
    bands = []
    for low in range(0, 3 * SIDES, SIDES):
        high = low + SIDES
        bands.append(np.stack([low + ring, low + next_in_ring, high + ring]))
        bands.append(np.stack([low + next_in_ring, high + next_in_ring, high + ring]))
    # The tail end is closed with a fan, so that the mesh is closed.
    fan = np.stack([np.zeros(SIDES - 2, int), ring[2:], ring[1:-1]])
    return np.concatenate([*bands, fan], axis=1).astype(np.uint16)


def arrow_points(
    tail: Float[np.ndarray, "3"], tip: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "3 V"]:
    """Return the vertices of an arrow; one too short to see is a point at its tail."""
    direction = np.asarray(tip, np.float64) - tail
    length = float(np.linalg.norm(direction))
    if length < 1e-6:
        return np.repeat(np.asarray(tail, np.float32)[:, None], 4 * SIDES, axis=1)
    direction /= length
    # The coordinate axis furthest from the arrow's direction gives the two across it.
    helper_axis = np.eye(3)[np.abs(direction).argmin()]
    u = np.cross(direction, helper_axis)
    u /= np.linalg.norm(u)
    v = np.cross(direction, u)
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    circle = np.outer(u, np.cos(angle)) + np.outer(v, np.sin(angle))
    head = min(HEAD_LENGTH, 0.5 * length)
    neck = length - head
    head_radius = HEAD_RADIUS * head / HEAD_LENGTH
    # Distance from the tail, and radius, of each ring.
    rings = [(0.0, SHAFT_RADIUS), (neck, SHAFT_RADIUS), (neck, head_radius), (length, 0.0)]
    points = [distance * direction[:, None] + radius * circle for distance, radius in rings]
    return (np.concatenate(points, axis=1) + np.asarray(tail)[:, None]).astype(np.float32)


def rodrigues_terms(
    axis: Float[np.ndarray, "3"], angle: float | int, point: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return the three terms of Rodrigues' formula, whose sum is the turned point.

    They are the part of p along n, cos t times the part across n, and sin t times n x p. `axis`
    [3] has length 1, `angle` is in radians.
    """
    along = (axis @ point) * axis
    return along, np.cos(angle) * (point - along), np.sin(angle) * np.cross(axis, point)
