"""Skirts that give way: they hang between the legs, and legs push them out.

A garment takes its skinning weights from the nearest skin, so a skirt moves like wide trousers. A
draped one is taut from leg to leg: its weights pass from the left thigh to the right one across the
whole width. Where a leg still comes out, the cloth moves along its own normal until it is outside.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from hmr_edu.body import SMPL
from hmr_edu.data.render import rasterizer
from hmr_edu.data.synthetic.dressed.kernels import copy_seams
from hmr_edu.data.synthetic.dressed.rack import Rack
from hmr_edu.io.compiled import compiled
from hmr_edu.keypoints import SMPL_JOINTS

# The largest angle of a thigh under a skirt that gives way, in degrees.
DRAPED_THIGHS = 100.0
# Joints of the legs: left and right.
LEGS = tuple(
    tuple(SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)
# Rings of vertices around each thigh and each shin, and spheres from one ring to the next.
RINGS, BETWEEN = (6, 4), 3
# Share of the thigh, from the hip, without a ring: there the legs are one with the pelvis.
BODY_OF_THIGH = 0.12
# Cloth stays this far from the spheres, and no push is longer, in metres.
CLEARANCE, FARTHEST = 0.010, 0.15
# Skirts are taut between the legs from here to here downwards, on the T-pose, metres.
TAUT = (-0.3, -0.42)
# Skin shows this far under hem and waistband of what hangs, in metres: they slide on the body.
HEM = 0.04
# How often cloth is pushed out; between two pushes neighbours share their ways.
ROUNDS = 4


class LegRings(NamedTuple):
    """Rings of vertices around the legs of a body: the ring of each vertex, or -1."""

    ring: Int32[np.ndarray, " V"]
    count: int

    @classmethod
    def of(cls, body: SMPL) -> LegRings:
        """Find the rings on the rest body."""
        rest, joints = body.v_template.numpy(), body.J_template.numpy()
        owner = body.weights.argmax(1).numpy()
        ring, first = np.full(len(rest), -1, np.int32), 0
        for leg in LEGS:
            for (upper, lower), number in zip(pairwise(leg), RINGS, strict=True):
                along = joints[lower] - joints[upper]
                place = (rest - joints[upper]) @ along / (along @ along)
                start = BODY_OF_THIGH if upper == leg[0] else 0.0
                k = ((place - start) / (1 - start) * number).astype(int).clip(0, number - 1)
                mine = (owner == upper) & (place > start)
                ring[mine] = first + k[mine]
                first += number
        return cls(ring, first)

    def spheres(self, vertices: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "S 4"]:
        """Return spheres that fill the legs of one posed body: centres and radii, metres."""
        rings = np.zeros((self.count, 4), np.float32)
        ring_spheres(vertices, self.ring, rings)
        legs = rings.reshape(len(LEGS), -1, 4)
        step = (np.arange(BETWEEN, dtype=np.float32) / BETWEEN)[:, None]
        between = legs[:, :-1, None] + step * (legs[:, 1:, None] - legs[:, :-1, None])
        return np.concatenate([between.reshape(-1, 4), legs[:, -1]])


def drape(rack: Rack) -> Rack:
    """Return a rack whose skirts hang from leg to leg."""
    joints, weights = rack.joints.copy(), rack.weights.copy()
    for piece in rack.pieces:
        if piece.skirt:
            span = piece.vertices
            joints[span], weights[span] = draped_weights(
                rack.template[span], rack.joints[span], rack.weights[span]
            )
    return replace(rack, joints=joints, weights=weights)


def draped_weights(
    template: Float32[np.ndarray, "V 3"],
    joints: UInt8[np.ndarray, "V 4"],
    weights: Float32[np.ndarray, "V 4"],
) -> tuple[UInt8[np.ndarray, "V 4"], Float32[np.ndarray, "V 4"]]:
    """Divide what the legs have of a skirt's weights by the place between left and right."""
    legs = np.isin(joints, LEGS)
    share = (weights * legs).sum(1)
    half = np.abs(template[:, 0]).max() / 2
    left = np.clip((template[:, 0] + half) / (2 * half), 0, 1)
    # Around the hips it follows the skin, so that none comes out.
    own = (weights * np.isin(joints, LEGS[0])).sum(1) / np.maximum(share, 1e-9)
    down = np.clip((TAUT[0] - template[:, 1]) / (TAUT[0] - TAUT[1]), 0, 1)
    left = own + down * (left - own)
    # The two strongest of the other joints.
    others = np.where(legs, 0, weights)
    order = np.argsort(-others, axis=1, kind="stable")[:, :2]
    kept = np.take_along_axis(others, order, axis=1)
    kept *= ((1 - share) / np.maximum(kept.sum(1), 1e-9))[:, None]
    names = np.take_along_axis(joints, order, axis=1)
    hips = np.broadcast_to(np.array([LEGS[0][0], LEGS[1][0]], np.uint8), (len(names), 2))
    divided = np.stack([share * left, share * (1 - left)], 1)
    return np.concatenate([names, hips], 1), np.concatenate([kept, divided], 1).astype(np.float32)


