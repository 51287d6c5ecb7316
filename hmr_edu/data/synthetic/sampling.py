"""Cut pictures out of pictures by a single gather, the cheapest resampling.

`index_select` and `index_copy_` replace `x[rows]`: the same numbers several times faster.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def look_up(
    pictures: Shaped[Tensor, "N C h w"],
    which: Int[Tensor, " n"],
    row: Int[Tensor, "n H _"],
    column: Int[Tensor, "n _ W"],
) -> Shaped[Tensor, "n C H W"]:
    """Take pixel (row, column) of picture `which[i]` for every pixel of output i.

    Indices must be inside the pictures, which must hold less than 2**31 numbers: 32-bit indices
    need half the memory traffic.

    Args:
        pictures: all pictures to choose from.
        which: index of the picture for each output.
        row: row of the picture for each row of the output.
        column: column of the picture for each column of the output.
    """
    _, channels, height, width = pictures.shape
    place = (which[:, None, None] * channels * height + row).int() * width + column.int()
    plane = torch.arange(channels, device=pictures.device, dtype=torch.int32) * (height * width)
    index = place[:, None] + plane[:, None, None]
    return pictures.reshape(-1).index_select(0, index.view(-1)).view(index.shape)


def blend_rows(
    images: Float[Tensor, "batch C H W"],
    rows: Int[Tensor, " n"],
    over: Float[Tensor, "n C H W"],
    opacity: Float[Tensor, "n 1 H W"],
) -> None:
    """Lay pictures over some of the images, in place.

    Args:
        images: the batch.
        rows: which images get a picture.
        over: the pictures.
        opacity: of the pictures, pixel by pixel.
    """
    under = images.index_select(0, rows)
    images.index_copy_(0, rows, torch.lerp(under, over, opacity))


def cover_rows(
    hidden: Float[Tensor, "batch H W"], rows: Int[Tensor, " n"], opacity: Float[Tensor, "n H W"]
) -> None:
    """Record, in place, which pixels of some images were covered."""
    hidden.index_copy_(0, rows, torch.maximum(hidden.index_select(0, rows), opacity))
