"""Crops: the box around keypoints; cut a square out of a picture and resample it to any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import overload

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped, UInt8
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.io.pixels import rgb_bytes
from hmr_edu.io.precision import at_least_float32, float32_inside

# Side of the crop divided by the longer side of the person's box, as in SPIN.
PADDING = 1.2
# Numbers in the largest array of one step. What needs more is done in parts.
LARGEST = 2**24
# The smallest scale of a camera by which its translation is divided.
LEAST = 1e-6

# Returns the pixels [top, bottom) x [left, right) of a picture as floats [3, H, W].
Window = Callable[[int, int, int, int], Tensor]


def cell_centres(cells: int, like: Float[Tensor, " ..."]) -> Float[Tensor, " cells"]:
    """Return the crop coordinates in [-1, 1] of the centres of `cells` cells along one axis."""
    index = torch.arange(cells, dtype=like.dtype, device=like.device)
    return (2 * index + 1) / cells - 1


def under_centres(
    image: Integer[Tensor, "batch rows columns"], height: int, width: int
) -> Integer[Tensor, "batch {height} {width}"]:
    """Return the pixel under the centre of each cell when an image is cut into cells."""
    rows, columns = (
        (2 * torch.arange(cells, device=image.device) + 1) * pixels // (2 * cells)
        for cells, pixels in zip((height, width), image.shape[-2:], strict=True)
    )
    return image[:, rows[:, None], columns]


@at_least_float32
def visible_box(
    keypoints2d: Float[Tensor, "batch 19 2"], confidence: Float[Tensor, "batch 19"]
) -> Float[Tensor, "batch 3"]:
    """Return the box of the keypoints with a confidence: its middle x, y and its longer half-side.

    The unit is that of the keypoints. The half-side is 1 where fewer than two places are known.
    """
    known = (confidence > 0)[..., None]
    low = torch.where(known, keypoints2d, torch.inf).amin(1)
    high = torch.where(known, keypoints2d, -torch.inf).amax(1)
    nobody = ~known.any(1)
    low, high = low.masked_fill(nobody, 0.0), high.masked_fill(nobody, 0.0)
    half = (high - low).amax(1, keepdim=True) / 2
    return torch.cat([(low + high) / 2, torch.where(half > 0, half, 1.0)], dim=1)


@float32_inside
def into_box(
    points: Float[Tensor, "batch N 2"], box: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch N 2"]:
    """Convert points into the coordinates of a `visible_box`: [-1, 1] over its longer side."""
    return (points - box[:, None, :2]) / box[:, None, 2:]


@float32_inside
def camera_out_of_box(
    camera: Float[Tensor, "batch 3"], box: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch 3"]:
    """Convert a camera (s, tx, ty) of a `visible_box` into one of the keypoints' own unit.

    x = middle + half (s (X + t)) is (half s) (X + t + middle / (half s)).
    """
    scale = camera[:, :1] * box[:, 2:]
    divisor = torch.where(scale.abs() < LEAST, LEAST, scale)
    return torch.cat([scale, camera[:, 1:] + box[:, :2] / divisor], dim=1)


@overload
def crop_image(
    image: Shaped[np.ndarray, "H W *channels"], box: CropBox, size: int
) -> UInt8[np.ndarray, "size size 3"]: ...
@overload
def crop_image(
    image: Float[Tensor, "3 H W"], box: CropBox, size: int
) -> Float[Tensor, "3 size size"]: ...
@overload
def crop_image(
    image: Integer[Tensor, "3 H W"], box: CropBox, size: int
) -> UInt8[Tensor, "3 size size"]: ...
def crop_image(
    image: Shaped[np.ndarray, "*shape"] | Shaped[Tensor, "*shape"], box: CropBox, size: int
) -> UInt8[np.ndarray, "size size 3"] | Float[Tensor, "3 size size"] | UInt8[Tensor, "3 size size"]:
    """Cut `box` out of a picture and resample it to `size` x `size` pixels.

    The filter is a triangle as wide as a pixel of the result (antialiased; Pillow's BILINEAR), in
    the pixel-centre convention of `CropBox`, so keypoints and picture stay aligned exactly. The
    area outside the picture is black.

    An array [H, W, 3] gives an array of bytes; it may have any number type and channels that
    `hmr_edu.io.pixels.rgb_bytes` allows. A tensor [3, H, W] of floats gives a tensor of its type,
    with gradients; its values are not looked at. A tensor of whole numbers gives bytes.

    Raises ValueError when the box does not touch the picture, and as `rgb_bytes`.
    """
    if isinstance(image, Tensor) and (image.ndim != 3 or image.shape[0] != 3):
        raise ValueError(f"a tensor must be a picture [3, H, W], got {list(image.shape)}")
    if isinstance(image, Tensor) and image.is_floating_point():
        return _crop_floats(image, box, size)
    if isinstance(image, Tensor):
        array = rgb_bytes(image.permute(1, 2, 0).cpu().numpy())
        return torch.from_numpy(_crop_bytes(array, box, size)).permute(2, 0, 1).to(image.device)
    return _crop_bytes(rgb_bytes(image), box, size)


@float32_inside
def _crop_floats(
    image: Float[Tensor, "3 H W"], box: CropBox, size: int
) -> Float[Tensor, "3 size size"]:
    height, width = image.shape[1:]
    return _crop(_window_of(image), (height, width), box, size).to(image)


def _crop_bytes(
    image: UInt8[np.ndarray, "H W 3"], box: CropBox, size: int
) -> UInt8[np.ndarray, "size size 3"]:
    def window(top: int, bottom: int, left: int, right: int) -> Tensor:
        # Only these pixels become floats: a large picture would take gigabytes.
        part = image[top:bottom, left:right].astype(np.float32, order="C")
        return torch.from_numpy(part).permute(2, 0, 1)

    height, width = image.shape[:2]
    cropped = _crop(window, (height, width), box, size).round().clamp(0, 255).byte()
    return cropped.permute(1, 2, 0).numpy()


def _window_of(image: Float[Tensor, "3 H W"]) -> Window:
    def window(top: int, bottom: int, left: int, right: int) -> Tensor:
        part = image[:, top:bottom, left:right]
        return part if part.dtype.itemsize >= 4 else part.float()

    return window


def _crop(window: Window, shape: tuple[int, int], box: CropBox, size: int) -> Tensor:
    if size < 1:
        raise ValueError(f"the crop's side must be at least one pixel, got {size}")
    height, width = shape
    across, down = _Axis(box.x, box.size, size, width), _Axis(box.y, box.size, size, height)
    if not (across.pixels(0, size) and down.pixels(0, size)):
        raise ValueError(f"{box} does not touch a picture of {width} x {height} pixels")
    return _part(window, down, across, (0, size), (0, size))


def _part(
    window: Window, down: _Axis, across: _Axis, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """Resample some rows and columns of the result, in parts where memory asks for it.

    The weights of a row are zero but for few pixels. A dense matrix of them is fast for ordinary
    pictures, but takes gigabytes for one that is a million pixels long.
    """
    height, width = len(down.pixels(*rows)), len(across.pixels(*columns))
    m, n = rows[1] - rows[0], columns[1] - columns[0]
    largest = max(height * width, 4 * m * height, 4 * n * width, min(m * width, n * height))
    if largest > LARGEST and m * n > 1:
        if n == 1 or (m > 1 and height >= width):
            middle = (rows[0] + rows[1]) // 2
            halves = [(rows[0], middle), (middle, rows[1])]
            return torch.cat([_part(window, down, across, half, columns) for half in halves], 1)
        middle = (columns[0] + columns[1]) // 2
        halves = [(columns[0], middle), (middle, columns[1])]
        return torch.cat([_part(window, down, across, rows, half) for half in halves], 2)
    part = window(*_ends(down.pixels(*rows)), *_ends(across.pixels(*columns)))
    left, right = down.weights(*rows).to(part), across.weights(*columns).to(part).T
    return left @ part @ right if m * width <= LARGEST else left @ (part @ right)


def _ends(pixels: range) -> tuple[int, int]:
    return pixels.start, pixels.stop


class _Axis:
    """The resampling along one axis: which pixels of the picture give a pixel of the result.

    Args:
        centre: centre of the box, in pixels.
        side: side of the box, in pixels.
        size: pixels of the result.
        length: pixels of the picture along the axis.
    """

    def __init__(self, centre: int | float, side: int | float, size: int, length: int) -> None:
        step = side / size
        self.reach = max(step, 1.0)
        self.length = length
        self.positions = centre + step * (torch.arange(size, dtype=torch.float64) - (size - 1) / 2)

    def pixels(self, first: int, last: int) -> range:
        """Return the pixels that have a weight in the result's pixels [first, last)."""
        start = max(math.ceil(float(self.positions[first]) - self.reach), 0)
        stop = min(math.floor(float(self.positions[last - 1]) + self.reach) + 1, self.length)
        return range(start, max(start, stop))

    def weights(self, first: int, last: int) -> Float[Tensor, "n pixels"]:
        """Return the weights of these pixels, a row for each of the result's [first, last)."""
        positions, reach = self.positions[first:last], self.reach
        chosen = self.pixels(first, last)
        pixels = torch.arange(chosen.start, chosen.stop, dtype=torch.float64)
        weights = (1 - (positions[:, None] - pixels).abs() / reach).clamp_min(0)

        # Normalised over all pixels, also those outside the picture: they are black, not absent.
        # The pixels on one side lie at distances d, d + 1, ..., d + n - 1 <= reach.
        def one_side(d: Tensor) -> Tensor:
            n = (reach - d).floor() + 1
            return n - n * (d + (n - 1) / 2) / reach

        fraction = positions - positions.floor()
        return weights / (one_side(fraction) + one_side(1 - fraction))[:, None]
