"""An atlas of the body's surface, as DensePose uses one: a chart I and two coordinates U and V.

DensePose (Guler et al. 2018) names a place of the body by (I, U, V): one of 24 charts, and a place
in it. Its charts belong to SMPL's mesh and to its licence. `build_atlas` makes charts for any body,
ours included:

1. The faces of each of the 24 parts (largest skinning weight) are one region.
2. A plane through its middle, normal to its thinnest direction, cuts a region into two sides, such
   as the sole and the top of a foot. That makes 48 charts; a tube that is cut along is a disc.
3. Each chart is laid out flat by Tutte's embedding (1963): its border goes around a circle, and
   every other vertex lies in the middle of its neighbours. No two triangles then overlap, whatever
   the shape of the chart (Floater 2003). Cylinder coordinates about the bone would be simpler, but
   hands and faces fold over themselves there, and (I, U, V) would name two places.

`Atlas` itself is a table of faces, so it holds other charts as well: see docs, Weak mesh
supervision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from torch import Tensor

from hmr_edu.body.smpl import SMPL

# How often loose faces are given to a neighbouring chart before the rest is left as it is.
ROUNDS = 20
# Numbers in the largest array of a search.
LARGEST = 2**22


@dataclass(frozen=True)
class Atlas:
    """Charts of a surface: for each face its chart (from 1), and (U, V) in [0, 1] of its corners.

    Places of the surface are a face and its barycentric weights.
    """

    faces: Int64[Tensor, "F 3"]
    chart: Int64[Tensor, " F"]
    uv: Float[Tensor, "F 3 2"]

    def to_iuv(
        self, face: Int64[Tensor, " N"], weights: Float[Tensor, "N 3"]
    ) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N 2"]]:
        """Return chart and (U, V) of places on the surface."""
        return self.chart[face], (self.uv[face] * weights[..., None]).sum(1)

    def to_surface(
        self, chart: Int64[Tensor, " N"], uv: Float[Tensor, "N 2"]
    ) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N 3"]]:
        """Return face and weights of the places that (I, U, V) name.

        A place beside its chart gets the nearest corner of the face which it misses by the least
        weight. Raises ValueError on a chart that does not exist, and on (U, V) that are not finite.
        """
        if not bool(uv.isfinite().all()):
            raise ValueError("(U, V) must be finite")
        face = torch.empty_like(chart)
        weights = uv.new_empty(len(uv), 3)
        for number in chart.unique().tolist():
            own = (self.chart == number).nonzero()[:, 0]
            if not len(own):
                raise ValueError(f"there is no chart {number}; they go to {int(self.chart.max())}")
            wanted = (chart == number).nonzero()[:, 0]
            for rows in wanted.split(max(1, LARGEST // len(own))):
                best, inside = _locate(self.uv[own].double(), uv[rows].double())
                face[rows], weights[rows] = own[best], inside.to(uv.dtype)
        return face, weights


def _locate(
    triangles: Float[Tensor, "F 3 2"], points: Float[Tensor, "N 2"]
) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N 3"]]:
    """Return for each point its triangle and its barycentric weights there, none below 0."""
    a, b, c = triangles.unbind(1)
    p = points[:, None] - a
    u, v = b - a, c - a
    area = _cross(u, v)
    second, third = _cross(p, v) / area, _cross(u, p) / area
    weights = torch.stack((1 - second - third, second, third), dim=2)
    # Triangles without an area hold nothing.
    least = weights.amin(2).nan_to_num(-torch.inf, -torch.inf, -torch.inf)
    best = least.argmax(1)
    weights = weights[torch.arange(len(points)), best].clamp_min(0)
    return best, weights / weights.sum(1, keepdim=True)


def _cross(a: Float[Tensor, "*#n 2"], b: Float[Tensor, "*#n 2"]) -> Float[Tensor, "*n"]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


@lru_cache(maxsize=4)
@torch.no_grad()
def build_atlas(body: SMPL) -> Atlas:
    """Make the 48 charts of a body: chart 1 + 2 part + side. Always the same for the same body.

    Raises ValueError when the mesh is no surface, or a chart cannot be laid out.
    """
    faces = body.faces.cpu().numpy()
    vertices = body.v_template.cpu().double().numpy()
    part = body.weights.cpu().double().numpy()[faces].sum(1).argmax(1)
    pairs = _neighbours(faces)
    chart = _without_islands(2 * part + _sides(vertices[faces].mean(1), part), pairs)
    uv = np.empty((len(faces), 3, 2))
    for number in np.unique(chart):
        own = np.flatnonzero(chart == number)
        uv[own] = 0.5 + 0.5 * _disc(faces[own], f"chart {number + 1}")
    return Atlas(body.faces.cpu(), torch.from_numpy(chart) + 1, torch.from_numpy(uv).float())


def _sides(centres: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return 0 or 1: on which side of its part's middle plane a face lies."""
    side = np.zeros(len(part), np.int64)
    for number in np.unique(part):
        rows = part == number
        off = centres[rows] - centres[rows].mean(0)
        normal = np.linalg.svd(off, full_matrices=False)[2][-1]
        normal *= np.sign(normal[np.abs(normal).argmax()])
        side[rows] = off @ normal > 0
    return side


