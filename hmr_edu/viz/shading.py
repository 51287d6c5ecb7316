"""A posed body as a picture: three soft lights and a transparent background.

Geometry comes from the renderer of the training pictures; only the light is set here, for people
to look at: a warm key light from the upper left, a cool fill from the right, a rim that lifts the
outline off the background, and darker creases where one limb passes behind another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Integer, UInt8
from scipy.ndimage import gaussian_filter
from torch import Tensor

from hmr_edu.data.render.renderer import Renderer
from hmr_edu.viz.palette import PREDICTION, rgb

# Directions to the lights (x right, y up, z to the viewer) and what they add, linear RGB.
KEY = (np.array([-0.75, 0.75, 0.6]), np.array([0.98, 0.95, 0.90]))
FILL = (np.array([0.95, 0.0, 0.3]), np.array([0.16, 0.19, 0.23]))
SKY, GROUND = np.array([0.26, 0.28, 0.32]), np.array([0.13, 0.12, 0.11])
RIM, GLOSS, WRAP = 0.35, 0.12, 0.2
CREASE, CREASE_DEPTH, CREASE_RADIUS = 0.7, 0.08, 0.025  # strength, metres, share of the picture

Vertices = Float[np.ndarray, "V 3"] | Float[Tensor, "V 3"]
Faces = Integer[np.ndarray, "F 3"] | Integer[Tensor, "F 3"]
Camera = Sequence[float | int] | Float[np.ndarray, " 3"] | Float[Tensor, " 3"]


def shade(
    vertices: Vertices,
    faces: Faces,
    camera: Camera,
    size: int,
    colour: str | Float[np.ndarray, "V 3"] = PREDICTION,
    supersample: int = 2,
) -> UInt8[np.ndarray, "size size 4"]:
    """Draw one body: RGB and, as alpha, the share of each pixel that it covers.

    vertices: camera frame (x right, y down, z away), metres. camera: (s, tx, ty) of
    x = s (X + tx) in the picture's [-1, 1] square. colour: "#rrggbb", or RGB in [0, 1] for each
    vertex, blended over the faces. Each pixel is shaded `supersample` squared times. Raises
    ValueError on vertices or cameras that are not finite.
    """
    vertices = as_array(vertices)
    even = isinstance(colour, str)
    # `surface` shows what it is given for every vertex: colours do as well as places.
    render = Renderer(faces, vertices if even else colour, np.zeros(len(vertices), np.int64))
    camera = np.asarray(as_array(camera), np.float64)[None]
    buffer = render(vertices[None], size * supersample, camera=camera)

    seen = buffer.coverage[0] > 0
    rgba = np.zeros((*seen.shape, 4), np.float32)
    light = _light(np.moveaxis(buffer.normal[0], 0, -1)[seen])
    seen_colour = np.array(rgb(colour)) if even else np.moveaxis(buffer.surface[0], 0, -1)[seen]
    albedo = seen_colour.clip(0, 1) ** 2.2  # to linear light
    crease = 1 - CREASE * _creases(buffer.depth[0], seen)[seen][:, None]
    rgba[seen, :3] = (albedo * light[0] * crease + light[1]).clip(0, 1) ** (1 / 2.2)
    rgba[seen, 3] = buffer.coverage[0][seen]
    return _shrink(rgba, supersample)


def as_array(values: np.ndarray | Tensor | Sequence[float | int]) -> np.ndarray:
    """Make a numpy array from a tensor, an array or a sequence of numbers."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def composite(
    image: UInt8[np.ndarray, "height width 3"],
    layer: UInt8[np.ndarray, "height width 4"],
    alpha: float = 1.0,
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay an RGBA picture over an image; `alpha` in [0, 1] makes all of it more transparent."""
    share = layer[..., 3:].astype(np.float32) * (alpha / 255)
    mixed = image * (1 - share) + layer[..., :3] * share
    return (mixed + 0.5).astype(np.uint8)


def _light(
    normals: Float32[np.ndarray, "pixels 3"],
) -> tuple[Float[np.ndarray, "pixels 3"], Float[np.ndarray, "pixels 1"]]:
    """Diffuse light (times the body's colour) and highlights (of the light's own colour)."""
    n = normals * (1, -1, -1)  # the camera's y points down and its z away; here up and near
    sky = 0.5 + 0.5 * n[:, 1:2]
    diffuse = GROUND + (SKY - GROUND) * sky
    for direction, strength in (KEY, FILL):
        towards = direction / np.linalg.norm(direction)
        # Light that wraps a little round the body: no black side.
        diffuse = diffuse + strength * ((n @ towards + WRAP) / (1 + WRAP)).clip(0)[:, None]
    edge = (1 - n[:, 2:3].clip(0, 1)) ** 3
    diffuse = diffuse + RIM * edge * sky
    half = KEY[0] / np.linalg.norm(KEY[0]) + (0, 0, 1)
    gloss = GLOSS * (n @ (half / np.linalg.norm(half))).clip(0)[:, None] ** 24
    return diffuse, gloss


def _creases(
    depth: Float32[np.ndarray, "height width"], seen: np.ndarray
) -> Float32[np.ndarray, "height width"]:
    """Where a surface lies behind its surroundings, 0 to 1: the depth minus its own blur.

    Luft, Colditz, Deussen, "Image Enhancement by Unsharp Masking the Depth Buffer", 2006.
    """
    sigma = CREASE_RADIUS * len(depth)
    weight = gaussian_filter(seen.astype(np.float32), sigma)
    around = gaussian_filter(depth, sigma) / np.maximum(weight, 1e-6)  # depth is 0 where not seen
    return ((depth - around) / CREASE_DEPTH).clip(0, 1) * seen


def _shrink(
    rgba: Float32[np.ndarray, "big big 4"], factor: int
) -> UInt8[np.ndarray, "size size 4"]:
    """Mean over blocks of pixels; colours count by how much of the pixel they cover."""
    size = len(rgba) // factor
    blocks = rgba.reshape(size, factor, size, factor, 4)
    alpha = blocks[..., 3:].mean((1, 3))
    colour = (blocks[..., :3] * blocks[..., 3:]).mean((1, 3)) / np.maximum(alpha, 1e-6)
    return (np.concatenate([colour, alpha], axis=2) * 255 + 0.5).astype(np.uint8)
