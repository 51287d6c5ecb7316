"""The small body: half of the full one decimated, then mirrored.

Quadric edge collapse on a mesh whose head and hands are blown up first, for it spends vertices by
size. The new vertices are then pinned to the old surface, so all that is known there carries over.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from hmr_edu.body.build.clean import boundary_loops
from hmr_edu.body.build.mirror import Half
from hmr_edu.errors import DataError


def nearest_on_triangles(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> sparse.csr_array:
    """Barycentric rows [P, V] of the nearest points of a mesh."""
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    nearest, _, index = trimesh.proximity.closest_point_naive(mesh, points)
    bary = trimesh.triangles.points_to_barycentric(vertices[faces[index]], nearest)
    bary = np.maximum(bary, 0)
    bary /= bary.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(points)), 3)
    shape = (len(points), len(vertices))
    return sparse.csr_array((bary.ravel(), (rows, faces[index].ravel())), shape=shape)


def nearest_on_segments(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    edges: Int[np.ndarray, "E 2"],
) -> sparse.csr_array:
    """Rows [P, V] of the nearest points of a set of edges."""
    start, end = vertices[edges[:, 0]], vertices[edges[:, 1]]
    along = end - start
    share = ((points[:, None] - start) * along).sum(-1) / (along**2).sum(-1)
    share = np.clip(share, 0, 1)
    gap = np.linalg.norm(start + share[..., None] * along - points[:, None], axis=-1)
    index = gap.argmin(1)
    share = share[np.arange(len(points)), index]
    rows = np.repeat(np.arange(len(points)), 2)
    values = np.stack([1 - share, share], axis=1).ravel()
    shape = (len(points), len(vertices))
    return sparse.csr_array((values, (rows, edges[index].ravel())), shape=shape)


def decimate(
    half: Half, points: Float[np.ndarray, "H 3"], faces: int
) -> tuple[Half, sparse.csr_array]:
    """A half with about `faces` faces, and the rows [h, H] that carry values over to it.

    `points` is where the vertices lie while costs are counted. Raises DataError when the result
    would not close.
    """
    import fast_simplification

    points = points.copy()
    points[half.mid, 0] = 0
    small, triangles = fast_simplification.simplify(points, half.faces, target_count=faces, agg=3)
    small, triangles = small.astype(np.float64), triangles.astype(np.int64)
    used, triangles = np.unique(triangles, return_inverse=True)
    small, triangles = small[used], triangles.reshape(-1, 3)
    rim = np.zeros(len(small), dtype=bool)
    for loop in boundary_loops(triangles):
        rim[loop] = True
    if np.abs(small[rim, 0]).max() > 1e-6 or rim[triangles].all(1).any():
        raise DataError("the decimated half does not meet the middle plane cleanly")
    seams = boundary_loops(half.faces)
    edges = np.concatenate([np.stack([s, np.roll(s, -1)], axis=1) for s in seams])
    carry = sparse.lil_array((len(small), len(points)))
    carry[rim] = nearest_on_segments(small[rim], points, edges)
    carry[~rim] = nearest_on_triangles(small[~rim], points, half.faces)
    return Half(triangles, rim), sparse.csr_array(carry)