@compiled
@no_type_check
def ring_spheres(vertices, ring, out):
    """Write the middle of each ring of vertices and its mean distance from there: [rings, 4]."""
    counts = np.zeros(out.shape[0])
    for v in range(vertices.shape[0]):
        k = ring[v]
        if k >= 0:
            counts[k] += 1
            for axis in range(3):
                out[k, axis] += vertices[v, axis]
    for k in range(out.shape[0]):
        for axis in range(3):
            out[k, axis] /= max(counts[k], 1.0)
    for v in range(vertices.shape[0]):
        k = ring[v]
        if k >= 0:
            dx = vertices[v, 0] - out[k, 0]
            dy = vertices[v, 1] - out[k, 1]
            dz = vertices[v, 2] - out[k, 2]
            out[k, 3] += np.sqrt(dx * dx + dy * dy + dz * dz) / counts[k]


@compiled
@no_type_check
def push_out(vertices, normals, movable, spheres, clearance, farthest):
    """Move vertices [V, 3], in place, along their normals until they are outside all spheres.

    Args:
        vertices, normals: of the cloth.
        movable: [V] 0 for vertices that stay.
        spheres: [S, 4] centres and radii.
        clearance: least distance to a sphere, metres.
        farthest: no push is longer, metres.
    """
    for v in range(vertices.shape[0]):
        if movable[v] <= 0.0:
            continue
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        moved = 0.0
        for _ in range(2):
            for s in range(spheres.shape[0]):
                r = spheres[s, 3] + clearance
                x = vertices[v, 0] - spheres[s, 0]
                y = vertices[v, 1] - spheres[s, 1]
                z = vertices[v, 2] - spheres[s, 2]
                inside = r * r - (x * x + y * y + z * z)
                if inside > 0.0:
                    b = x * nx + y * ny + z * nz
                    step = min(np.sqrt(b * b + inside) - b, farthest - moved)
                    moved += step
                    vertices[v, 0] += step * nx
                    vertices[v, 1] += step * ny
                    vertices[v, 2] += step * nz


@compiled
@no_type_check
def spread(hung, vertices, faces, weld, movable, sums, counts):
    """Give vertices [V, 3], in place, the mean of their neighbours' way from where they hung.

    Args:
        hung: [V, 3] where they were before any push.
        vertices: of the cloth.
        faces: [F, 3] of the seamless mesh.
        weld: [V] the vertex of the seamless mesh that each vertex is.
        movable: [V] how far each may move, 0 to 1.
        sums, counts: [V, 3], [V] room.
    """
    sums[:] = 0.0
    counts[:] = 0.0
    for f in range(faces.shape[0]):
        for k in range(3):
            v, a, b = faces[f, k], faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            counts[v] += 2.0
            for axis in range(3):
                sums[v, axis] += vertices[a, axis] - hung[a, axis]
                sums[v, axis] += vertices[b, axis] - hung[b, axis]
    for v in range(vertices.shape[0]):
        w = weld[v]
        if counts[w] > 0.0 and movable[w] > 0.0:
            for axis in range(3):
                mean = sums[w, axis] / counts[w]
                vertices[v, axis] = hung[v, axis] + movable[w] * mean


class Drape:
    """Hangs the skirts of a rack on posed people.

    Args:
        body: the body they are worn on.
        rack: with draped weights.
        skirts: whether skirts are hung; coats are always.
    """

    def __init__(self, body: SMPL, rack: Rack, skirts: bool) -> None:
        self._rack, self._rings = rack, LegRings.of(body)
        self.pieces = {
            k for k, p in enumerate(rack.pieces) if p.kind == "coat" or (skirts and p.skirt)
        }
        legs = np.isin(rack.joints, LEGS)
        self._movable = np.clip(2 * (rack.weights * legs).sum(1), 0, 1).astype(np.float32)

    def under(self, k: int) -> Bool[np.ndarray, " body_V"]:
        """Say which vertices of the body are far enough under piece number `k` to be hidden."""
        y, rest = self._rack.template[self._rack.pieces[k].vertices, 1], self._rack.rest[:, 1]
        return (rest > y.min() + HEM) & (rest < y.max() - HEM)

    def hang(
        self,
        k: int,
        body: Float32[np.ndarray, "body_V 3"],
        vertices: Float32[np.ndarray, "V 3"],
        normals: Float32[np.ndarray, "V 3"],
    ) -> None:
        """Push piece number `k` out of the legs, in place.

        Args:
            k: number of the piece.
            body: vertices of the posed body.
            vertices: of the posed piece.
            normals: room for the piece's normals.
        """
        rack, piece = self._rack, self._rack.pieces[k]
        movable, weld = self._movable[piece.vertices], rack.weld[piece.vertices]
        faces, spheres = rack.seamless[piece.faces], self._rings.spheres(body)
        hung, sums = vertices.copy(), np.empty_like(vertices)
        counts = np.empty(len(vertices), np.float32)
        for number in range(ROUNDS):
            if number:
                spread(hung, vertices, faces, weld, movable, sums, counts)
            rasterizer.accumulate_normals(vertices, faces, normals)
            copy_seams(weld, normals)
            push_out(vertices, normals, movable, spheres, CLEARANCE, FARTHEST)
