"""Draw the faces of a mesh into its texture: which texels are used, and what lies there."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

# A texel counts as inside when its middle is at most this share of a face outside of it.
MARGIN = 1e-9


def texel_map(
    uv: Float[np.ndarray, "V 2"],
    faces: Int[np.ndarray, "F 3"],
    values: Float[np.ndarray, "V C"],
    size: int,
) -> tuple[Float[np.ndarray, "size size C"], Bool[np.ndarray, "size size"]]:
    """Interpolate values of vertices over the texels, and return which texels have any.

    Args:
        uv: texture places, origin at the bottom left.
        faces: triangles that index uv and values.
        values: of the vertices.
        size: rows and columns of the texture.
    """
    values = np.asarray(values, dtype=np.float64)
    places = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float64) * size - 0.5
    image = np.zeros((size, size, values.shape[1]))
    used = np.zeros((size, size), dtype=bool)
    for face in faces:
        (ax, ay), (bx, by), (cx, cy) = corners = places[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        low = np.maximum(np.ceil(corners.min(0) - MARGIN).astype(int), 0)
        high = np.minimum(np.floor(corners.max(0) + MARGIN).astype(int), size - 1)
        if (high < low).any():
            continue
        x = np.arange(low[0], high[0] + 1)[None]
        y = np.arange(low[1], high[1] + 1)[:, None]
        b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        inside = (b >= -MARGIN) & (c >= -MARGIN) & (b + c <= 1 + MARGIN)
        share = np.stack([1 - b - c, b, c], axis=-1)[inside]
        rows, columns = np.nonzero(inside)
        image[rows + low[1], columns + low[0]] = share @ values[face]
        used[rows + low[1], columns + low[0]] = True
    return image, used


def filled(
    image: Float[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]
) -> Float[np.ndarray, "H W C"]:
    """Give every unknown texel the value of the nearest known one."""
    from scipy.ndimage import distance_transform_edt

    if not known.any():
        return image
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return image[tuple(nearest)]