def _neighbours(faces: np.ndarray) -> np.ndarray:
    """Return the pairs of faces that share an edge."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    if len(np.unique(edges, axis=0)) < len(edges):
        raise ValueError("two faces have an edge in one direction: the mesh is no surface")
    edges = np.sort(edges, axis=1)
    order = np.lexsort(edges.T)
    same = (edges[order][1:] == edges[order][:-1]).all(1)
    return np.stack((order[:-1][same], order[1:][same]), axis=1) // 3


def _without_islands(chart: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Give faces that hang loose to the chart around them, until each chart is in one piece."""
    chart = chart.copy()
    for _ in range(ROUNDS):
        linked = pairs[chart[pairs[:, 0]] == chart[pairs[:, 1]]]
        graph = coo_matrix((np.ones(len(linked)), linked.T), (len(chart), len(chart)))
        piece = connected_components(graph, directed=False)[1]
        sizes = np.bincount(piece)
        largest: dict[int, int] = {}
        for number in np.argsort(-sizes, kind="stable").tolist():
            largest.setdefault(int(chart[np.argmax(piece == number)]), number)
        loose = ~np.isin(piece, np.array(list(largest.values())))
        if not loose.any():
            break
        votes = np.zeros((len(chart), chart.max() + 1), np.int64)
        for a, b in ((0, 1), (1, 0)):
            border = loose[pairs[:, a]] & (piece[pairs[:, a]] != piece[pairs[:, b]])
            np.add.at(votes, (piece[pairs[border, a]], chart[pairs[border, b]]), 1)
        chart = np.where(loose & votes[piece].any(1), votes[piece].argmax(1), chart)
    return chart


def _disc(faces: np.ndarray, name: str) -> np.ndarray:
    """Lay faces out in the unit disc by Tutte's embedding: [F, 3, 2] places of their corners.

    The longest border becomes the circle. Another border is a hole, which one more vertex fills.
    """
    corner = _corners(faces)
    loops = sorted(_borders(corner), key=len, reverse=True)
    if not loops:
        raise ValueError(f"{name} has no border: it cannot be laid out flat")
    outer, holes = loops[0], loops[1:]
    count = corner.max() + 1
    sides = [corner[:, [k, (k + 1) % 3]] for k in range(3)]
    spokes = [
        np.stack((np.full(len(hole), count + k), hole), axis=1) for k, hole in enumerate(holes)
    ]
    edges = np.concatenate([*sides, *spokes])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    total = count + len(holes)
    ones = np.ones(len(edges))
    adjacent = coo_matrix((ones, edges.T), (total, total)).tocsr()
    adjacent = adjacent + adjacent.T
    angle = 2 * np.pi * np.arange(len(outer)) / len(outer)
    place = np.zeros((total, 2))
    place[outer] = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    inner = np.setdiff1d(np.arange(total), outer)
    if len(inner):
        degree = np.asarray(adjacent.sum(1)).ravel()
        laplacian = (coo_matrix((degree, (range(total), range(total)))) - adjacent).tocsr()
        right = -laplacian[inner][:, outer] @ place[outer]
        place[inner] = spsolve(laplacian[inner][:, inner].tocsc(), right).reshape(-1, 2)
    uv = place[corner]
    u, v = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    if not (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0).all():
        raise ValueError(f"{name} cannot be laid out without overlap")
    return uv


def _corners(faces: np.ndarray) -> np.ndarray:
    """Give the vertices of a chart new numbers: two where it touches itself in a point."""
    n = 3 * len(faces)
    beside: dict[tuple[int, int], dict[int, int]] = {}
    same = []
    for f, face in enumerate(faces.tolist()):
        for k in range(3):
            a, b = face[k], face[(k + 1) % 3]
            # The corners at both ends of the edge: those of its other face are the same.
            ends = {a: 3 * f + k, b: 3 * f + (k + 1) % 3}
            other = beside.setdefault((min(a, b), max(a, b)), ends)
            same += [(ends[v], other[v]) for v in ends]
    pairs = np.array(same, np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), (n, n))
    return connected_components(graph, directed=False)[1].reshape(-1, 3)


def _borders(faces: np.ndarray) -> list[np.ndarray]:
    """Return the vertices of each border, in the direction of the faces' own edges."""
    edges = {(f[k], f[(k + 1) % 3]) for f in faces.tolist() for k in range(3)}
    after = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while after:
        start = min(after)
        loop = [start]
        while (following := after.pop(loop[-1])) != start:
            loop.append(following)
        loops.append(np.array(loop))
    return loops
