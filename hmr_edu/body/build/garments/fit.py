"""From garments on the base mesh to the body's own T-pose and betas.

Each sampled adult of the body build wears every garment: the garment hangs on the adult's base mesh
in the A-pose, and the adult's own bones straighten it with the skin. Its template is the mean over
the adults. Its directions are the regression on their betas: the same linear map that gives
`shapedirs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from tqdm import tqdm

from hmr_edu.body.build.crowd import Crowd
from hmr_edu.body.build.decimate import nearest_on_triangles
from hmr_edu.body.build.garments.catalogue import Scale
from hmr_edu.body.build.garments.proxy import Proxy
from hmr_edu.body.build.mirror import FLIP
from hmr_edu.body.build.rest_pose import bone_partners
from hmr_edu.body.build.shape_space import ShapeSpace, principal_components
from hmr_edu.body.build.skinning import dual_quaternion_skinning


def symmetric(values: Float[np.ndarray, "N 3"], mirror: Int[np.ndarray, " N"]) -> np.ndarray:
    """Average positions or offsets of the base mesh with their mirror image."""
    return (values + values[mirror] * FLIP) / 2


def steps(base: Float[np.ndarray, "N 3"], scale: Scale) -> Float[np.ndarray, " 3"]:
    """Return the length of an offset's unit on a base mesh, for x, y and z."""
    return np.array([abs(base[a, k] - base[b, k]) / size for k, (a, b, size) in enumerate(scale)])


@dataclass(frozen=True)
class Hung:
    """One piece, its scale, and the rows of the nearest points of the body `full` [V, full_V]."""

    piece: Proxy
    scale: Scale
    rows: sparse.csr_array


@dataclass(frozen=True)
class Worn:
    """One piece in the body's T-pose: V vertices, metres.

    `left_over` is the root mean squared distance of each vertex to the adults' own that the betas
    do not explain.
    """

    template: Float[np.ndarray, "V 3"]
    directions: Float[np.ndarray, "V 3 K"]
    left_over: Float[np.ndarray, " V"]


