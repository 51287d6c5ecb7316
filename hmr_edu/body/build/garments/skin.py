"""Where the two bodies lie in the textures of the skins: the base mesh's own texture coordinates.

Eyes have no place there, because the base mesh has eyeballs of their own. They get a place in a
free corner of the texture, where `paint.py` paints an eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from hmr_edu.body.build.clean import ClosedSkin, outer_quads
from hmr_edu.body.build.crowd import Crowd
from hmr_edu.body.build.decimate import nearest_faces
from hmr_edu.body.build.source import Source
from hmr_edu.body.data import BodyData
from hmr_edu.body.wardrobe import SkinChart
from hmr_edu.io.errors import DataError

# Middle of the painted eye in the texture, its radius there and on the body (metres).
EYE, EYE_SIZE, EYE_RADIUS = np.array([0.955, 0.955]), 0.035, 0.022
# Corners are pulled this far to the middle of their face before the face below is looked for.
PULL = 0.12
# Texture widths a metre above which a face of the small body must straddle a seam.
STRETCH = 2.0
# Places of one vertex that are nearer to each other become one, in texture widths.
NEAR = 0.015


def parse_uv(text: str, name: str) -> tuple[Float[np.ndarray, "U 2"], Int[np.ndarray, "Q 4"]]:
    """Return texture coordinates and those of each corner of the group `body` of an obj file."""
    uv, quads, group = [], [], ""
    try:
        for line in text.splitlines():
            kind, *rest = line.split() or [""]
            if kind == "vt":
                uv.append([float(x) for x in rest[:2]])
            elif kind == "g":
                group = rest[0]
            elif kind == "f" and group == "body":
                quads.append([int(corner.split("/")[1]) - 1 for corner in rest])
        table, corners = np.array(uv, dtype=np.float64), np.array(quads, dtype=np.int64)
    except (ValueError, IndexError) as error:
        raise DataError(f"{name}: no texture coordinates ({error})") from None
    if table.ndim != 2 or corners.ndim != 2 or not 0 <= corners.min() <= corners.max() < len(uv):
        raise DataError(f"{name}: texture coordinates do not match the faces")
    return table, corners


def source_vertices(skin: ClosedSkin, source: Source) -> Int[np.ndarray, " V"]:
    """Return the source vertex of each vertex of the body `full`; -1 where it is a new one."""
    entries = np.diff(skin.combine.indptr)
    first = skin.combine.indices[skin.combine.indptr[:-1]]
    left = np.where(entries == 1, first, -1)
    return skin.half.whole(left, np.where(left >= 0, source.mirror[left], -1))


def _eye_places(points: Float[np.ndarray, "P 3"], pupil: Float[np.ndarray, " 3"]) -> np.ndarray:
    """Return where points of an eye lie in the painted eye; the right eye's are mirrored."""
    flat = (points - pupil)[:, :2] * (np.sign(pupil[0]), 1)
    return EYE + flat * (EYE_SIZE / EYE_RADIUS)


@dataclass(frozen=True)
class _Corners:
    """The body `full` in the texture: the place of each corner, and the faces of the two eyes."""

    places: Int[np.ndarray, "F 3"]
    uv: Float[np.ndarray, "U 2"]
    eyes: Bool[np.ndarray, " F"]


def full_corners(
    skin: ClosedSkin, source: Source, table: np.ndarray, quads: np.ndarray, points: np.ndarray
) -> _Corners:
    """Look up the texture place of each corner of the body `full`.

    Args:
        skin: the closed skin.
        source: the source mesh.
        table: its texture coordinates.
        quads: the texture place of each corner of its quads.
        points: vertices of the body `full` in T-pose.
    """
    origin, faces = source_vertices(skin, source), skin.half.whole_faces()
    outer = outer_quads(source)
    of_triple, of_vertex = {}, {}
    for quad, place in zip(source.quads[outer].tolist(), quads[outer].tolist(), strict=True):
        known = dict(zip(quad, place, strict=True))
        of_vertex |= known
        for left_out in quad:
            of_triple[frozenset(quad) - {left_out}] = known
    uv = table.tolist()
    eye = np.zeros(len(points), dtype=bool)
    eye[skin.eye] = eye[skin.half.partner[skin.eye]] = True
    pupils = [points[eye & (points[:, 0] * side > 0)] for side in (1, -1)]
    pupils = [middle[middle[:, 2].argmin()] for middle in pupils]
    in_eye = eye[faces].any(1)
    places = np.empty(faces.shape, dtype=np.int64)
    new: dict[tuple[str, int], int] = {}
    ring: dict[int, set[int]] = {}
    for face in faces[~in_eye]:
        for vertex in face[origin[face] < 0].tolist():
            ring.setdefault(vertex, set()).update(origin[face][origin[face] >= 0].tolist())
    for number, face in enumerate(faces.tolist()):
        known = of_triple.get(frozenset(origin[face].tolist()), of_vertex)
        for corner, vertex in enumerate(face):
            key = ("eye" if in_eye[number] else "mouth", vertex)
            if not in_eye[number] and origin[vertex] >= 0:
                places[number, corner] = known[int(origin[vertex])]
                continue
            if key not in new:
                new[key] = len(uv)
                if in_eye[number]:
                    pupil = pupils[0 if points[vertex, 0] > 0 else 1]
                    uv.append(_eye_places(points[[vertex]], pupil)[0].tolist())
                else:
                    around = [table[of_vertex[near]] for near in sorted(ring[vertex])]
                    uv.append(np.mean(around, axis=0).tolist())
            places[number, corner] = new[key]
    return _Corners(places, np.array(uv), in_eye)


