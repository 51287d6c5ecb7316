"""A contact sheet of a data set: people with their joints, left and right in two colours."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from hmr_edu.crop import crop_image
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.io.errors import DataError
from hmr_edu.viz.pictures import PAPER, Picture, contact_sheet, draw_keypoints

SIZE = 224  # pixels of a tile
COLUMNS = 4
LETTERS = 24  # of a label


def people_sheet(
    table: PeopleTable, rows: Sequence[int] | Integer[np.ndarray, " rows"], count: int
) -> Picture:
    """Draw so many of the people, evenly chosen: the crop, its keypoints, and 3D from the side.

    People whose picture cannot be read are passed over. Raises DataError when none can.
    """
    in_3d = table.keypoints3d is not None
    tiles, labels = [], []
    order = np.asarray(rows)[_spread(len(rows), count)]
    for row in order.tolist():
        if len(labels) == count * (1 + in_3d):
            break
        person = table[row]
        try:
            picture = crop_image(read_photo(person.path), person.crop, SIZE)
        except (OSError, ValueError):  # also a DataError, and a box outside the picture
            continue
        keypoints2d = person.crop.to_crop(person.keypoints2d)
        tiles.append(draw_keypoints(picture, keypoints2d, person.visible.numpy() > 0))
        labels.append(os.fspath(person.path.name)[-LETTERS:])
        if table.keypoints3d is not None:
            tiles.append(_from_the_side(np.array(table.keypoints3d[row])))
            labels.append("from the side")
    if not tiles:
        raise DataError("no picture of the usable people can be drawn")
    return contact_sheet(tiles, min(COLUMNS * (1 + in_3d), len(tiles)), labels)


def _spread(people: int, count: int) -> np.ndarray:
    """Return an order of all people that begins with `count` of them at even distances."""
    first = np.unique(np.linspace(0, people - 1, min(count, people)).round().astype(int))
    return np.concatenate([first, np.setdiff1d(np.arange(people), first)])


def _from_the_side(keypoints3d: Float[np.ndarray, "19 3"]) -> Picture:
    """Draw 3D keypoints as the camera would see them from the person's right in the picture."""
    known = np.asarray(np.isfinite(keypoints3d).all(1))
    paper = np.full((SIZE, SIZE, 3), PAPER, np.uint8)
    if not known.any():
        return paper
    middle = (keypoints3d[known].min(0) + keypoints3d[known].max(0)) / 2
    reach = max(float(np.abs(keypoints3d[known] - middle).max()), 1e-6) * 1.15
    side = ((keypoints3d - middle) / reach)[:, [2, 1]]
    return draw_keypoints(paper, np.nan_to_num(side), known)
