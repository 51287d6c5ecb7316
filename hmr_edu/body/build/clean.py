"""From the source mesh to a closed skin: remove the inside, close the mouth, set the eyes.

Every vertex of the skin is a fixed affine combination of source vertices. So all shape targets can
be transferred, and the eyes follow the eyeballs of each shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from hmr_edu.body.build.mirror import FLIP, Half
from hmr_edu.body.build.source import Source
from hmr_edu.io.errors import DataError

# The visible eye: rings around the line of sight, (radius in mm, depth of carving in mm). The iris
# is carved as in a marble head, because a body without texture looks blind otherwise.
EYE_RINGS = ((9.0, 0.0), (5.4, 0.0), (4.8, 1.5), (2.6, 1.3), (2.0, 4.0))
PUPIL_DEPTH = 4.5e-3
MOUTH_DEPTH = 3e-3


@dataclass(frozen=True)
class ClosedSkin:
    """The left half of the closed skin, and the matrix from the N source vertices to its H.

    `eye` lists the vertices of the visible part of the left eyeball.
    """

    half: Half
    combine: sparse.csr_array
    eye: Int[np.ndarray, " e"]


def affine_weights(
    anchors: Float[np.ndarray, "A 3"], points: Float[np.ndarray, "P 3"]
) -> Float[np.ndarray, "P A"]:
    """Return the smallest weights, each row with sum 1, that give `points` from `anchors`.

    For any affine image of the anchors they give the same image of the points.
    """
    system = np.vstack([anchors.T, np.ones(len(anchors))])
    return (np.linalg.pinv(system) @ np.vstack([points.T, np.ones(len(points))])).T


def boundary_loops(faces: np.ndarray) -> list[list[int]]:
    """Return the boundary of an oriented mesh as closed loops of vertices, in the faces' sense."""
    n = faces.shape[1]
    edges = {(int(f[i]), int(f[(i + 1) % n])) for f in faces for i in range(n)}
    onward = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while onward:
        start = min(onward)
        loop, vertex = [start], onward.pop(start)
        while vertex != start:
            loop.append(vertex)
            vertex = onward.pop(vertex)
        loops.append(loop)
    return loops


def fan(outer: list[int], inner: list[int]) -> list[tuple[int, int, int]]:
    """Make triangles between two rings of equal length; `outer` runs along the hole's boundary."""
    following = list(zip(outer[1:] + outer[:1], inner[1:] + inner[:1], strict=True))
    faces = []
    for a, b, (c, d) in zip(outer, inner, following, strict=True):
        # The hole's own edges run a -> c, so the cap's run c -> a.
        faces += [(c, a, b), (c, b, d)]
    return faces


