"""Textures of the garments: folds baked in, cut to the piece, and made small."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from hmr_edu.body.build.garments.raster import filled, texel_map

# The light that the folds are seen in, in the frame of the texture.
LIGHT = np.array([0.25, 0.55, 0.8])
AMBIENT, SHADE, DARKEST, BRIGHTEST = 0.4, 0.35, 0.55, 1.4
# Where hair is more transparent, its colour means nothing.
SEEN = 0.35
# Texels around a piece that are kept.
RIM = 0.01


def linear(colour: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def srgb(light: np.ndarray) -> np.ndarray:
    """Convert linear light in [0, 1] to sRGB (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def baked(
    picture: UInt8[np.ndarray, "H W 4"],
    occlusion: UInt8[np.ndarray, "H W 4"] | None,
    normal: UInt8[np.ndarray, "H W 4"] | None,
) -> UInt8[np.ndarray, "H W 4"]:
    """Shade a texture by its ambient occlusion and its normal map, as if folds were geometry."""
    shade = np.ones(picture.shape[:2])
    if occlusion is not None:
        shade *= AMBIENT + (1 - AMBIENT) * occlusion[..., 0] / 255
    if normal is not None:
        n = normal[..., :3] / 127.5 - 1
        n /= np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-6)
        lit = SHADE + (1 - SHADE) * (n @ LIGHT) / LIGHT[2]
        shade *= np.where(normal[..., 3] > 0, np.clip(lit, DARKEST, BRIGHTEST), 1)
    light = linear(picture[..., :3] / 255) * shade[..., None]
    out = picture.copy()
    out[..., :3] = np.rint(255 * srgb(np.clip(light, 0, 1)))
    return out


def shrunk(image: UInt8[np.ndarray, "H W C"], height: int, width: int) -> np.ndarray:
    """Make a picture smaller by the mean over areas."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def piece_texture(
    picture: UInt8[np.ndarray, "H W 4"],
    uv: Float[np.ndarray, "V 2"],
    faces: Int[np.ndarray, "F 3"],
    size: int,
    alpha: bool,
) -> tuple[UInt8[np.ndarray, "h w channels"], Float[np.ndarray, "V 2"]]:
    """Return a piece's own texture, and the texture coordinates in it.

    The part of the texture that the piece uses is cut out, its surroundings get the nearest colour
    of the piece, and it is made smaller. With `alpha` the fourth channel stays.

    Args:
        picture: the texture of the whole work.
        uv: texture coordinates of the piece.
        faces: its triangles.
        size: the longer side of the result.
        alpha: whether the piece has holes.
    """
    side = picture.shape[0]
    low, high = uv.min(0) - RIM, uv.max(0) + RIM
    left, right = int(np.floor(low[0] * side)), int(np.ceil(high[0] * side))
    top, bottom = int(np.floor((1 - high[1]) * side)), int(np.ceil((1 - low[1]) * side))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, side), min(bottom, side)
    _, used = texel_map(uv, faces, uv, side)
    if alpha:
        used = used & (picture[..., 3] > SEEN * 255)
    colours = filled(picture[..., :3].astype(np.float64), used).astype(np.uint8)
    whole = np.concatenate([colours, picture[..., 3:]], axis=2) if alpha else colours
    cut = np.ascontiguousarray(whole[top:bottom, left:right])
    scale = min(1.0, size / max(cut.shape[:2]))
    height, width = (max(4, round(n * scale)) for n in cut.shape[:2])
    moved = np.stack(
        [
            (uv[:, 0] * side - left) / (right - left),
            1 - ((1 - uv[:, 1]) * side - top) / (bottom - top),
        ],
        axis=1,
    )
    return shrunk(cut, height, width), np.clip(moved, 0, 1)
