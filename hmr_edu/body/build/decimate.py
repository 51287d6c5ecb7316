"""The small body: half of the full one decimated, then mirrored.

Quadric edge collapse (Garland and Heckbert, 1997) keeps vertices where they reduce the error in
millimetres. A face needs more vertices than that, and toes fewer, so such places are enlarged or
shrunk first. The new vertices are then expressed by points of the old surface, so that all data of
the old surface can be transferred.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from hmr_edu.body.build.clean import boundary_loops
from hmr_edu.body.build.mirror import FLIP, Half
from hmr_edu.io.errors import DataError

# Number of faces with the nearest centres that are tried for the nearest point.
NEAR_FACES = 40


def blow_up(
    points: Float[np.ndarray, "H 3"], regions: list[tuple[Float[np.ndarray, " 3"], float, float]]
) -> Float[np.ndarray, "H 3"]:
    """Enlarge (or shrink) the surroundings of places given as (centre, radius, factor).

    The mirror image of each place gets the same, so that the middle plane stays in place.
    """
    moved = points.copy()
    for centre, radius, factor in regions:
        for place in (centre, centre * FLIP) if centre[0] > 0 else (centre,):
            arm = points - place
            share = np.exp(-(arm**2).sum(1) / (2 * radius**2))
            moved += (factor - 1) * share[:, None] * arm
    return moved


def nearest_faces(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, "P 3"]]:
    """Return the face of the nearest point on a mesh, and the point's barycentric coordinates."""
    from scipy.spatial import KDTree
    from trimesh import triangles as tri

    corners = vertices[faces]
    counts = np.arange(1, min(NEAR_FACES, len(faces)) + 1)
    _, face_candidates = KDTree(corners.mean(1)).query(points, k=counts)
    repeated = np.repeat(points, face_candidates.shape[1], axis=0)
    closest = tri.closest_point(corners[face_candidates.ravel()], repeated)
    gap = np.linalg.norm(closest - repeated, axis=1).reshape(face_candidates.shape)
    best = gap.argmin(1)
    rows = np.arange(len(points))
    index = face_candidates[rows, best]
    bary = tri.points_to_barycentric(
        corners[index], closest.reshape(*face_candidates.shape, 3)[rows, best]
    )
    bary = np.maximum(bary, 0)
    bary /= bary.sum(1, keepdims=True)
    return index, bary


def nearest_on_triangles(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> sparse.csr_array:
    """Return barycentric rows [P, V] of the nearest points on a mesh."""
    index, bary = nearest_faces(points, vertices, faces)
    rows = np.arange(len(points))
    shape = (len(points), len(vertices))
    return sparse.csr_array((bary.ravel(), (np.repeat(rows, 3), faces[index].ravel())), shape=shape)


def nearest_on_segments(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    edges: Int[np.ndarray, "E 2"],
) -> sparse.csr_array:
    """Return rows [P, V] of the nearest points on a set of edges."""
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
    """Make a half with about `faces` faces, and the rows [h, H] that transfer values to it.

    `points` are the vertices at which errors are measured. Raises DataError when the result would
    not be closed.
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
