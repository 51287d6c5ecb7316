"""The lower part of coats and dresses: a tube from the waist that hangs around hips and legs."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from hmr_edu.body.wardrobe import Garment
from hmr_edu.data.synthetic.dressed.extras.shapes import (
    Mesh,
    figure,
    garment,
    outline,
    outside,
    triangles,
)
from hmr_edu.keypoints import SMPL_JOINTS

# Where the tube begins and ends, in metres; its flare (metres a metre).
WAIST = -0.17
LENGTHS = {"thigh": (-0.56, 0.05), "knee": (-0.74, 0.12)}
STEP, AROUND, AIR = 0.045, 32, 0.018
# The legs carry it from here to here downwards.
HIPS = (-0.24, -0.42)
# Folds around the hem: how many, and their height relative to the length.
FOLDS, FOLD = 7, 0.025
# A top that ends above this cannot be prolonged.
SHORTEST = -0.25
LEGS = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "spine1", "spine2")


def coats(tops: tuple[Garment, ...]) -> tuple[Garment, ...]:
    """Return tubes of all lengths in the colours of each top that is long enough."""
    made = []
    for length, (hem, flare) in LENGTHS.items():
        mesh = _tube(hem, flare)
        y, x = mesh.vertices[:, 1], mesh.vertices[:, 0]
        down = np.clip((HIPS[0] - y) / (HIPS[0] - HIPS[1]), 0, 1)
        share = down * down * (3 - 2 * down)
        half = np.abs(x).max() / 2
        left = np.clip((x + half) / (2 * half), 0, 1)
        up = np.clip((y + 0.24) / 0.12, 0, 1) * (1 - share)
        weights = np.zeros((len(y), len(SMPL_JOINTS)))
        for name, of_joint in {
            "left_hip": share * left,
            "right_hip": share * (1 - left),
            "spine1": up,
            "pelvis": 1 - share - up,
        }.items():
            weights[:, SMPL_JOINTS.index(name)] = of_joint
        directions = figure().directions(mesh.vertices)
        made += [
            garment(f"{top.name}/{length}", "coat", mesh, _cloth(top), weights, directions)
            for top in tops
            if top.template[:, 1].min() < SHORTEST
        ]
    return tuple(made)


def _tube(hem: float, flare: float) -> Mesh:
    body = figure()
    mine = body.data.v_template[body.of(LEGS)]
    angles = np.arange(AROUND) * (2 * np.pi / AROUND)
    widest, rings = np.zeros(AROUND), []
    centre = np.array([0.0, mine[np.abs(mine[:, 1] - WAIST) < 0.1][:, 2].mean()])
    heights = np.linspace(WAIST, hem, 1 + round((WAIST - hem) / STEP))
    for y in heights:
        band = mine[np.abs(mine[:, 1] - y) < 0.03][:, [0, 2]]
        widest = np.maximum(widest, outline(band, centre, angles))
        deep = WAIST - y
        folds = 1 + FOLD * np.cos(FOLDS * angles) * deep / (WAIST - hem)
        radius = (widest + AIR) * folds + flare * deep
        x, z = radius * np.cos(angles), centre[1] + radius * np.sin(angles)
        rings.append(np.stack([x, np.full(AROUND, y), z], 1))
    vertices = np.concatenate(rings)
    k = np.arange(AROUND * (len(heights) - 1))
    beside = k - k % AROUND + (k + 1) % AROUND
    quads = np.stack([k, beside, beside + AROUND, k + AROUND], 1)
    u = np.tile(np.abs(2 * angles / (2 * np.pi) - 1), len(heights))
    v = np.repeat((heights - hem) / (WAIST - hem), AROUND)
    outwards = vertices - np.array([0.0, 0.0, centre[1]])
    outwards[:, 1] = 0
    return outside(Mesh(vertices, triangles(quads), np.stack([u, v], 1)), outwards)


def _cloth(top: Garment) -> UInt8[np.ndarray, "32 32 3"]:
    """Return a texture in the mean colour of a top, with the shades of soft folds."""
    worn = top.texture[..., :3].reshape(-1, 3).mean(0)
    u = (np.arange(32) + 0.5) / 32
    shade = 1 + 0.1 * np.cos(np.pi * FOLDS * u) + 0.05 * np.sin(23 * u)
    return np.clip(worn * shade[None, :, None].repeat(32, 0), 0, 255).astype(np.uint8)
