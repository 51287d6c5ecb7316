"""Outlines of people: polygons of a data set, kept in one array, drawn into a crop as a mask.

The outlines of half a million people are a hundred megabytes as one array of points. A row of NaN
stands between two polygons of one person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from hmr_edu.data.augment import Placement, place_points
from hmr_edu.data.photos.described import FARTHEST
from hmr_edu.keypoints import PERSON

# A polygon has at least three corners.
FEWEST = 3
# Pixels that are drawn for one of the mask, in each direction.
FINER = 4


def as_points(polygons: Any) -> Float32[np.ndarray, "points 2"]:
    """Return COCO's polygons, lists of x0 y0 x1 y1 ..., as points with NaN between polygons.

    COCO counts from the pixel's edge, this package from its centre. What is no polygon is left out.
    """
    numbers: list[float] = []
    for polygon in polygons if isinstance(polygons, list) else ():
        whole = len(polygon) >= 2 * FEWEST and len(polygon) % 2 == 0
        if whole and min(polygon) > -FARTHEST and max(polygon) < FARTHEST:
            numbers += [*([np.nan] * 2 if numbers else ()), *polygon]
    return np.array(numbers, np.float32).reshape(-1, 2) - np.float32(0.5)


def join_outlines(
    outlines: Iterable[Float32[np.ndarray, "_ 2"]],
) -> tuple[Float32[np.ndarray, "points 2"], Int64[np.ndarray, "people 2"]]:
    """Return everybody's points in one array, and the first and last + 1 of each person."""
    everybody = list(outlines)
    ends = np.cumsum([0, *map(len, everybody)])
    points = np.concatenate([np.zeros((0, 2), np.float32), *everybody])
    return points, np.stack([ends[:-1], ends[1:]], 1).astype(np.int64)


def draw_outline(
    points: Float32[np.ndarray, "points 2"], placement: Placement, size: int
) -> UInt8[Tensor, "size size"]:
    """Return the mask of a person in a crop: `PERSON` inside the polygons, 0 elsewhere.

    Args:
        points: in pixels of the photograph, NaN between polygons.
        placement: how the person is cut out.
        size: pixels along each side of the mask.
    """
    mask = Image.new("L", (FINER * size, FINER * size))
    placed = place_points(torch.from_numpy(np.array(points)), placement).numpy()
    corners = (placed + 1) * (FINER * size / 2) - 0.5
    for polygon in _split(corners):
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in polygon.tolist()], fill=PERSON)
    # Pillow also fills the pixels that the border touches: on a finer grid that is little.
    middle = FINER // 2
    return torch.from_numpy(np.array(mask)[middle::FINER, middle::FINER].copy())


def _split(points: Float[np.ndarray, "points 2"]) -> Sequence[Float[np.ndarray, "_ 2"]]:
    """Return the polygons between the rows of NaN."""
    between = np.flatnonzero(np.isnan(points[:, 0]))
    parts = np.split(points, between)
    return [part[~np.isnan(part[:, 0])] for part in parts if len(part) > FEWEST - 1]


def trace(mask: UInt8[np.ndarray, "H W"]) -> list[list[float]]:
    """Return the outline of a mask as COCO's polygons; holes are not kept."""
    from contourpy import contour_generator

    # A border of zeros, so that a person at the picture's edge has a closed outline.
    around = np.pad(mask > 0, 1).astype(float)
    lines = contour_generator(z=around).lines(0.5)
    corners = [np.asarray(line) - 1 + 0.5 for line in lines]
    return [ring.round(1).flatten().tolist() for ring in corners if len(ring) > FEWEST]
