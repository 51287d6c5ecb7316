"""Cutting pictures out of pictures: one flat gather, the cheapest resampling there is."""

from __future__ import annotations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor


def look_up(
    pictures: Shaped[Tensor, "N C h w"],
    which: Int[Tensor, " n"],
    row: Int[Tensor, "n H _"],
    column: Int[Tensor, "n _ W"],
) -> Shaped[Tensor, "n C H W"]:
    """Take pixel (row, column) of picture `which[i]` for every pixel of output i.

    Indices must be inside the pictures.
    """
    _, channels, height, width = pictures.shape
    place = (which[:, None, None] * channels * height + row) * width + column
    plane = torch.arange(channels, device=pictures.device) * (height * width)
    index = place[:, None] + plane[:, None, None]
    return pictures.reshape(-1).index_select(0, index.view(-1)).view(index.shape)
