"""One garment's file: a mesh whose vertices hang on the vertices of the base mesh.

The format is three.js JSON 3.1, as written from MakeHuman's .mhclo: each vertex names three base
vertices, three weights and an offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from hmr_edu.body.build.weights import neighbour_mean
from hmr_edu.io.errors import DataError, first_meaning

# A record of `faces`: the flags of "a quad with one material and texture coordinates", four
# vertices, the material, four texture coordinates.
RECORD, QUAD = 10, 11
# A component of an outfit whose mean height in the base mesh is below is a bottom, in metres.
WAIST = 0.05
# A component of shoes that reaches above is a sock.
ANKLE = -0.65
# The largest number of vertices, and of decimetres of an offset.
MOST, FARTHEST = 2**15, 100.0


@dataclass(frozen=True)
class Proxy:
    """One mesh: V vertices on the base mesh, F triangles with a texture place for each corner.

    Offsets in decimetres. `corners` index `uv`. `hides` marks the base vertices that the garment
    hides.
    """

    refs: Int[np.ndarray, "V 3"]
    weights: Float[np.ndarray, "V 3"]
    offsets: Float[np.ndarray, "V 3"]
    uv: Float[np.ndarray, "U 2"]
    faces: Int[np.ndarray, "F 3"]
    corners: Int[np.ndarray, "F 3"]
    hides: Bool[np.ndarray, " N"]

    def on(
        self, base: Float[np.ndarray, "N 3"], steps: Float[np.ndarray, " 3"]
    ) -> Float[np.ndarray, "V 3"]:
        """Hang the vertices on a base mesh; `steps` is the length of an offset's unit."""
        return (self.weights[:, :, None] * base[self.refs]).sum(1) + self.offsets * steps

    def part(self, chosen: Bool[np.ndarray, " F"]) -> Proxy:
        """Return the part that has the chosen faces, without the vertices that it does not use."""
        used, faces = np.unique(self.faces[chosen], return_inverse=True)
        places, corners = np.unique(self.corners[chosen], return_inverse=True)
        return Proxy(
            self.refs[used],
            self.weights[used],
            self.offsets[used],
            self.uv[places],
            faces.reshape(-1, 3),
            corners.reshape(-1, 3),
            self.hides,
        )

    def smoothing(self):
        """Return the operator that replaces values of vertices by their neighbours' mean."""
        return neighbour_mean(self.faces, len(self.refs))


def _columns(values: object, columns: int, name: str, kind: type = float) -> np.ndarray:
    """Return a table of numbers; raise DataError unless it has that many columns."""
    try:
        table = np.array(values, dtype=np.float64)
        if columns and table.ndim == 1:
            table = table.reshape(-1, columns)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{name}: {first_meaning(error)}") from None
    if table.ndim != (2 if columns else 1) or (columns and table.shape[1] != columns):
        raise DataError(f"{name} must have {columns} columns, its shape is {table.shape}")
    if not np.isfinite(table).all():
        raise DataError(f"{name} holds NaN or infinite values")
    if kind is int and (table != np.rint(table)).any():
        raise DataError(f"{name} must hold whole numbers")
    return table.astype(np.int64) if kind is int else table


def _indices(table: np.ndarray, count: int, name: str) -> np.ndarray:
    if table.min(initial=0) < 0 or table.max(initial=-1) >= count:
        raise DataError(f"{name} must be from 0 to {count - 1}")
    return table


def parse_proxy(content: dict, base: int) -> Proxy:
    """Read one mesh that hangs on a base mesh of `base` vertices.

    Raises DataError that says what does not fit.
    """
    try:
        flags = content["metadata"]["deleteVerts"]
        places, raw = content["uvs"][0], content["faces"]
        refs = _columns(content["ref_vIdxs"], 3, "ref_vIdxs", int)
        weights = _columns(content["weights"], 3, "weights")
        offsets = _columns(content["offsets"], 3, "offsets")
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"not a garment ({type(error).__name__}: {error})") from None
    V = len(refs)
    if not 0 < V <= MOST or weights.shape != refs.shape or offsets.shape != refs.shape:
        raise DataError("ref_vIdxs, weights and offsets must have one row a vertex")
    if np.abs(weights.sum(1) - 1).max() > 1e-2 or np.abs(offsets).max() > FARTHEST:
        raise DataError("weights must sum to 1, and offsets must be small")
    uv = _columns(places, 2, "uvs")
    table = _columns(raw, RECORD, "faces", int)
    if (table[:, 0] != QUAD).any():
        raise DataError("faces must be quads with texture coordinates")
    quads = _indices(table[:, 1:5], V, "vertices of faces")
    corners = _indices(table[:, 6:], len(uv), "texture coordinates of faces")
    hides = _columns(flags, 0, "deleteVerts")
    if hides.shape != (base,):
        raise DataError(f"deleteVerts must have {base} entries")
    return Proxy(
        _indices(refs, base, "ref_vIdxs"),
        weights,
        offsets,
        uv,
        np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]),
        np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]),
        hides > 0,
    )


def face_components(proxy: Proxy) -> Int[np.ndarray, " F"]:
    """Return the number of the connected component of each face."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = proxy.faces[:, [0, 1]].ravel(), proxy.faces[:, [1, 2]].ravel()
    count = len(proxy.refs)
    links = coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
    return connected_components(links, directed=False)[1][proxy.faces[:, 0]]


def split(proxy: Proxy, kind: str, base: Float[np.ndarray, "N 3"]) -> dict[str, Proxy]:
    """Split a work into its pieces by their place on the base mesh (metres, A-pose).

    An outfit gives "top" and "bottom", or "whole" where it is of one piece; shoes give "shoes" and
    "socks"; hats and hair stay as they are.
    """
    if kind not in ("outfit", "shoes"):
        return {kind: proxy}
    heights = proxy.on(base, np.full(3, 0.1))[:, 1][proxy.faces]
    component = face_components(proxy)
    low = np.zeros(len(component), dtype=bool)
    for number in np.unique(component):
        mine = component == number
        if kind == "shoes":
            low[mine] = heights[mine].max() < ANKLE
        else:
            low[mine] = heights[mine].mean() < WAIST
    below, above = ("shoes", "socks") if kind == "shoes" else ("bottom", "top")
    if kind == "outfit" and (low.all() or not low.any() or len(np.unique(component)) == 1):
        return {"whole": proxy}
    return {above: proxy.part(~low), below: proxy.part(low)}
