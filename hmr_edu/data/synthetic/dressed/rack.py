"""The wardrobe on one body: all garments as flat arrays, ready to be worn and drawn.

Garments follow the body by its own equations: a template and directions for the betas, the body's
joints, and the pose blend shapes of the point of the body that is nearest to a vertex. Nothing here
changes the body, so keypoints and meshes of the labels stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt8, UInt32
from scipy.spatial import KDTree

from hmr_edu.body import SMPL, read_body
from hmr_edu.body.wardrobe import Garment, SkinChart, Wardrobe
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS

STRONGEST = 4
# Number of faces with the nearest centres that are tried for the nearest point.
CANDIDATES = 12
# A garment is a skirt when a face this far below the hips, in metres, reaches from leg to leg.
BELOW_HIPS, BESIDE_MIDDLE = 0.2, 0.01


class Piece(NamedTuple):
    """Where one garment lies in the arrays of a rack."""

    name: str
    kind: str
    vertices: slice
    faces: slice
    holes: bool  # its texture has an alpha channel
    skirt: bool


@dataclass(frozen=True)
class Rack:
    """All garments, one after the other, and the skin chart of the body they are worn on.

    `corners` and `shares` are the three vertices of the body around the nearest point of each
    garment vertex; `joints` and `weights` its strongest skinning weights. `faces` count from the
    first vertex of their piece, `seamless` likewise, but without the seams of textures. `surface`
    is (u, v, number of the piece); the skin has the number after the last piece. `covers` are the
    vertices of this body that each piece hides. `pitches` are the sizes of a texel of each piece,
    and of the skin, in metres.
    """

    pieces: tuple[Piece, ...]
    template: Float32[np.ndarray, "V 3"]
    directions: Float32[np.ndarray, "V 3 10"]
    corners: Int32[np.ndarray, "V 3"]
    shares: Float32[np.ndarray, "V 3"]
    joints: UInt8[np.ndarray, "V 4"]
    weights: Float32[np.ndarray, "V 4"]
    surface: Float32[np.ndarray, "V 3"]
    parts: UInt8[np.ndarray, " V"]
    weld: Int32[np.ndarray, " V"]
    faces: UInt32[np.ndarray, "F 3"]
    seamless: UInt32[np.ndarray, "F 3"]
    covers: Bool[np.ndarray, "pieces body_V"]
    pitches: Float32[np.ndarray, " textures"]
    rest: Float32[np.ndarray, "body_V 3"]
    skin_source: Int32[np.ndarray, " skin_V"]
    skin_surface: Float32[np.ndarray, "skin_V 3"]
    skin_parts: UInt8[np.ndarray, " skin_V"]
    skin_faces: UInt32[np.ndarray, "skin_F 3"]
    body_faces: UInt32[np.ndarray, "skin_F 3"]

    @classmethod
    def of(cls, body: SMPL, wardrobe: Wardrobe) -> Rack:
        """Hang a wardrobe beside a body.

        Raises DataError when the wardrobe has no skin chart for the body.
        """
        rest, faces = body.v_template.numpy(), body.faces.numpy()
        chart = _chart_of(wardrobe, len(rest), faces)
        parts = body.weights.argmax(1).numpy().astype(np.uint8)
        garments = wardrobe.garments
        skin = np.full((len(chart.uv), 1), len(garments), np.float32)
        template = np.concatenate([g.template for g in garments])
        corners, places = near_faces(template, rest, faces)
        weights = np.concatenate([g.weights for g in garments])
        strongest = np.argsort(-weights, axis=1, kind="stable")[:, :STRONGEST]
        shares = np.take_along_axis(weights, strongest, axis=1)
        weld = [_representatives(g.weld) for g in garments]
        painted = [(g.template, g.faces, g.uv, g.texture) for g in garments]
        # All skins have textures of one size.
        painted.append((rest[chart.source], chart.faces, chart.uv, wardrobe.skins[0].texture))
        hips = float(body.J_template[SMPL_JOINTS.index("left_hip"), 1])
        return cls(
            pieces=tuple(_pieces(garments, hips)),
            template=template,
            directions=np.concatenate([g.directions for g in garments]),
            corners=corners,
            shares=places,
            joints=strongest.astype(np.uint8),
            weights=(shares / shares.sum(1, keepdims=True)).astype(np.float32),
            surface=np.concatenate([_surface(g.uv, k) for k, g in enumerate(garments)]),
            parts=strongest[:, 0].astype(np.uint8),
            weld=np.concatenate(weld),
            faces=np.concatenate([g.faces for g in garments]).astype(np.uint32),
            seamless=np.concatenate(
                [w[g.faces] for w, g in zip(weld, garments, strict=True)]
            ).astype(np.uint32),
            covers=_covers(garments, rest),
            pitches=np.array([_pitch(*mesh) for mesh in painted], np.float32),
            rest=rest,
            skin_source=chart.source,
            skin_surface=np.concatenate([chart.uv, skin], 1),
            skin_parts=parts[chart.source],
            skin_faces=chart.faces.astype(np.uint32),
            body_faces=faces.astype(np.uint32),
        )

    def of_kind(self, kind: str) -> list[int]:
        """Return the numbers of the pieces of one kind."""
        return [k for k, piece in enumerate(self.pieces) if piece.kind == kind]


def _chart_of(wardrobe: Wardrobe, vertices: int, faces: Int64[np.ndarray, "F 3"]) -> SkinChart:
    """Return the skin chart whose faces are those of the body."""
    for chart in wardrobe.charts.values():
        ours = chart.source[chart.faces]
        if ours.shape == faces.shape and chart.source.max() < vertices and (ours == faces).all():
            return chart
    known = ", ".join(wardrobe.charts)
    raise DataError(
        f"the wardrobe fits the bodies {known}, not one of {vertices} vertices: "
        "choose one of these, or people without garments (dressed 0)"
    )


def near_faces(
    points: Float32[np.ndarray, "P 3"],
    vertices: Float32[np.ndarray, "V 3"],
    faces: Int64[np.ndarray, "F 3"],
) -> tuple[Int32[np.ndarray, "P 3"], Float32[np.ndarray, "P 3"]]:
    """Return a face close to each point: its corners, and the weights of a point in it.

    Nearly the nearest point of the mesh, in a tenth of the time of the exact one: that is enough
    for what moves smoothly over the body.
    """
    triangles = vertices[faces].astype(np.float64)
    _, candidates = KDTree(triangles.mean(1)).query(points, k=min(CANDIDATES, len(faces)))
    a, b, c = triangles[candidates].transpose(2, 0, 1, 3)
    e, f, p = b - a, c - a, points[:, None] - a
    ee, ef, ff = (e * e).sum(2), (e * f).sum(2), (f * f).sum(2)
    pe, pf = (p * e).sum(2), (p * f).sum(2)
    area = np.maximum(ee * ff - ef * ef, 1e-18)
    second, third = (ff * pe - ef * pf) / area, (ee * pf - ef * pe) / area
    weights = np.stack([1 - second - third, second, third], axis=2).clip(0)
    weights /= weights.sum(2, keepdims=True)
    gap = np.square((weights[..., 1:2] * e + weights[..., 2:] * f) - p).sum(2)
    rows, best = np.arange(len(points)), gap.argmin(1)
    corners = faces[candidates[rows, best]]
    return corners.astype(np.int32), weights[rows, best].astype(np.float32)


def _pieces(garments: tuple[Garment, ...], hips: float) -> list[Piece]:
    pieces, first_vertex, first_face = [], 0, 0
    for g in garments:
        x, y = g.template[g.faces, 0], g.template[g.faces, 1]
        across = (x.min(1) < -BESIDE_MIDDLE) & (x.max(1) > BESIDE_MIDDLE)
        low = y.max(1) < hips - BELOW_HIPS
        pieces.append(
            Piece(
                name=g.name,
                kind=g.kind,
                vertices=slice(first_vertex, first_vertex + len(g.template)),
                faces=slice(first_face, first_face + len(g.faces)),
                holes=g.texture.shape[2] == 4,
                skirt=g.kind in ("bottom", "whole") and bool((across & low).any()),
            )
        )
        first_vertex += len(g.template)
        first_face += len(g.faces)
    return pieces


def _surface(uv: Float32[np.ndarray, "V 2"], number: int) -> Float32[np.ndarray, "V 3"]:
    return np.concatenate([uv, np.full((len(uv), 1), number, np.float32)], 1)


def _pitch(
    vertices: Float32[np.ndarray, "V 3"],
    faces: Int32[np.ndarray, "F 3"],
    uv: Float32[np.ndarray, "V 2"],
    texture: UInt8[np.ndarray, "H W channels"],
) -> float:
    """Return the size of a texel on a mesh in the T-pose, in metres."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    surface = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    (e, f), (g, h) = ((uv[faces[:, k]] - uv[faces[:, 0]]).T for k in (1, 2))
    texels = np.abs(e * h - f * g).sum() * texture.shape[0] * texture.shape[1]
    return float(np.sqrt(surface / max(texels, 1e-9)))


def _representatives(weld: Int32[np.ndarray, " V"]) -> Int32[np.ndarray, " V"]:
    """Return for each vertex the first one that is the same vertex of the seamless mesh."""
    _, first, inverse = np.unique(weld, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int32)


def _covers(
    garments: tuple[Garment, ...], rest: Float32[np.ndarray, "V 3"]
) -> Bool[np.ndarray, "pieces V"]:
    """Say which vertices of a body the garments hide; they know it of the body `full`."""
    covers = np.stack([g.covers for g in garments])
    if covers.shape[1] == len(rest):
        return covers
    _, nearest = KDTree(read_body("full").v_template).query(rest)
    return covers[:, nearest]
