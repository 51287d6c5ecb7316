"""Bags with straps: backpacks, and bags on a strap across the chest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hmr_edu.body.wardrobe import Garment
from hmr_edu.data.synthetic.dressed.extras.shapes import (
    TORSO,
    Mesh,
    box,
    figure,
    garment,
    joined,
    outline,
    plain,
    ribbon,
    rigid,
)

# Straps run this far from the skin: over a shirt. Their width. Metres.
OUT, WIDTH = 0.014, 0.045
COLOURS = ((45, 45, 50), (35, 45, 80), (110, 70, 40), (150, 40, 40), (80, 90, 60))
# Place and half-size of a backpack; how far the strap is from the middle.
PACK, PACK_HALF, BESIDE = (0.0, 0.03), (0.145, 0.2, 0.075), 0.105
# A strap across the chest: from the side of the neck to the other hip; the bag there.
SHOULDER, HIP, BAG_HALF = (0.1, 0.19), (-0.19, -0.3), (0.045, 0.11, 0.14)


class Worn(NamedTuple):
    """A bag with its strap: mesh, skinning weights, directions for the betas."""

    mesh: Mesh
    weights: Float[np.ndarray, "V 24"]
    directions: Float[np.ndarray, "V 3 10"]


def bags() -> tuple[Garment, ...]:
    """Return all bags in all colours."""
    made = []
    shapes = {"backpack": _backpack(), "bag_right": _across(1), "bag_left": _across(-1)}
    for k, colour in enumerate(COLOURS):
        texture = plain(colour)
        for name, (mesh, weights, directions) in shapes.items():
            made.append(garment(f"{name}/{k}", "bag", mesh, texture, weights, directions))
    return tuple(made)


def _slice(
    points: np.ndarray, start: float, stop: float, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return points of the hull of a slice, from angle to angle, and their directions."""
    centre = (points.min(0) + points.max(0)) / 2
    angles = np.linspace(start, stop, count)
    radius = outline(points, centre, angles) + OUT
    ways = np.stack([np.cos(angles), np.sin(angles)], 1)
    return centre + radius[:, None] * ways, ways


def _torso() -> np.ndarray:
    body = figure()
    return body.data.v_template[body.of(TORSO)]


def _worn(
    strap: Mesh, thing: Mesh, joints: dict[str, float], hold: tuple[float, float, float]
) -> Worn:
    """Return a bag with its weights and directions; the thing moves with one point of the body."""
    body = figure()
    directions = body.directions(np.array([hold]))
    n = len(thing.vertices)
    return Worn(
        joined(strap, thing),
        np.concatenate([body.weights(strap.vertices), rigid(joints, n)]),
        np.concatenate([body.directions(strap.vertices), directions.repeat(n, 0)]),
    )


def _backpack() -> Worn:
    """Return a bag on the back, its straps over both shoulders."""
    torso = _torso()
    near = (np.abs(torso[:, 0]) < 0.08) & (np.abs(torso[:, 1] - PACK[1]) < 0.1)
    back = float(torso[near, 2].min())
    straps = []
    for side in (-BESIDE, BESIDE):
        near = torso[(np.abs(torso[:, 0] - side) < 0.02) & (torso[:, 1] > -0.12)][:, [2, 1]]
        # From the back over the shoulder to the front: angle pi is the back, pi / 2 is up.
        place, ways = _slice(near, np.pi, -np.pi / 4, 18)
        path = np.stack([np.full(len(place), side), place[:, 1], place[:, 0]], 1)
        out = np.stack([np.zeros(len(ways)), ways[:, 1], ways[:, 0]], 1)
        straps.append(ribbon(path, out, WIDTH))
    thing = box((*PACK, back - PACK_HALF[2] - OUT), PACK_HALF)
    return _worn(joined(*straps), thing, {"spine2": 0.4, "spine3": 0.6}, (*PACK, back))


def _across(side: int) -> Worn:
    """Return a bag at the right hip, its strap over the left shoulder; -1 is the other way."""
    torso = _torso()
    start, end = (np.array(p) * (side, 1) for p in (SHOULDER, HIP))
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    offset = torso[:, :2] - start
    near = np.abs(offset @ across) < 0.02
    flat = np.stack([offset[near] @ along, torso[near][:, 2]], 1)
    place, ways = _slice(flat, 0.0, 2 * np.pi * 35 / 36, 36)
    xy = start + place[:, :1] * along
    out = np.concatenate([ways[:, :1] * along, ways[:, 1:]], 1)
    strap = ribbon(np.concatenate([xy, place[:, 1:]], 1), out, WIDTH * 0.7, closed=True)
    x, y, z = strap.vertices[np.argmin(strap.vertices[:, 1])].tolist()
    centre = (x - side * (BAG_HALF[0] + 0.01), y - 0.06, z)
    return _worn(strap, box(centre, BAG_HALF), {"pelvis": 1.0}, (x, y, z))
