"""Pixels: pictures of any number type and any channels as RGB bytes, and floats in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image
from torch import Tensor

# Floats may leave [0, 1] by so much: resampling rounds, and bicubic resampling overshoots.
MARGIN = 0.01


def rgb_bytes(picture: Any) -> UInt8[np.ndarray, "H W 3"]:
    """Return a picture as RGB, uint8 [H, W, 3]; one that is so already is returned itself.

    The number type says what white is: 255 for uint8 and for other whole numbers, 65,535 for
    uint16, 1 for floats, True for booleans. A picture is [H, W] (grey), or [H, W, C] with 1 channel
    (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA); what is transparent becomes white. That channels
    are in OpenCV's order, BGR, cannot be seen: reverse them first.

    Raises ValueError that says what to do where the values do not fit their type: whole numbers
    above 255 or below 0, uint16 that would be black because they go up to 255 only, floats above 1
    or not finite.
    """
    picture = np.asarray(picture)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 2, 3, 4):
        first = picture.ndim == 3 and picture.shape[0] in (1, 3, 4)
        hint = ": channels come last, picture.transpose(1, 2, 0)" if first else ""
        raise ValueError(
            f"a picture is [H, W], or [H, W, C] with 1 to 4 channels, not {list(picture.shape)}"
            f"{hint}"
        )
    if picture.size == 0:
        raise ValueError(f"a picture without pixels: {list(picture.shape)}")
    picture = _as_bytes(picture)
    channels = picture.shape[2]
    if channels == 3:
        return picture
    if channels == 1:
        return np.repeat(picture, 3, axis=2)
    return on_white(Image.fromarray(picture, "LA" if channels == 2 else "RGBA"))


def check_unit(images: Shaped[Tensor, "*shape"]) -> None:
    """Raise ValueError unless pictures of a network are floats in [0, 1], a margin apart.

    Values on a GPU are not looked at: the program would wait for all its queued work.
    """
    if not images.is_floating_point():
        raise ValueError(f"images must be floating, RGB in [0, 1], got {images.dtype}")
    if images.device.type == "cpu" and images.numel():
        low, high = (float(extreme) for extreme in images.detach().aminmax())
        if not (low >= -MARGIN and high <= 1 + MARGIN):  # also True of NaN
            raise ValueError(f"images must be in [0, 1], got values from {low:.4g} to {high:.4g}")


def check_depth(highest: float | int, kind: str, remedy: str) -> None:
    """Raise ValueError where a picture of 16 bits has bytes, and would be black.

    Args:
        highest: its largest value; a picture of zeros may be black.
        kind: what it is, in words.
        remedy: what to do.
    """
    if 0 < highest <= 255:
        raise ValueError(
            f"a picture of {kind} goes up to 65,535, this one to {highest:g} only: if these are "
            f"bytes, {remedy}"
        )


def on_white(picture: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """Convert Pillow's picture to RGB; what is transparent becomes white."""
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.array(picture.convert("RGB"))


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """Convert numbers to bytes by their type, and check that they are in its range."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values * np.uint8(255)
    if not np.issubdtype(values.dtype, np.floating) and not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"a picture has numbers, not {values.dtype}")
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.floating):
        if not (low >= -MARGIN and high <= 1 + MARGIN):  # also True of NaN
            hint = ": divide by 255" if 1 < high < 256 and low >= 0 else ""
            raise ValueError(
                f"a picture of {values.dtype} has values in [0, 1], these go from {low:g} to "
                f"{high:g}{hint}"
            )
        # float32 would do, but not half precision.
        return (values.clip(0, 1).astype(np.float64) * 255).round().astype(np.uint8)
    if values.dtype == np.uint16:
        check_depth(int(high), "uint16", "give picture.astype(np.uint8)")
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if low < 0 or high > 255:
        raise ValueError(
            f"a picture of {values.dtype} has values from 0 to 255, these go from {low} to {high}: "
            "for 16 bits, give picture.astype(np.uint16)"
        )
    return values.astype(np.uint8)
