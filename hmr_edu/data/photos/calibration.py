"""Calibrated cameras around one person, and pictures of the same moment.

Pictures are called `CAMERA/MOMENT.jpg`, as most recorders write them: `left/0001.jpg` and
`right/0001.jpg` show one moment. The calibration is a JSON file, lengths in metres::

    {"left": {"K": [[f, 0, x], [0, f, y], [0, 0, 1]], "R": [[...], ...], "t": [x, y, z]}, ...}

A point X of the world lands on the pixel K (R X + t): OpenCV's convention. A camera may also have

- `"distortion": [k1, k2, p1, p2, k3]`, the lens's distortion in OpenCV's model and order, and
- `"size": [width, height]`, the size of the pictures with which it was calibrated. K is right for
  pictures of this size alone, so theirs is compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from hmr_edu.camera import as_floats
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.described import check_keys, finite_numbers, picture_size
from hmr_edu.data.photos.distortion import distort, undistort
from hmr_edu.data.photos.pictures import check_size
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json

# Largest deviation of R from a rotation; calibration files have few digits.
ROUNDED = 1e-3
# How many coefficients OpenCV's models of distortion have.
COEFFICIENTS = (4, 5, 8, 12, 14)


class View(NamedTuple):
    """A calibrated camera: X in the world lands on the pixel K (R X + t), y down, z forward.

    `distortion` holds k1, k2, p1, p2, k3 of the lens; `size` the width and height of the pictures
    in pixels, or 0 where they are unknown.
    """

    K: Float[Tensor, "3 3"]
    R: Float[Tensor, "3 3"]
    t: Float[Tensor, " 3"]
    distortion: Float[Tensor, "5"] = torch.zeros(5)
    size: Float[Tensor, "2"] = torch.zeros(2)

    def to_camera(self, points: Real[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Transform points of the world into the frame of this camera; metres."""
        R = as_floats(self.R)
        return as_floats(points).to(R) @ R.T + self.t

    def pixels(self, points: Real[Tensor, "N 3"]) -> Float[Tensor, "N 2"]:
        """Return the pixels on which points of the world land."""
        x = self.to_camera(points)
        K = as_floats(self.K).to(x)
        if self.distortion.any():
            x = distort(x[:, :2] / x[:, 2:], self.distortion)
            x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        x = x @ K.T
        return x[:, :2] / x[:, 2:]

    def rays(self, pixels: Real[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
        """Return the points at depth 1, in this camera's frame, that land on pixels; in float64.

        Raises DataError on a pixel on which the lens shows nothing.
        """
        places = torch.cat([pixels, torch.ones_like(pixels[:, :1])], 1).double()
        # Without K all numbers have a similar size.
        ray = torch.linalg.solve(self.K.double(), places.T).T
        ray = ray[:, :2] / ray[:, 2:]
        if not self.distortion.any():
            return ray
        ideal = undistort(ray, self.distortion)
        lost = ideal.isnan().any(1)
        if lost.any():
            x, y = pixels[lost][0].tolist()
            raise DataError(
                f"no point is seen at the pixel ({x:.1f}, {y:.1f}) through a lens with the "
                f"distortion {self.distortion.tolist()}: it was measured for a smaller part of the "
                "picture, or its order is not k1, k2, p1, p2, k3"
            )
        return ideal


def read_cameras(path: str | Path) -> dict[str, View]:
    """Read a calibration file.

    Raises FileNotFoundError, or DataError that names the camera and what is wrong with it.
    """
    path = Path(path)
    content = read_json(path, "calibration")
    if not isinstance(content, dict) or len(content) < 2:
        raise DataError(f"{path}: not a map of at least two cameras by name")
    return {name: _view(camera, f"{path}: camera {name!r}") for name, camera in content.items()}


def _view(camera: object, where: str) -> View:
    if not isinstance(camera, dict):
        raise DataError(f"{where} is not an object with K, R and t")
    check_keys(camera, View._fields, where)
    K, R = (_matrix(camera.get(key), f"{where}: `{key}`") for key in ("K", "R"))
    # In float64: a world whose origin is far away needs the digits.
    t = torch.tensor(finite_numbers(camera.get("t"), 3, f"{where}: `t`"), dtype=torch.float64)
    if (R @ R.T - torch.eye(3)).abs().max() > ROUNDED or torch.det(R) < 0:
        raise DataError(f"{where}: `R` is no rotation")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        raise DataError(f"{where}: `K` is not [[fx, s, x], [0, fy, y], [0, 0, 1]]")
    size = torch.zeros(2)
    if "size" in camera:
        numbers = finite_numbers(camera["size"], 2, f"{where}: `size`")
        size = torch.tensor(picture_size(*numbers, where), dtype=torch.float32)
    return View(K, R, t, _distortion(camera.get("distortion", [0, 0, 0, 0]), where), size)


def _distortion(values: object, where: str) -> Float[Tensor, "5"]:
    """Return OpenCV's first five coefficients; raise DataError if others are not 0."""
    if not isinstance(values, list) or len(values) not in COEFFICIENTS:
        raise DataError(
            f"{where}: `distortion` must be OpenCV's [k1, k2, p1, p2, k3], not {values!r:.60}"
        )
    numbers = finite_numbers(values, len(values), f"{where}: `distortion`")
    if any(numbers[5:]):
        raise DataError(
            f"{where}: of OpenCV's models of distortion, that of k1, k2, p1, p2, k3 can be used; "
            "calibrate with it, or undistort the pictures"
        )
    return torch.tensor((*numbers, 0.0)[:5], dtype=torch.float64)


def _matrix(rows: object, what: str) -> torch.Tensor:
    if not isinstance(rows, list) or len(rows) != 3:
        raise DataError(f"{what} must be 3 rows of 3 numbers")
    return torch.tensor([finite_numbers(row, 3, what) for row in rows], dtype=torch.float64)


def group_by_moment(
    people: Sequence[AnnotatedPerson], cameras: dict[str, View]
) -> dict[str, dict[str, AnnotatedPerson]]:
    """Group annotated people by moment: {moment: {camera: person}}, those in at least two pictures.

    Raises DataError on a picture of an unknown camera, on two people in one picture (it would be
    unknown which of them is the person in the next picture), when no moment has two pictures, and
    on a picture of another size than its camera's calibration.
    """
    moments: dict[str, dict[str, AnnotatedPerson]] = {}
    for person in people:
        camera, moment = person.path.parent.name, person.path.stem
        if camera not in cameras:
            raise DataError(
                f"{person.path}: no camera is called {camera!r}; {', '.join(cameras)} are"
            )
        if cameras[camera].size.any():
            width, height = cameras[camera].size.int().tolist()
            check_size(person.path, (width, height), f"the calibration of camera {camera!r}")
        if camera in moments.setdefault(moment, {}):
            raise DataError(
                f"{person.path}: two people are annotated; annotate one in each picture"
            )
        moments[moment][camera] = person
    several = {moment: views for moment, views in moments.items() if len(views) > 1}
    if not several:
        raise DataError(
            "no moment is annotated in two pictures: they must be called CAMERA/MOMENT.jpg"
        )
    return several
