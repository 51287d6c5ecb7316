"""Simplify a textured mesh without new vertices: quadric half-edge collapse that keeps seams.

Quadrics after Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics", 1997. A
vertex moves onto a neighbour, so that every survivor keeps its place on the base mesh and its
texture coordinates. A vertex on a seam of the texture, or on the mesh's border, only moves along
that line; where lines meet or end it stays.
"""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Float, Int

# No face may turn by more than the angle of this cosine.
TURN = 0.3
# Weight of the planes that hold a border in place, and of an edge's length, against the surface.
BORDER, LENGTH = 3.0, 1e-3
TINY = 1e-16


def _cross(a, b):
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _normal(p, q, r):
    return _cross((q[0] - p[0], q[1] - p[1], q[2] - p[2]), (r[0] - p[0], r[1] - p[1], r[2] - p[2]))


class _Mesh:
    """The mesh while it shrinks: faces by number, and the faces around each vertex."""

    def __init__(self, points: np.ndarray, faces: np.ndarray, corners: np.ndarray, uv: np.ndarray):
        self.points, self.uv = points.tolist(), uv.tolist()
        self.faces = dict(enumerate(faces.tolist()))
        self.corners = dict(enumerate(corners.tolist()))
        self.around: list[set[int]] = [set() for _ in self.points]
        for number, face in self.faces.items():
            for vertex in face:
                self.around[vertex].add(number)
        self.quadrics = self._quadrics(points, faces)

    def side(self, number: int, vertex: int) -> int:
        """Return the texture place of a vertex in a face."""
        return self.corners[number][self.faces[number].index(vertex)]

    def shared(self, v: int, w: int) -> list[int]:
        """Return the faces on both sides of an edge."""
        return sorted(self.around[v] & self.around[w])

    def neighbours(self, v: int) -> set[int]:
        """Return the vertices that share a face with this one."""
        return {x for number in self.around[v] for x in self.faces[number]} - {v}

    def is_line(self, v: int, w: int) -> bool:
        """Return whether an edge is on the border, on a seam, or on more than two faces."""
        both = self.shared(v, w)
        if len(both) != 2:
            return True
        return any(self.side(both[0], x) != self.side(both[1], x) for x in (v, w))

    def _quadrics(self, points: np.ndarray, faces: np.ndarray) -> list[list[float]]:
        """Sum for each vertex the planes of its faces and of the lines at it, weighted by area."""
        p = points[faces]
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        length = np.linalg.norm(normal, axis=1)
        unit = normal / np.maximum(length, TINY)[:, None]
        plane = np.concatenate([unit, -(unit * p[:, 0]).sum(1, keepdims=True)], axis=1)
        quadrics = np.zeros((len(points), 4, 4))
        squares = plane[:, :, None] * plane[:, None] * (length / 6)[:, None, None]
        for k in range(3):
            np.add.at(quadrics, faces[:, k], squares)
        for number, face in enumerate(faces.tolist()):
            for v, w in zip(face, face[1:] + face[:1], strict=True):
                if not self.is_line(v, w):
                    continue
                along = points[w] - points[v]
                wall = np.cross(along, unit[number])
                wall /= max(np.linalg.norm(wall), TINY)
                held = np.append(wall, -wall @ points[v])
                square = np.outer(held, held) * (BORDER * along @ along / 2)
                quadrics[v] += square
                quadrics[w] += square
        above = np.triu_indices(4)
        return quadrics[:, above[0], above[1]].tolist()

    def cost(self, v: int, w: int) -> float:
        """Return the squared error when v moves onto w, and a little for the way."""
        (x, y, z), (a, b, c) = self.points[w], self.points[v]
        error = 0.0
        for q in (self.quadrics[v], self.quadrics[w]):
            error += x * (q[0] * x + 2 * (q[1] * y + q[2] * z + q[3]))
            error += y * (q[4] * y + 2 * (q[5] * z + q[6])) + z * (q[7] * z + 2 * q[8]) + q[9]
        return error + LENGTH * ((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) ** 2

    def targets(self, v: int) -> list[int]:
        """Return the vertices onto which v may move."""
        near = sorted(self.neighbours(v))
        lines = [w for w in near if self.is_line(v, w)]
        if len(lines) not in (0, 2):
            return []
        return lines or near

    def moved(self, v: int, w: int) -> dict[int, int] | None:
        """Return where v's texture places go when it moves onto w; None when it may not."""
        both = self.shared(v, w)
        if not both or len(self.neighbours(v) & self.neighbours(w)) != len(both):
            return None
        places: dict[int, int] = {}
        for number in both:
            mine, other = self.side(number, v), self.side(number, w)
            if places.setdefault(mine, other) != other:
                return None
        for number in self.around[v] - set(both):
            face, corner = self.faces[number], self.corners[number]
            k = face.index(v)
            if corner[k] not in places:
                return None
            old = [self.points[x] for x in face]
            new = list(old)
            new[k] = self.points[w]
            a, b = _normal(*old), _normal(*new)
            dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
            size = (
                (a[0] ** 2 + a[1] ** 2 + a[2] ** 2) * (b[0] ** 2 + b[1] ** 2 + b[2] ** 2)
            ) ** 0.5
            if size < TINY or dot < TURN * size:
                return None
            if not self._same_side(corner, k, places[corner[k]]):
                return None
        return places

    def _same_side(self, corner: list[int], k: int, place: int) -> bool:
        """Return whether a face keeps its orientation in the texture."""
        old = [self.uv[x] for x in corner]
        new = list(old)
        new[k] = self.uv[place]
        first, second = (
            (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) for p, q, r in (old, new)
        )
        return first * second > 0 or abs(first) < TINY

    def collapse(self, v: int, w: int, places: dict[int, int]) -> None:
        """Move v onto w."""
        for number in self.shared(v, w):
            for x in self.faces.pop(number):
                self.around[x].discard(number)
            del self.corners[number]
        for number in self.around[v]:
            k = self.faces[number].index(v)
            self.faces[number][k] = w
            self.corners[number][k] = places[self.corners[number][k]]
            self.around[w].add(number)
        self.around[v] = set()
        pairs = zip(self.quadrics[v], self.quadrics[w], strict=True)
        self.quadrics[w] = [a + b for a, b in pairs]


def collapse(
    points: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    corners: Int[np.ndarray, "F 3"],
    uv: Float[np.ndarray, "U 2"],
    goal: int,
) -> tuple[Int[np.ndarray, "G 3"], Int[np.ndarray, "G 3"]]:
    """Return the faces and their texture places of a mesh with about `goal` faces at most.

    Vertices keep their numbers; those that no face uses any more are gone.

    Args:
        points: the vertices, metres.
        faces: triangles.
        corners: the texture place of each corner.
        uv: the texture places.
        goal: number of faces to reach, if the seams allow it.
    """
    mesh = _Mesh(points, faces, corners, uv)
    age = [0] * len(points)
    heap: list[tuple[float, int, int, int, int]] = []

    def offer(v: int) -> None:
        for w in mesh.targets(v):
            heapq.heappush(heap, (mesh.cost(v, w), v, w, age[v], age[w]))

    for v in range(len(points)):
        offer(v)
    while len(mesh.faces) > goal and heap:
        _, v, w, first, second = heapq.heappop(heap)
        if (first, second) != (age[v], age[w]) or w not in mesh.targets(v):
            continue
        places = mesh.moved(v, w)
        if places is None:
            continue
        mesh.collapse(v, w, places)
        age[v] += 1
        age[w] += 1
        # What was refused around here may be allowed now, so all of it is offered anew.
        for near in sorted({w, *mesh.neighbours(w)}):
            offer(near)
    kept = sorted(mesh.faces)
    return (
        np.array([mesh.faces[k] for k in kept], dtype=np.int64).reshape(-1, 3),
        np.array([mesh.corners[k] for k in kept], dtype=np.int64).reshape(-1, 3),
    )
