"""What a texel can be made of, and how a sheet of texels is written down.

A sheet stores one byte a texel: the region in the upper four bits, a shade in the lower four.
Colours come later, from a palette per person, so that one sheet dresses thousands of people.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

SHADES = 16
# The shade of a flat, evenly lit surface; above it are highlights, below it folds and seams.
NEUTRAL = 12


class Region(IntEnum):
    """Everything that has one colour on one person."""

    SKIN = 0
    HAIR = 1
    LIPS = 2
    EYE_WHITE = 3
    DARK = 4
    TOP = 5
    TOP_PATTERN = 6
    INNER = 7
    ACCENT = 8
    BOTTOM = 9
    BOTTOM_PATTERN = 10
    BELT = 11
    SOCK = 12
    SHOE = 13
    SOLE = 14
    HEADWEAR = 15


class Sheets:
    """Sheets being painted: every stroke says where, and what."""

    def __init__(self, *shape: int) -> None:
        self.region = torch.zeros(shape, dtype=torch.uint8)
        self.shade = torch.full(shape, float(NEUTRAL))

    def paint(self, where: Bool[Tensor, "*#shape"], region: Region) -> None:
        """Cover texels with a material."""
        self.region.masked_fill_(where, int(region))

    def darken(self, where: Bool[Tensor, "*#shape"] | Float[Tensor, "*#shape"], steps: float) -> None:
        """Lower the shade by so many of the 16 steps (negative: a highlight)."""
        self.shade.sub_(where * steps)

    def codes(self) -> UInt8[Tensor, "sheets texels"]:
        """The bytes, one flat row a sheet."""
        shade = self.shade.round_().clamp_(0, SHADES - 1).to(torch.uint8)
        return (self.region * SHADES + shade).flatten(1)


def shade_factors() -> Float[Tensor, " 16"]:
    """How bright each shade is, in linear light: 1 at NEUTRAL."""
    return ((torch.arange(SHADES) + 6) / (NEUTRAL + 6)) ** 2


def smooth_noise(
    shape: tuple[int, ...], cells: tuple[int, int], seed: int
) -> Float[Tensor, "*shape"]:
    """Normal noise on a grid of `cells`, smoothly enlarged to the last two axes of `shape`."""
    generator = torch.Generator().manual_seed(seed)
    lead = tuple(shape[:-2])
    noise = torch.randn(*lead, *cells, generator=generator)
    enlarged = torch.nn.functional.interpolate(
        noise.view(1, -1, *cells), size=tuple(shape[-2:]), mode="bicubic", align_corners=True
    )
    return enlarged.view(*shape)