def _chart(faces: np.ndarray, places: np.ndarray, uv: np.ndarray) -> SkinChart:
    """Double the vertices of a body where its corners have several places."""
    pairs = np.stack([faces.ravel(), places.ravel()], axis=1)
    doubled, index = np.unique(pairs, axis=0, return_inverse=True)
    return SkinChart(
        uv[doubled[:, 1]].astype(np.float32),
        doubled[:, 0].astype(np.int32),
        index.reshape(-1, 3).astype(np.int32),
    )


def lite_chart(lite: BodyData, full: BodyData, corners: _Corners) -> SkinChart:
    """Carry the chart of `full` to `lite`: each corner gets the place of the nearest face.

    Corners are pulled to the middle of their face first. Where the three find faces on different
    sides of a seam, the face below the middle gives all three places.
    """
    from trimesh.triangles import points_to_barycentric

    points, small = (
        full.v_template.astype(np.float64),
        lite.v_template.astype(np.float64)[lite.faces],
    )
    middle = small.mean(1)
    uv = corners.uv[corners.places]

    def places(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, _ = nearest_faces(queries.reshape(-1, 3), points, full.faces.astype(np.int64))
        found = np.repeat(found, 3 // queries.shape[1])
        share = points_to_barycentric(points[full.faces[found]], small.reshape(-1, 3))
        at = (share[:, :, None] * uv[found]).sum(1).reshape(-1, 3, 2)
        return at, corners.eyes[found].reshape(-1, 3)

    each, eyes = places(small + PULL * (middle[:, None] - small))
    together, _ = places(middle[:, None])
    size = np.abs(small - np.roll(small, 1, axis=1)).max((1, 2))
    spread = np.abs(each - np.roll(each, 1, axis=1)).max((1, 2))
    straddles = (spread > STRETCH * size) | (eyes.any(1) & ~eyes.all(1))
    each = np.where(straddles[:, None, None], together, each)
    return _chart(lite.faces, *_merged(lite.faces, each))


def _merged(
    faces: Int[np.ndarray, "F 3"], uv: Float[np.ndarray, "F 3 2"]
) -> tuple[Int[np.ndarray, "F 3"], Float[np.ndarray, "U 2"]]:
    """Give corners of one vertex that nearly agree one place, the mean of theirs."""
    flat, places = uv.reshape(-1, 2), np.empty(faces.size, dtype=np.int64)
    order = np.argsort(faces.ravel(), kind="stable")
    table: list[np.ndarray] = []
    for corners in np.split(order, np.flatnonzero(np.diff(faces.ravel()[order])) + 1):
        left = corners
        while len(left):
            near = np.abs(flat[left] - flat[left[0]]).max(1) < NEAR
            places[left[near]] = len(table)
            table.append(flat[left[near]].mean(0))
            left = left[~near]
    return places.reshape(-1, 3), np.array(table)


def make_charts(
    crowd: Crowd, text: str, name: str, lite: BodyData, full: BodyData
) -> dict[str, SkinChart]:
    """Return the charts of both bodies.

    Args:
        crowd: the adults of the build, for the source and the skin.
        text: the obj file of the base mesh.
        name: its name, for errors.
        lite: the small body.
        full: the large body.
    """
    table, quads = parse_uv(text, name)
    points = full.v_template.astype(np.float64)
    corners = full_corners(crowd.skin, crowd.source, table, quads, points)
    return {
        "lite": lite_chart(lite, full, corners),
        "full": _chart(full.faces, corners.places, corners.uv),
    }
