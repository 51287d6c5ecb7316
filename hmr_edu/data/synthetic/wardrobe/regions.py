"""Materials of a texel, and the encoding of a sheet of texels.

A sheet stores one byte for each texel: the region in the upper four bits, a shade in the lower
four. Colours come later, from the palette of a person, so one sheet can dress thousands of people.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from jaxtyping import Bool, Float, Int8, UInt8
from torch import Tensor

SHADES = 16
# The shade of a flat, evenly lit surface; above it are highlights, below it folds and seams.
NEUTRAL = 12


class Region(IntEnum):
    """The materials; each has one colour on one person."""

    SKIN = 0
    LIPS = 1
    HAIR = 2
    DARK = 3
    EYE_WHITE = 4
    INNER = 5
    SOLE = 6
    TOP = 7
    TOP_PATTERN = 8
    ACCENT = 9
    SOCK = 10
    HEADWEAR = 11
    BOTTOM = 12
    BOTTOM_PATTERN = 13
    SHOE = 14
    BELT = 15


class Sheets:
    """Sheets that are being painted. Bytes throughout, for speed."""

    def __init__(self, *shape: int) -> None:
        self.region = torch.zeros(shape, dtype=torch.uint8)
        self.shade = torch.full(shape, NEUTRAL, dtype=torch.int8)

    def paint(self, where: Bool[Tensor, "*#shape"], region: Region) -> None:
        """Cover texels with a material."""
        self.region.masked_fill_(where, int(region))

    def darken(self, where: Bool[Tensor, "*#shape"], steps: int) -> None:
        """Lower the shade by a number of the 16 steps (negative: a highlight)."""
        self.shade.sub_(where.to(torch.int8), alpha=steps)

    def crumple(self, where: Bool[Tensor, "*#shape"], folds: Int8[Tensor, "*#shape"]) -> None:
        """Lower the shade by the depth of folds, texel by texel."""
        self.shade.sub_(where * folds)

    def codes(self) -> UInt8[Tensor, "sheets texels"]:
        """Return the bytes of all sheets, one flat row for each sheet."""
        shade = self.shade.clamp_(0, SHADES - 1).to(torch.uint8)
        return (self.region * SHADES + shade).flatten(1)


def shade_factors() -> Float[Tensor, " 16"]:
    """Return the brightness of each shade, in linear light: 1 at NEUTRAL."""
    return ((torch.arange(SHADES) + 6) / (NEUTRAL + 6)) ** 2


def smooth_noise(
    sheets: int, size: tuple[int, int], cells: tuple[int, int], seed: int
) -> Float[Tensor, "sheets 2 rows columns"]:
    """Draw normal noise on a coarse grid and enlarge it smoothly to the size of sheets.

    Args:
        sheets: how many sheets.
        size: rows and columns of a sheet.
        cells: rows and columns of the coarse grid.
        seed: random seed of the noise.
    """
    noise = torch.randn(sheets, 2, *cells, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=size, mode="bilinear", align_corners=True)
