"""From a photograph to the square crop that the network takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.described import FARTHEST
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.io.errors import DataError

Photo = UInt8[np.ndarray, "height width 3"]
Box = Sequence[float | int] | Real[np.ndarray, " edges"] | Real[Tensor, " edges"]


def person_crop(photo: Photo, box: Box | None) -> CropBox:
    """Return the square crop for a person's box (x0, y0, x1, y1), in pixels of the photograph.

    Without a box, the person is assumed to fill the whole picture. Raises DataError on a box that
    is not four finite numbers, is empty, or is outside the picture.
    """
    height, width = photo.shape[:2]
    if box is None:
        return CropBox.around_box(0, 0, width, height)
    if len(box) != 4 or not all(abs(edge) < FARTHEST for edge in box):  # also of NaN
        raise DataError(f"a box is four finite numbers x0 y0 x1 y1, got {list(box)}")
    x0, y0, x1, y1 = map(float, box)
    if not (x0 < x1 and y0 < y1):
        raise DataError(f"a box needs x0 < x1 and y0 < y1, got {x0:g} {y0:g} {x1:g} {y1:g}")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise DataError(
            f"the box {x0:g} {y0:g} {x1:g} {y1:g} lies outside the picture, "
            f"which is {width} x {height} pixels"
        )
    return CropBox.around_box(x0, y0, x1, y1, padding=PADDING)


def read_crop(
    path: str | Path, box: Box | None = None, size: int = 224
) -> Float[Tensor, "1 3 size size"]:
    """Read a photograph and cut a person out: the network's input, RGB in [0, 1].

    `box` is the person's box in pixels (x0, y0, x1, y1). Without it, the person is assumed to fill
    the whole picture. Raises FileNotFoundError, or DataError on a picture or box that cannot be
    used.
    """
    photo = read_photo(path)
    crop = crop_image(photo, person_crop(photo, box), size)
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def check_crop(photo: Photo, person: AnnotatedPerson) -> None:
    """Raise DataError that names the file when the person is not in the photograph.

    All keypoints are then outside: the annotations belong to a picture of another size.
    """
    height, width = photo.shape[:2]
    points = person.keypoints2d[person.visible > 0]
    inside = (points > -1) & (points < points.new_tensor((width, height)))
    if len(points) and not inside.all(1).any():
        raise DataError(
            f"{person.path}: none of the keypoints lies in the picture, which is {width} x "
            f"{height} pixels; was it another size when it was annotated?"
        )


def crop_person(photo: Photo, person: AnnotatedPerson, size: int) -> UInt8[Tensor, "3 size size"]:
    """Cut an annotated person out of a photograph that has been read.

    Raises DataError that names the file when the crop is outside the picture, and as `check_crop`.
    """
    check_crop(photo, person)
    try:
        return torch.from_numpy(crop_image(photo, person.crop, size)).permute(2, 0, 1)
    except ValueError as error:
        raise DataError(f"{person.path}: {error}") from None
