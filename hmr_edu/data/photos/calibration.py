"""Calibrated cameras around one person, and pictures of the same moment.

Pictures are called `CAMERA/MOMENT.jpg`, as most recorders write them: `left/0001.jpg` and
`right/0001.jpg` show one moment. The calibration is a JSON file, lengths in metres::

    {"left": {"K": [[f, 0, x], [0, f, y], [0, 0, 1]], "R": [[...], ...], "t": [x, y, z]}, ...}

A point X of the world lands on the pixel K (R X + t): OpenCV's convention, for pictures without
lens distortion.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.described import finite_numbers
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json

# Largest deviation of R from a rotation; calibration files have few digits.
ROUNDED = 1e-3


class View(NamedTuple):
    """A calibrated pinhole: X in the world lands on the pixel K (R X + t), y down, z forward."""

    K: Float[Tensor, "3 3"]
    R: Float[Tensor, "3 3"]
    t: Float[Tensor, " 3"]

    def to_camera(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Transform points of the world into the frame of this camera; metres."""
        return points.to(self.R) @ self.R.T + self.t

    def pixels(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 2"]:
        """Return the pixels on which points of the world land."""
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
    """Group annotated people by moment: {moment: {camera: person}}, those in at least two pictures.

    Raises DataError on a picture of an unknown camera, on two people in one picture (it would be
    unknown which of them is the person in the next picture), and when no moment has two pictures.
    """
    moments: dict[str, dict[str, AnnotatedPerson]] = {}
    for person in people:
        camera, moment = person.path.parent.name, person.path.stem
        if camera not in cameras:
            raise DataError(
                f"{person.path}: no camera is called {camera!r}; {', '.join(cameras)} are"
            )
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
