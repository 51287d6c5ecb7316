"""DensePose's annotations and charts, for who has both and a body with SMPL's 6,890 vertices.

DensePose (Guler et al. 2018) annotates points of people in COCO's pictures by (I, U, V). Its charts
are a table of SMPL's mesh, under a licence of its own, so neither is shipped. With the table an
annotation becomes `SurfacePoints`, which the loss term "dense" reads::

    charts = densepose_atlas(scipy.io.loadmat("UV_Processed.mat"))
    points = densepose_points(annotation, charts, crop, 100)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import torch

from hmr_edu.body.atlas import Atlas
from hmr_edu.camera import CropBox
from hmr_edu.data.batch import SurfacePoints
from hmr_edu.data.photos.described import FARTHEST
from hmr_edu.io.errors import DataError
from hmr_edu.io.schema import check_type

TABLES = ("All_Faces", "All_FaceIndices", "All_vertices", "All_U_norm", "All_V_norm")
# Places in a person's box are written as 0 to 255.
BOX_UNITS = 255
# Charts of DensePose, and the most faces, vertices or points that anybody has.
CHARTS, MOST = 24, 1_000_000


class Annotation(TypedDict):
    """The part of an annotation that is read: a box (x, y, width, height) and lists of points."""

    bbox: list[float]
    dp_x: list[float]
    dp_y: list[float]
    dp_I: list[float]
    dp_U: list[float]
    dp_V: list[float]


def densepose_atlas(tables: Mapping[str, Any], vertices: int = 6890) -> Atlas:
    """Make an atlas of DensePose's own tables, as `scipy.io.loadmat` reads UV_Processed.mat.

    Vertices on a seam between charts have several entries in the tables; faces count from 1.
    Raises DataError that names the table which is missing, or does not fit the others.

    Args:
        tables: `All_Faces`, `All_FaceIndices`, `All_vertices`, `All_U_norm` and `All_V_norm`.
        vertices: of the body.
    """
    corners, chart, vertex, u, v = (_table(tables, name) for name in TABLES)
    if corners.ndim != 2 or corners.shape[1] != 3 or len(chart.ravel()) != len(corners):
        raise DataError(f"All_Faces {corners.shape} does not fit All_FaceIndices {chart.shape}")
    if not vertex.size == u.size == v.size:
        raise DataError(
            f"All_vertices, All_U_norm and All_V_norm differ: {vertex.size}, {u.size}, {v.size}"
        )
    _check("All_Faces", corners, 1, vertex.size, whole=True)
    _check("All_FaceIndices", chart, 1, CHARTS, whole=True)
    _check("All_vertices", vertex, 1, vertices, whole=True)
    _check("All_U_norm", u, 0, 1)
    _check("All_V_norm", v, 0, 1)
    entry = torch.from_numpy(corners).long() - 1
    uv = torch.from_numpy(np.stack((u.ravel(), v.ravel()), axis=1)).float()
    faces = torch.from_numpy(vertex.ravel()).long()[entry] - 1
    return Atlas(faces, torch.from_numpy(chart.ravel()).long(), uv[entry])


def densepose_points(annotation: Any, atlas: Atlas, crop: CropBox, count: int) -> SurfacePoints:
    """Return the points of one person's annotation (a batch of one), in the crop's coordinates.

    An annotation of more than `count` points gives `count` of them, spread over its list; one of
    fewer is filled with points of confidence 0. Raises DataError on an annotation that is none.

    Args:
        annotation: an entry of DensePose's JSON, in COCO's layout.
        atlas: the charts that I, U and V belong to.
        crop: the person's crop, in pixels.
        count: points for each person.
    """
    check_type(annotation, Annotation, "DensePose annotation")
    lists = [annotation[name] for name in ("dp_x", "dp_y", "dp_I", "dp_U", "dp_V")]
    sizes = {len(numbers) for numbers in lists}
    if len(sizes) != 1 or max(sizes) > MOST or len(annotation["bbox"]) != 4:
        raise DataError("DensePose annotation: dp_x, dp_y, dp_I, dp_U, dp_V must be as many")
    if any(abs(number) > FARTHEST for number in (*annotation["bbox"], *lists[0], *lists[1])):
        raise DataError("DensePose annotation: a place that no picture has")
    x, y, chart, u, v = (np.array(numbers, np.float64) for numbers in lists)
    _check("dp_I", chart, 1, int(atlas.chart.max()), whole=True)
    _check("dp_U", u, 0, 1)
    _check("dp_V", v, 0, 1)
    points = SurfacePoints.unknown(1, count)
    number = min(count, len(x))
    if not number:
        return points
    kept = np.arange(number) * len(x) // number
    left, top, width, height = annotation["bbox"]
    pixels = np.stack((left + x * width / BOX_UNITS, top + y * height / BOX_UNITS), axis=1)[kept]
    uv = torch.from_numpy(np.stack((u, v), axis=1)[kept])
    try:
        face, weights = atlas.to_surface(torch.from_numpy(chart[kept]).long(), uv)
    except ValueError as error:
        raise DataError(f"DensePose annotation: {error}") from None
    points.vertices[0, :number] = atlas.faces[face]
    points.weights[0, :number] = weights.float()
    points.places[0, :number] = crop.to_crop(torch.from_numpy(pixels)).float()
    points.confidence[0, :number] = 1
    return points


def _table(tables: Mapping[str, Any], name: str) -> np.ndarray:
    table = np.asarray(tables.get(name))
    if table.dtype.kind not in "uif" or not 0 < table.size <= MOST:
        raise DataError(f"no table of numbers {name}: is this DensePose's UV_Processed.mat?")
    # Small unsigned numbers would wrap round.
    return table.astype(np.float64)


def _check(name: str, values: np.ndarray, low: int, high: int, whole: bool = False) -> None:
    """Raise DataError unless all values lie in a range; NaN never does."""
    wrong = ~((values >= low) & (values <= high))
    if whole:
        wrong |= values != np.floor(values)
    if wrong.any():
        kind = "whole numbers" if whole else "numbers"
        raise DataError(f"{name} must be {kind} from {low} to {high}, got {values[wrong][0]:g}")
