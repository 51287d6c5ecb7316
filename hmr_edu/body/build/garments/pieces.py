"""One piece of a work on its way: hung on the body, simplified, and doubled at its seams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from hmr_edu.body.build.garments.catalogue import Item
from hmr_edu.body.build.garments.collapse import collapse
from hmr_edu.body.build.garments.fit import Hung
from hmr_edu.body.build.garments.proxy import Proxy
from hmr_edu.body.data import BodyData

# Joints of a vertex.
STRONGEST = 4
# Triangles that a piece keeps at most, if its seams allow it.
FACES = {"top": 1500, "bottom": 1500, "whole": 2600, "shoes": 1000, "socks": 300, "hat": 600}
HAIR_FACES = 2000


@dataclass(frozen=True)
class Piece:
    """One piece of a work on its way: what was read, and its simpler mesh."""

    item: Item
    kind: str
    hung: Hung
    weights: Float[np.ndarray, "V 24"]
    straight: Float[np.ndarray, "V 3"]

    @property
    def name(self) -> str:
        """The work, and its part where it has several."""
        alone = self.kind == self.item.kind
        return self.item.name if alone else f"{self.item.name}/{self.kind}"

    @property
    def shape(self) -> bytes:
        """The same for two pieces that differ in their texture alone."""
        proxy = self.hung.piece
        arrays = (proxy.refs, proxy.weights, proxy.offsets, proxy.uv, proxy.faces, proxy.corners)
        return b"".join(array.tobytes() for array in arrays)


def skin_weights(
    proxy: Proxy, rows: sparse.csr_array, body: BodyData, rounds: int
) -> Float[np.ndarray, "V 24"]:
    """Take the skinning weights of the nearest skin, averaged over neighbours of the garment."""
    weights = rows @ body.weights.astype(np.float64)
    mean = proxy.smoothing()
    for _ in range(rounds):
        weights = (weights + mean @ weights) / 2
    fifth = np.sort(weights, axis=1)[:, -STRONGEST - 1]
    weights = np.where(weights > fifth[:, None], weights, 0)
    return weights / weights.sum(1, keepdims=True)


def simpler(piece: Piece) -> Piece:
    """Return the piece with fewer faces, where it has more than its work allows."""
    proxy = piece.hung.piece
    goal = FACES.get(piece.kind, HAIR_FACES)
    faces, corners = collapse(piece.straight, proxy.faces, proxy.corners, proxy.uv, goal)
    used = np.unique(faces)
    places = np.unique(corners)
    small = Proxy(
        proxy.refs[used],
        proxy.weights[used],
        proxy.offsets[used],
        proxy.uv[places],
        np.searchsorted(used, faces),
        np.searchsorted(places, corners),
        proxy.hides,
    )
    hung = Hung(small, piece.hung.scale, piece.hung.rows[used])
    return Piece(piece.item, piece.kind, hung, piece.weights[used], piece.straight[used])


def hidden_by(
    pieces: list[Piece], origin: Int[np.ndarray, " V"], body: BodyData
) -> list[Bool[np.ndarray, " V"]]:
    """Return which vertices of the body `full` each piece of one work hides.

    The work says which ones it hides; each of them is hidden by the piece that is nearest.
    """
    from scipy.spatial import KDTree

    hides = pieces[0].hung.piece.hides
    marked = (origin >= 0) & hides[np.maximum(origin, 0)]
    points = body.v_template.astype(np.float64)
    gaps = np.stack([KDTree(piece.straight).query(points)[0] for piece in pieces])
    nearest = gaps.argmin(0)
    return [marked & (nearest == k) for k in range(len(pieces))]


def doubled(
    proxy: Proxy,
) -> tuple[Int[np.ndarray, " D"], Float[np.ndarray, "D 2"], np.ndarray, np.ndarray]:
    """Double vertices at the seams of the texture: their vertex, their place, faces and weld."""
    # In the order of their first face, neighbours get near numbers, which packs better.
    pairs = np.stack([proxy.faces.ravel(), proxy.corners.ravel()], axis=1)
    found, first, index = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    vertex = found[order, 0]
    _, start, group = np.unique(vertex, return_index=True, return_inverse=True)
    return vertex, proxy.uv[found[order, 1]], rank[index].reshape(-1, 3), start[group]
