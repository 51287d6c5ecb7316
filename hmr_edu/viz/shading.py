"""A posed body as a picture for people to look at: soft lights, a transparent background.

Geometry comes from the renderer of the training pictures. The light is set here: a warm key light
from the upper left, a cool fill light from the right, a rim light that lifts the outline off the
background, and darker creases where one limb passes behind another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Integer, UInt8
from scipy.ndimage import gaussian_filter
from torch import Tensor

from hmr_edu.body.smpl import BodyOutput
from hmr_edu.data.render.renderer import Renderer
from hmr_edu.hmr import Prediction
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

    Raises ValueError on vertices or cameras that are not finite.

    Args:
        vertices: camera frame (x right, y down, z away), metres.
        faces: triangles, as vertex numbers.
        camera: (s, tx, ty) of x = s (X + tx) in the picture's [-1, 1] square.
        size: width and height of the picture, pixels.
        colour: "#rrggbb", or RGB in [0, 1] for each vertex, blended over the faces.
        supersample: each pixel is shaded so many times, squared.
    """
    vertices = as_array(vertices)
    plain = isinstance(colour, str)
    # The renderer interpolates `surface`, what it is given for each vertex; here it may be colours.
    render = Renderer(faces, vertices if plain else colour, np.zeros(len(vertices), np.int64))
    camera = np.asarray(as_array(camera), np.float64)[None]
    buffer = render(vertices[None], size * supersample, camera=camera)

    covered = buffer.coverage[0] > 0
    rgba = np.zeros((*covered.shape, 4), np.float32)
    diffuse, gloss = _light(np.moveaxis(buffer.normal[0], 0, -1)[covered])
    pixels = np.array(rgb(colour)) if plain else np.moveaxis(buffer.surface[0], 0, -1)[covered]
    albedo = pixels.clip(0, 1) ** 2.2  # to linear light
    creases = _creases if supersample > 1 else _quick_creases
    crease = 1 - CREASE * creases(buffer.depth[0], covered)[covered][:, None]
    rgba[covered, :3] = (albedo * diffuse * crease + gloss).clip(0, 1) ** (1 / 2.2)
    rgba[covered, 3] = buffer.coverage[0][covered]
    return _shrink(rgba, supersample)


def as_array(values: np.ndarray | Tensor | Sequence[float | int]) -> np.ndarray:
    """Make a numpy array from a tensor, an array or a sequence of numbers."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def mesh_of(posed: BodyOutput | Prediction) -> Float[Tensor, "batch V 3"]:
    """Return the vertices of posed bodies. Raises ValueError when they were not asked for."""
    if posed.vertices is None:
        raise ValueError("the bodies were posed without their vertices")
    return posed.vertices


def composite(
    image: UInt8[np.ndarray, "height width 3"],
    layer: UInt8[np.ndarray, "height width 4"],
    alpha: float = 1.0,
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay an RGBA picture over an image; `alpha` in [0, 1] makes all of it more transparent."""
    opacity = layer[..., 3:].astype(np.float32) * (alpha / 255)
    mixed = image * (1 - opacity) + layer[..., :3] * opacity
    return (mixed + 0.5).astype(np.uint8)


def _light(
    normals: Float32[np.ndarray, "pixels 3"],
) -> tuple[Float[np.ndarray, "pixels 3"], Float[np.ndarray, "pixels 1"]]:
    """Return diffuse light, which the body's colour multiplies, and highlights, which are added."""
    n = normals * (1, -1, -1)  # from the camera's frame to y up and z towards the viewer
    sky = 0.5 + 0.5 * n[:, 1:2]
    diffuse = GROUND + (SKY - GROUND) * sky
    for direction, strength in (KEY, FILL):
        towards = direction / np.linalg.norm(direction)
        # Light reaches a little around the body, so that no side is black.
        diffuse = diffuse + strength * ((n @ towards + WRAP) / (1 + WRAP)).clip(0)[:, None]
    edge = (1 - n[:, 2:3].clip(0, 1)) ** 3
    diffuse = diffuse + RIM * edge * sky
    halfway = KEY[0] / np.linalg.norm(KEY[0]) + (0, 0, 1)  # between light and viewer
    gloss = GLOSS * (n @ (halfway / np.linalg.norm(halfway))).clip(0)[:, None] ** 24
    return diffuse, gloss


def _creases(
    depth: Float32[np.ndarray, "height width"], covered: np.ndarray
) -> Float32[np.ndarray, "height width"]:
    """Return how far a surface lies behind its surroundings, 0 to 1: the depth minus its blur.

    Luft, Colditz, Deussen, "Image Enhancement by Unsharp Masking the Depth Buffer", 2006.
    """
    return ((depth - _surroundings(depth, covered)) / CREASE_DEPTH).clip(0, 1) * covered


def _surroundings(
    depth: Float32[np.ndarray, "height width"], covered: np.ndarray
) -> Float32[np.ndarray, "height width"]:
    """Return the mean depth around each pixel, of what is covered."""
    sigma = CREASE_RADIUS * len(depth)
    weight = gaussian_filter(covered.astype(np.float32), sigma)
    # Depth is 0 where nothing is.
    return gaussian_filter(depth, sigma) / np.maximum(weight, 1e-6)


def _quick_creases(
    depth: Float32[np.ndarray, "height width"], covered: np.ndarray
) -> Float32[np.ndarray, "height width"]:
    """Return the creases, with the surroundings of every other pixel: an eighth of the work."""
    height, width = depth.shape
    around = _surroundings(np.ascontiguousarray(depth[::2, ::2]), covered[::2, ::2])
    around = around.repeat(2, 0).repeat(2, 1)[:height, :width]
    return ((depth - around) / CREASE_DEPTH).clip(0, 1) * covered


def _shrink(
    rgba: Float32[np.ndarray, "big big 4"], factor: int
) -> UInt8[np.ndarray, "size size 4"]:
    """Average blocks of pixels; colours count by how much of the pixel they cover."""
    if factor == 1:
        return (rgba * 255 + 0.5).astype(np.uint8)
    size = len(rgba) // factor
    blocks = rgba.reshape(size, factor, size, factor, 4)
    alpha = blocks[..., 3:].mean((1, 3))
    colour = (blocks[..., :3] * blocks[..., 3:]).mean((1, 3)) / np.maximum(alpha, 1e-6)
    return (np.concatenate([colour, alpha], axis=2) * 255 + 0.5).astype(np.uint8)