class Fitting:
    """Hangs pieces on the adults of a crowd and puts them into T-pose."""

    def __init__(self, crowd: Crowd, count: int) -> None:
        """Take the first `count` adults, those that the body's shape space is made of."""
        self.crowd, self.mixes = crowd, crowd.mixes[:count]
        mirror, rig = crowd.source.mirror, crowd.straightener.rig
        self.base = symmetric(crowd.source.vertices, mirror)
        self.offsets = np.stack([symmetric(offset, mirror) for offset in crowd.offsets])
        half = crowd.skin.half
        soft = rig.soft_weights.toarray()
        soft = half.whole(soft, soft[:, bone_partners(rig.names)])
        self.soft_weights = sparse.csr_array(soft)
        self.mean_mix = self.mixes.mean(0)
        self.mean_base = self.base + np.tensordot(self.mean_mix, self.offsets, 1)
        self.mean_skin = half.points(crowd.straightener.bent(self.mean_mix))
        self.skin_faces = half.whole_faces()

    def hang(self, piece: Proxy, scale: Scale) -> Hung:
        """Find the skin below a piece, on the mean adult in A-pose."""
        points = piece.on(self.mean_base, steps(self.mean_base, scale))
        return Hung(piece, scale, nearest_on_triangles(points, self.mean_skin, self.skin_faces))

    def straight(self, hung: Hung) -> Float[np.ndarray, "V 3"]:
        """Return one piece on the mean adult in T-pose."""
        motions, _, shift = self.crowd.bones(self.mean_mix)
        points = hung.piece.on(self.mean_base, steps(self.mean_base, hung.scale))
        weights = sparse.csr_array(hung.rows @ self.soft_weights)
        return dual_quaternion_skinning(points, weights, motions) + shift

    def shape_space(self) -> tuple[ShapeSpace, Float[np.ndarray, "P K"]]:
        """Recompute the body's shape space, and each adult's betas in it."""
        bodies = np.stack(
            [
                self.crowd.straight(mix)[0]
                for mix in tqdm(self.mixes, desc="straightening", unit="body")
            ]
        )
        mid = self.crowd.skin.half.mid
        space = principal_components(bodies, mid)
        # A vertex off the plane counts for its partner too, as in the components.
        share = np.where(mid, 1.0, 2.0)[:, None]
        flat = (space.dirs * share[:, :, None]).reshape(-1, space.dirs.shape[2])
        scores = (bodies - space.mean).reshape(len(bodies), -1) @ flat
        return space, scores / (flat * space.dirs.reshape(flat.shape)).sum(0)

    def fit(self, pieces: list[Hung], betas: Float[np.ndarray, "P K"]) -> list[Worn]:
        """Put the pieces on every adult; return their means and their directions."""
        counts = [len(hung.piece.refs) for hung in pieces]
        scales = list(dict.fromkeys(hung.scale for hung in pieces))
        which = np.repeat([scales.index(hung.scale) for hung in pieces], counts)
        refs = np.concatenate([hung.piece.refs for hung in pieces])
        marks = np.array([[a, b] for scale in scales for a, b, _ in scale]).ravel()
        used, local = np.unique(np.concatenate([refs.ravel(), marks]), return_inverse=True)
        place = dict(zip(used.tolist(), range(len(used)), strict=True))
        near = [tuple((place[a], place[b], size) for a, b, size in scale) for scale in scales]
        values = np.concatenate([hung.piece.weights for hung in pieces]).ravel()
        rows = np.repeat(np.arange(len(refs)), 3)
        mixer = sparse.csr_array((values, (rows, local[: refs.size])), shape=(len(refs), len(used)))
        hanging = np.concatenate([hung.piece.offsets for hung in pieces])
        skins = sparse.vstack([hung.rows for hung in pieces], format="csr")
        weights = sparse.csr_array(skins @ self.soft_weights)
        base = self.base[used]
        offsets = np.ascontiguousarray(self.offsets[:, used]).reshape(len(self.offsets), -1)
        total, squares = np.zeros((len(refs), 3)), np.zeros(len(refs))
        slopes = np.zeros((len(refs), 3, betas.shape[1]))
        people = zip(self.mixes, betas, strict=True)
        for mix, scores in tqdm(people, desc="dressing", unit="body", total=len(betas)):
            body = base + (mix @ offsets).reshape(-1, 3)
            unit = np.stack([steps(body, scale) for scale in near])
            points = mixer @ body + hanging * unit[which]
            motions, _, shift = self.crowd.bones(mix)
            points = dual_quaternion_skinning(points, weights, motions) + shift
            total += points
            squares += (points**2).sum(1)
            slopes += points[:, :, None] * scores
        return _worn(total, squares, slopes, betas, np.cumsum(counts)[:-1])


def _worn(
    total: Float[np.ndarray, "V 3"],
    squares: Float[np.ndarray, " V"],
    slopes: Float[np.ndarray, "V 3 K"],
    betas: Float[np.ndarray, "P K"],
    cuts: np.ndarray,
) -> list[Worn]:
    """Make the pieces from sums over the adults.

    Args:
        total: sum of positions.
        squares: sum of their squared lengths.
        slopes: sum of positions times betas.
        betas: of the adults; their mean is zero.
        cuts: where a new piece starts.
    """
    count = len(betas)
    mean = total / count
    directions = (slopes - mean[:, :, None] * betas.sum(0)) / (betas**2).sum(0)
    explained = (directions**2).sum(1) @ ((betas**2).sum(0) / count)
    variance = squares / count - (mean**2).sum(1)
    left = np.sqrt(np.maximum(variance - explained, 0))
    parts = (np.split(values, cuts) for values in (mean, directions, left))
    return [Worn(*part) for part in zip(*parts, strict=True)]
