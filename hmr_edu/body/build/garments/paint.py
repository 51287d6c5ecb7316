"""The textures of the skins: eyes and brows painted in, chest and groin without any detail.

The source's skins are anatomical. Nobody is to be drawn undressed, and what is shipped does not
show it: from the upper chest to the thighs the skin has only the colours that surround it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hmr_edu.body.build.decimate import nearest_faces
from hmr_edu.body.build.garments.catalogue import PaintedSkin
from hmr_edu.body.build.garments.raster import filled, texel_map
from hmr_edu.body.build.garments.skin import EYE, EYE_RADIUS, EYE_SIZE
from hmr_edu.body.build.garments.texture import linear, shrunk, srgb
from hmr_edu.body.data import BodyData
from hmr_edu.body.wardrobe import SkinChart

# Heights between which, and the distance from the middle up to which, the skin of the T-pose is
# plain; and over how much it fades. Metres.
PLAIN_FROM, PLAIN_TO, PLAIN_WIDTH, FADE = -0.56, 0.09, 0.21, 0.04
# How far colours flow into the plain part, in texture widths; and from where: height above the feet
# and below the neck, distance from the middle before the hands. Metres.
FLOW, ABOVE, BELOW, BEFORE = 0.11, -0.95, 0.19, 0.6
# Radii of pupil and iris in metres; the white of the eye in linear light, darker under the lid.
PUPIL, IRIS, LID = 1.9e-3, 5.6e-3, 0.45
WHITE = {"african": 0.28, "asian": 0.38, "caucasian": 0.38}
# Brows are blurred by so many texels, and never hide all of the skin.
SOFT, DENSE = 0.7, 0.85
EYES = {"african": (52, 32, 20), "asian": (58, 36, 22), "caucasian": (92, 104, 108)}
BROWN = (84, 58, 36)
# A brow's hairs lie at most this far before the skin, and this far beside it, in metres.
CLOSE, BESIDE = 0.015, 1.5e-3
HAIR = {"african": (18, 14, 12), "asian": (22, 17, 14), "caucasian": (74, 52, 34)}
GREY = (112, 106, 100)


@dataclass(frozen=True)
class Brow:
    """Eyebrows in the T-pose: V vertices with texture places, and how dense the hairs are."""

    points: Float[np.ndarray, "V 3"]
    faces: np.ndarray
    uv: Float[np.ndarray, "F 3 2"]
    density: UInt8[np.ndarray, "H W"]


@dataclass(frozen=True)
class Canvas:
    """What lies at each texel of the skins: the point of the T-pose, and whether it is used.

    `plain` is how much of the skin's detail goes, from 0 to 1.
    """

    points: Float[np.ndarray, "S S 3"]
    used: Bool[np.ndarray, "S S"]
    plain: Float[np.ndarray, "S S"]

    @classmethod
    def of(cls, charts: dict[str, SkinChart], full: BodyData, size: int) -> Canvas:
        """Find out what lies at the texels of square textures of `size`."""
        chart = charts["full"]
        points, used = texel_map(chart.uv, chart.faces, full.v_template[chart.source], size)
        return cls(filled(points, used), used, plainness(filled(points, used)))


def plainness(points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """Return how much of the detail of the skin goes at points of the T-pose, from 0 to 1."""
    x, y = np.abs(points[..., 0]), points[..., 1]
    inside = np.minimum(np.minimum(y - PLAIN_FROM, PLAIN_TO - y), PLAIN_WIDTH - x)
    return np.clip(1 + inside / FADE, 0, 1)


def plain_skin(picture: Float[np.ndarray, "S S 3"], canvas: Canvas) -> Float[np.ndarray, "S S 3"]:
    """Let the surrounding colours flow over chest and groin, until no detail is left."""
    from scipy.ndimage import gaussian_filter

    x, y = np.abs(canvas.points[..., 0]), canvas.points[..., 1]
    around = (y > ABOVE) & (y < BELOW) & (x < BEFORE)
    outside = (canvas.used & around & (canvas.plain == 0)).astype(np.float64)
    width = FLOW * len(picture)
    near = gaussian_filter(outside, width)
    flow = [gaussian_filter(picture[..., k] * outside, width) for k in range(3)]
    flowed = np.stack(flow, axis=2) / np.maximum(near, 1e-9)[..., None]
    share = canvas.plain[..., None]
    return picture * (1 - share) + flowed * share


def painted_eye(
    picture: Float[np.ndarray, "S S 3"], iris: tuple[int, int, int], sclera: float
) -> None:
    """Paint an eye, in place, where the charts have it; `sclera` in linear light."""
    size = len(picture)
    rows, columns = np.mgrid[:size, :size]
    x = ((columns + 0.5) / size - EYE[0]) * (EYE_RADIUS / EYE_SIZE)
    y = (1 - (rows + 0.5) / size - EYE[1]) * (EYE_RADIUS / EYE_SIZE)
    radius, inside = np.hypot(x, y), np.maximum(np.abs(x), np.abs(y)) < EYE_RADIUS
    white = sclera * (1 - LID * np.clip(y / 6e-3, 0, 1))[..., None] * np.ones(3)
    edge = np.clip((radius - IRIS) / 6e-4 + 0.5, 0, 1)[..., None]
    eye = linear(np.array(iris) / 255) * (1 - edge) + white * edge
    eye = eye * np.clip((radius - PUPIL) / 6e-4 + 0.5, 0.02, 1)[..., None]
    picture[inside] = 255 * srgb(eye[inside])


def brow_cover(brow: Brow, canvas: Canvas) -> Float[np.ndarray, "S S"]:
    """Return how much of each texel the hairs of the brows cover."""
    from scipy.ndimage import gaussian_filter

    low, high = brow.points.min(0) - CLOSE, brow.points.max(0) + CLOSE
    near = ((canvas.points > low) & (canvas.points < high)).all(2) & canvas.used
    points = canvas.points[near]
    face, share = nearest_faces(points, brow.points, brow.faces)
    at = (share[:, :, None] * brow.points[brow.faces[face]]).sum(1)
    uv = (share[:, :, None] * brow.uv[face]).sum(1)
    # A texel of the skin is as large as several of the brow: take their mean.
    small = shrunk(brow.density, 128, 128).astype(np.float64) / 255
    row = np.clip(((1 - uv[:, 1]) * 128).astype(int), 0, 127)
    column = np.clip((uv[:, 0] * 128).astype(int), 0, 127)
    cover = np.zeros(near.shape)
    beside = np.linalg.norm((at - points)[:, :2], axis=1)
    cover[near] = small[row, column] * (beside < BESIDE)
    return DENSE * gaussian_filter(cover, SOFT)


def painted_skin(
    picture: UInt8[np.ndarray, "S S 4"], who: PaintedSkin, brow: Brow, canvas: Canvas, size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """Return the texture of one skin as it is shipped.

    Args:
        picture: the source's picture.
        who: whose skin it is.
        brow: the eyebrows.
        canvas: what lies at the texels of the picture.
        size: rows and columns of the result.
    """
    colours = filled(picture[..., :3].astype(np.float64), canvas.used)
    colours = plain_skin(colours, canvas)
    hair = np.array(GREY if who.age == "old" else HAIR[who.ancestry], dtype=np.float64)
    cover = brow_cover(brow, canvas)[..., None]
    # Hair is darker than the skin around it, whatever the skin.
    colours = colours * (1 - cover) + np.minimum(hair, 0.7 * colours) * cover
    colours = filled(colours, canvas.used)
    iris = BROWN if who.name.endswith("2") else EYES[who.ancestry]
    painted_eye(colours, iris, WHITE[who.ancestry])
    return shrunk(np.rint(np.clip(colours, 0, 255)).astype(np.uint8), size, size)