def split_quads(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Cut each quad along its shorter diagonal."""
    p = points[quads]
    first = np.linalg.norm(p[:, 0] - p[:, 2], axis=1) <= np.linalg.norm(p[:, 1] - p[:, 3], axis=1)
    a, b, c, d = quads.T
    halves = np.where(
        first[:, None, None],
        np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1),
        np.stack([np.stack([a, b, d], 1), np.stack([b, c, d], 1)], 1),
    )
    return halves.reshape(-1, 3)


def eye_rows(source: Source, loop: list[int]) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Return the rows of the new vertices of one eye, and its faces.

    A face entry >= 0 is a source vertex, -1 - k is the k-th new vertex.
    """
    ball = source.groups["helper-l-eye"]
    points, rim = source.vertices[ball], source.vertices[loop]
    centre = (points.min(0) + points.max(0)) / 2
    radius = np.ptp(points, axis=0).mean() / 2
    gaze = rim[:, :2].mean(0)
    gaze = np.array([centre[0], gaze[1]])
    spokes = rim[:, :2] - gaze
    reach = np.linalg.norm(spokes, axis=1)
    new, faces, outer = [], [], list(loop)
    for step, (size, depth) in enumerate(EYE_RINGS):
        # The lids cover part of each circle: stop before the rim, each ring a bit farther inside.
        length = np.minimum(size * 1e-3, reach * (0.94 - 0.08 * step))
        flat = gaze + spokes * (length / reach)[:, None]
        inside = np.maximum(radius**2 - ((flat - centre[:2]) ** 2).sum(1), 0)
        ring = np.column_stack([flat, centre[2] + np.sqrt(inside) - depth * 1e-3])
        inner = [-1 - (len(new) + k) for k in range(len(loop))]
        new.extend(ring)
        faces += fan(outer, inner)
        outer = inner
    new.append([*gaze, centre[2] + radius - PUPIL_DEPTH])
    pupil = -len(new)
    faces += [(c, a, pupil) for a, c in zip(outer, outer[1:] + outer[:1], strict=True)]
    rows = np.zeros((len(new), len(source.vertices)))
    rows[:, ball] = affine_weights(points, np.array(new))
    return rows, faces


def mouth_rows(source: Source, loop: list[int]) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Return rows and faces of the left half of a closed mouth: a groove between the lips."""
    x = source.vertices[loop, 0]
    mids = [k for k in range(len(loop)) if source.mirror[loop[k]] == loop[k]]
    if len(mids) != 2:
        raise DataError("the mouth's rim should cross the middle twice")
    first, second = mids
    first_half, second_half = loop[first : second + 1], loop[second:] + loop[: first + 1]
    side = first_half if x[first + 1] > 0 else second_half
    pairs = list(zip(side[: len(side) // 2], side[::-1][: len(side) // 2], strict=True))
    lips = np.array([(source.vertices[a] + source.vertices[b]) / 2 for a, b in pairs])
    # The groove gets flat towards the corner of the mouth, which is the last pair.
    taper = 1 - (np.arange(len(pairs)) / (len(pairs) - 1)) ** 2
    lips[:, 2] -= MOUTH_DEPTH * taper
    rows = np.zeros((len(pairs) - 1, len(source.vertices)))
    rows[:, loop] = affine_weights(source.vertices[loop], lips[:-1])
    faces = []
    for k in range(len(pairs) - 2):
        (a, b), (c, d), m, n = pairs[k], pairs[k + 1], -1 - k, -2 - k
        faces += [(c, a, m), (c, m, n), (n, m, b), (n, b, d)]
    (a, b), (c, d), m = pairs[-2], pairs[-1], -(len(pairs) - 1)
    faces += [(c, a, m), (c, m, d), (d, m, b)]
    return rows, faces


def outer_quads(source: Source) -> Bool[np.ndarray, " Q"]:
    """Return which quads are outside: not in mouth, nose or another cavity."""
    inner = np.zeros(len(source.vertices), dtype=bool)
    inner[source.inner] = True
    return ~inner[source.quads].any(1)


def close_skin(source: Source) -> ClosedSkin:
    """Close the skin and take its left half; raise DataError on an unexpected source."""
    kept = source.quads[outer_quads(source)]
    left = kept[(source.vertices[kept, 0] >= 0).all(1)]
    if 2 * len(left) != len(kept):
        raise DataError("the source mesh is not symmetric about x = 0")
    rows, faces = [], [split_quads(source.vertices, left)]
    added = 0
    for loop in boundary_loops(kept):
        x = source.vertices[loop, 0]
        if x.max() <= 0:
            continue
        new, caps = (eye_rows if x.min() > 0 else mouth_rows)(source, loop)
        shift = len(source.vertices) + added
        faces.append(np.array([[v if v >= 0 else shift - 1 - v for v in face] for face in caps]))
        rows.append(new)
        added += len(new)
    faces = np.concatenate(faces)
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    rows = [sparse.csr_array(r) for r in rows]
    everything = sparse.vstack([sparse.eye_array(len(source.vertices)), *rows], format="csr")
    combine = everything[used]
    on_plane = np.abs(combine @ source.vertices[:, 0]) < 1e-9
    ball = source.groups["helper-l-eye"]
    eye = np.flatnonzero((used >= len(source.vertices)) & (combine[:, ball].sum(1) > 0.5))
    return ClosedSkin(Half(faces, on_plane), combine, eye)


def halve(
    combine: sparse.csr_array, source: Source, values: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "H 3"]:
    """Return positions or offsets of the half, averaged with the mirrored right side."""
    return combine @ ((values + values[source.mirror] * FLIP) / 2)
