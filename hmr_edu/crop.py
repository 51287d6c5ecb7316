"""Crops: cut a square out of a picture and resample it to any size."""

from __future__ import annotations

import math
from typing import overload

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.camera import CropBox

# Side of the crop divided by the longer side of the person's box, as in SPIN.
PADDING = 1.2


@overload
def crop_image(
    image: UInt8[np.ndarray, "H W 3"], box: CropBox, size: int
) -> UInt8[np.ndarray, "size size 3"]: ...
@overload
def crop_image(
    image: Float[Tensor, "3 H W"], box: CropBox, size: int
) -> Float[Tensor, "3 size size"]: ...
def crop_image(
    image: UInt8[np.ndarray, "H W 3"] | Float[Tensor, "3 H W"], box: CropBox, size: int
) -> UInt8[np.ndarray, "size size 3"] | Float[Tensor, "3 size size"]:
    """Cut `box` out of a picture and resample it to `size` x `size` pixels.

    The filter is a triangle as wide as a pixel of the result (antialiased; Pillow's BILINEAR), in
    the pixel-centre convention of `CropBox`, so keypoints and picture stay aligned exactly. The
    area outside the picture is black. A uint8 array gives a uint8 array; a tensor gives a tensor
    with gradients. Raises ValueError when the box does not touch the picture.
    """
    if isinstance(image, np.ndarray):
        tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
        cropped = _crop_tensor(tensor, box, size).round().clamp(0, 255).byte()
        return cropped.permute(1, 2, 0).numpy()
    return _crop_tensor(image, box, size)


def _crop_tensor(
    image: Float[Tensor, "3 H W"], box: CropBox, size: int
) -> Float[Tensor, "3 size size"]:
    if size < 1:
        raise ValueError(f"the crop's side must be at least one pixel, got {size}")
    _, height, width = image.shape
    columns, left = _resampling(box.x, box.size, size, width)
    rows, top = _resampling(box.y, box.size, size, height)
    if columns.shape[1] == 0 or rows.shape[1] == 0:
        raise ValueError(f"{box} does not touch a picture of {width} x {height} pixels")
    part = image[:, top : top + rows.shape[1], left : left + columns.shape[1]]
    return rows.to(part) @ part @ columns.to(part).T


def _resampling(
    centre: int | float, side: int | float, size: int, length: int
) -> tuple[Tensor, int]:
    """Return weights [size, n] of the pixels start ... start + n - 1 of one axis, and start.

    Args:
        centre: centre of the box, in pixels.
        side: side of the box, in pixels.
        size: pixels of the result.
        length: pixels of the picture along the axis.
    """
    step = side / size
    reach = max(step, 1.0)
    positions = centre + step * (torch.arange(size, dtype=torch.float64) - (size - 1) / 2)
    start = max(math.ceil(float(positions[0]) - reach), 0)
    stop = min(math.floor(float(positions[-1]) + reach) + 1, length)
    pixels = torch.arange(start, max(start, stop), dtype=torch.float64)
    weights = (1 - (positions[:, None] - pixels).abs() / reach).clamp_min(0)

    # Normalised over all pixels, also those outside the picture: they are black, not absent.
    # The pixels on one side lie at distances d, d + 1, ..., d + n - 1 <= reach.
    def one_side(d: Tensor) -> Tensor:
        n = (reach - d).floor() + 1
        return n - n * (d + (n - 1) / 2) / reach

    fraction = positions - positions.floor()
    return weights / (one_side(fraction) + one_side(1 - fraction))[:, None], start
