"""Calibrated cameras around one person: which pictures show the same moment.

Pictures are called `CAMERA/MOMENT.jpg`, as most recorders write them: `left/0001.jpg` and
`right/0001.jpg` are one moment. The calibration is a JSON file, lengths in metres::

    {"left": {"K": [[f, 0, x], [0, f, y], [0, 0, 1]], "R": [[...], ...], "t": [x, y, z]}, ...}

A point X of the world lands on the pixel K (R X + t): OpenCV's convention, pictures undistorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.photos.annotations import AnnotatedPerson, finite_numbers
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json

# How far a matrix may be from a rotation; calibrations are printed with few digits.
ROUNDED = 1e-3


class View(NamedTuple):
    """A calibrated pinhole: X in the world lands on the pixel K (R X + t), y down, z forward."""

    K: Float[Tensor, "3 3"]
    R: Float[Tensor, "3 3"]
    t: Float[Tensor, " 3"]

    def to_camera(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Turn points of the world into this camera's frame; metres."""
        return points.to(self.R) @ self.R.T + self.t

    def pixels(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 2"]:
        """Say where points of the world land."""
        x = self.to_camera(points) @ self.K.T
        return x[:, :2] / x[:, 2:]


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
    K, R = (_matrix(camera.get(key), f"{where}: `{key}`") for key in ("K", "R"))
    # In float64: a world whose origin is far away needs the digits.
    t = torch.tensor(finite_numbers(camera.get("t"), 3, f"{where}: `t`"), dtype=torch.float64)
    if (R @ R.T - torch.eye(3)).abs().max() > ROUNDED or torch.det(R) < 0:
        raise DataError(f"{where}: `R` is no rotation")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        raise DataError(f"{where}: `K` is not [[fx, s, x], [0, fy, y], [0, 0, 1]]")
    return View(K, R, t)


def _matrix(rows: object, what: str) -> torch.Tensor:
    if not isinstance(rows, list) or len(rows) != 3:
        raise DataError(f"{what} must be 3 rows of 3 numbers")
    return torch.tensor([finite_numbers(row, 3, what) for row in rows], dtype=torch.float64)


def group_by_moment(
    people: Sequence[AnnotatedPerson], cameras: dict[str, View]
) -> dict[str, dict[str, AnnotatedPerson]]:
    """Sort marked people into moments: {moment: {camera: person}}, those seen at least twice.

    Raises DataError on a picture of an unknown camera, on two people in one picture (nobody
    would know who is who in the next), and when no moment has two pictures.
    """
    found: dict[str, dict[str, AnnotatedPerson]] = {}
    for person in people:
        camera, moment = person.path.parent.name, person.path.stem
        if camera not in cameras:
            raise DataError(
                f"{person.path}: no camera is called {camera!r}; {', '.join(cameras)} are"
            )
        if camera in found.setdefault(moment, {}):
            raise DataError(f"{person.path}: two people are marked; mark one a picture")
        found[moment][camera] = person
    several = {moment: views for moment, views in found.items() if len(views) > 1}
    if not several:
        raise DataError("no moment is marked in two pictures: they are called CAMERA/MOMENT.jpg")
    return several
