"""What is read of masks and label images: points of the person, and the way back into the mask."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from hmr_edu.crop import cell_centres, under_centres

# Points taken of a mask.
POINTS = 256
# Cells along each side of a mask, at most. A cell is 3.5 pixels of a crop of 224.
CELLS = 64
# Numbers in the largest array of the search. What needs more is done in parts.
LARGEST = 2**22


class MaskLabels(NamedTuple):
    """What the terms read of label images; `MaskLabels.of` makes it, once for all steps.

    `points` are centres of the mask's cells, `parts` their labels. `nearest` is, for each cell of
    the picture, the centre of the nearest cell of the mask. `shown` is False where a mask is empty:
    it then says nothing.
    """

    points: Float[Tensor, "batch K 2"]
    parts: Int64[Tensor, "batch K"]
    nearest: Float[Tensor, "batch height width 2"]
    shown: Bool[Tensor, " batch"]

    @classmethod
    def of(
        cls,
        parts: UInt8[Tensor, "batch rows columns"],
        points: int = POINTS,
        cells: int = CELLS,
    ) -> MaskLabels:
        """Read label images as in `hmr_edu.data.batch.Batch`: everything but 0 is the person.

        The points are spread evenly over the list of the mask's cells, so that the same mask always
        gives the same points. Coordinates are float32.

        Args:
            parts: the label images.
            points: points taken of each; a smaller mask repeats its cells.
            cells: cells along each side, at most; larger images are read at the cells' centres.
        """
        if 0 in parts.shape[1:]:  # no picture: one empty cell
            parts = parts.new_zeros(len(parts), 1, 1)
        labels = under_centres(parts, *(min(side, cells) for side in parts.shape[1:])).long()
        height, width = labels.shape[1:]
        count = (labels > 0).flatten(1).cumsum(1)
        shares = (torch.arange(points, device=parts.device) + 0.5) / points
        # The cell at which the count of the mask's cells first exceeds this share of all of them.
        wanted = (shares * count[:, -1:]).long() + 1
        cell = torch.searchsorted(count, wanted).clamp(max=height * width - 1)
        return cls(
            points=_centres(height, width, parts.device).flatten(0, 1)[cell],
            parts=labels.flatten(1).gather(1, cell),
            nearest=nearest_cells(labels > 0),
            shown=count[:, -1] > 0,
        )


def nearest_cells(
    mask: Bool[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width 2"]:
    """Return the centre of the mask's cell nearest to each cell; nothing useful of an empty mask.

    The distance to it is the exact distance transform (Felzenszwalb and Huttenlocher 2012), in two
    passes: along the columns, then along the rows.
    """
    height, width = mask.shape[1:]
    y, x = (cell_centres(n, torch.zeros((), device=mask.device)) for n in (height, width))
    above = torch.where(mask, y[:, None], -torch.inf).cummax(1).values
    below = torch.where(mask, y[:, None], torch.inf).flip(1).cummin(1).values.flip(1)
    near = torch.where(y[:, None] - above <= below - y[:, None], above, below)
    vertical = (near - y[:, None]).square()  # infinite in a column without the mask
    horizontal = (x[:, None] - x).square()
    column = torch.cat(
        [
            (part[:, :, None] + horizontal).argmin(-1)
            for part in vertical.split(max(1, LARGEST // (height * width**2)))
        ]
    )
    return torch.stack((x[column], near.gather(2, column)), dim=-1).nan_to_num(posinf=0, neginf=0)


def _centres(height: int, width: int, device: torch.device) -> Float[Tensor, "height width 2"]:
    """Return the crop coordinates (x, y) of the centres of cells."""
    zero = torch.zeros((), device=device)
    y, x = (cell_centres(n, zero) for n in (height, width))
    return torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1)
