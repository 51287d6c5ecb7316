"""Building blocks of simple garments: outlines of the body, ribbons, boxes; and the body itself."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import ConvexHull, KDTree

from hmr_edu.body import BodyData, read_body
from hmr_edu.body.wardrobe import Garment
from hmr_edu.keypoints import SMPL_JOINTS

TORSO = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")
# Directions of a vertex are the mean of those of so many body vertices.
NEIGHBOURS = 24


class Mesh(NamedTuple):
    """Vertices, faces, and texture coordinates; metres on the T-pose of `full`."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    uv: Float[np.ndarray, "V 2"]


class Figure(NamedTuple):
    """The body `full`, on which things are fitted."""

    data: BodyData
    owner: Int[np.ndarray, " V"]
    tree: KDTree

    def of(self, names: tuple[str, ...]) -> Bool[np.ndarray, " V"]:
        """Say which vertices belong to some joints."""
        return np.isin(self.owner, [SMPL_JOINTS.index(name) for name in names])

    def directions(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3 10"]:
        """Return how points move with the betas: as the body's nearest vertices do on average."""
        _, near = self.tree.query(points, k=NEIGHBOURS)
        return self.data.shapedirs[near].mean(1)

    def weights(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 24"]:
        """Return the mean skinning weights of the body's nearest vertices, four joints a point."""
        _, near = self.tree.query(points, k=NEIGHBOURS)
        weights = self.data.weights[near].mean(1)
        weights[weights < np.sort(weights, axis=1)[:, -4:-3]] = 0
        return weights / weights.sum(1, keepdims=True)


@lru_cache(maxsize=1)
def figure() -> Figure:
    """Return the shipped body `full`."""
    data = read_body("full")
    return Figure(data, data.weights.argmax(1), KDTree(data.v_template))


def garment(
    name: str,
    kind: str,
    mesh: Mesh,
    texture: UInt8[np.ndarray, "H W channels"],
    weights: Float[np.ndarray, "V 24"] | None = None,
    directions: Float[np.ndarray, "V 3 10"] | None = None,
) -> Garment:
    """Make a garment of a mesh; it hides nothing of the body.

    Args:
        name: of the garment.
        kind: of the garment.
        mesh: in the T-pose.
        texture: sRGB, and alpha where it has holes.
        weights: skinning weights; those of the skin nearby by default.
        directions: for the betas; those of the body nearby by default.
    """
    body, vertices = figure(), mesh.vertices
    weights = body.weights(vertices) if weights is None else weights
    directions = body.directions(vertices) if directions is None else directions
    return Garment(
        name=name,
        kind=kind,
        template=vertices.astype(np.float32),
        directions=directions.astype(np.float32),
        weights=weights.astype(np.float32),
        uv=mesh.uv.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        weld=np.arange(len(vertices), dtype=np.int32),
        covers=np.zeros(len(body.owner), bool),
        texture=texture,
    )


def rigid(joints: dict[str, float], count: int) -> Float[np.ndarray, "count 24"]:
    """Return the same skinning weights for all vertices."""
    weights = np.zeros((count, len(SMPL_JOINTS)))
    for name, share in joints.items():
        weights[:, SMPL_JOINTS.index(name)] = share
    return weights


def outline(
    points: Float[np.ndarray, "P 2"], centre: Float[np.ndarray, "2"], angles: Float[np.ndarray, "A"]
) -> Float[np.ndarray, " A"]:
    """Return the distances from a centre, which is inside, to the convex hull of points."""
    equations = ConvexHull(points).equations
    slope = np.stack([np.cos(angles), np.sin(angles)], 1) @ equations[:, :2].T
    gap = -(equations[:, :2] @ centre + equations[:, 2])
    return np.where(slope > 1e-9, gap / np.maximum(slope, 1e-9), np.inf).min(1)


def ribbon(
    path: Float[np.ndarray, "P 3"],
    outwards: Float[np.ndarray, "P 3"],
    width: float,
    closed: bool = False,
) -> Mesh:
    """Make a band along a path; `outwards` are its normals."""
    along = np.gradient(path, axis=0)
    across = np.cross(along, outwards)
    across *= width / 2 / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    vertices = np.stack([path - across, path + across], 1).reshape(-1, 3)
    k = np.arange(len(path) if closed else len(path) - 1) * 2
    m = (k + 2) % (2 * len(path))
    quads = np.stack([k, k + 1, m + 1, m], 1)
    uv = np.tile([[0.5, 0.25], [0.5, 0.75]], (len(path), 1))
    return outside(Mesh(vertices, triangles(quads), uv), np.repeat(outwards, 2, 0))


def box(
    centre: tuple[float, float, float], half: tuple[float, float, float], power: float = 4.0
) -> Mesh:
    """Make a box with round corners: a superellipsoid."""
    rows, columns = 9, 16
    up = np.linspace(-np.pi / 2, np.pi / 2, rows)[:, None]
    around = np.arange(columns) * (2 * np.pi / columns)
    ball = np.stack(
        [np.cos(up) * np.cos(around), np.sin(up) + 0 * around, np.cos(up) * np.sin(around)], 2
    ).reshape(-1, 3)
    norm = (np.abs(ball) ** power).sum(1, keepdims=True) ** (1 / power)
    k = np.arange((rows - 1) * columns)
    beside = k - k % columns + (k + 1) % columns
    quads = np.stack([k, beside, beside + columns, k + columns], 1)
    uv = 0.5 + 0.45 * np.stack([ball[:, 0], ball[:, 1]], 1)
    shape = Mesh(ball / norm * half + centre, triangles(quads), uv)
    return outside(shape, ball)


def triangles(quads: Int[np.ndarray, "Q 4"]) -> Int[np.ndarray, "F 3"]:
    """Cut quadrilaterals in two."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def outside(mesh: Mesh, outwards: Float[np.ndarray, "V 3"]) -> Mesh:
    """Return a mesh whose faces run counter-clockwise seen from where `outwards` points."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    facing = (np.cross(b - a, c - a) * outwards[mesh.faces].mean(1)).sum(1)
    faces = np.where((facing < 0)[:, None], mesh.faces[:, ::-1], mesh.faces)
    return mesh._replace(faces=faces)


def joined(*meshes: Mesh) -> Mesh:
    """Put meshes together."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=True)]),
        np.concatenate([m.uv for m in meshes]),
    )


def plain(*colours: tuple[int, int, int]) -> UInt8[np.ndarray, "16 W 3"]:
    """Return a texture of upright stripes of even colour."""
    return np.repeat(np.tile(np.array(colours, np.uint8), (16, 1, 1)), 16, axis=1)
