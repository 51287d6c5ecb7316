"""A flat chart of the rest body: its front and its back as two pictures, like a paper doll."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Chart:
    """Two pictures, [2, rows, columns], front first, of the rest body seen along Z. Metres."""

    half_width: float
    top: float
    bottom: float
    pitch: float

    @property
    def rows(self) -> int:
        """Number of texels from top to bottom."""
        return math.ceil((self.top - self.bottom) / self.pitch)

    @property
    def columns(self) -> int:
        """Number of texels from -half_width to half_width."""
        return math.ceil(2 * self.half_width / self.pitch)

    @property
    def size(self) -> int:
        """Number of texels in both pictures."""
        return 2 * self.rows * self.columns

    def grid(
        self,
    ) -> tuple[
        Float[Tensor, "1 1 1 columns"], Float[Tensor, "1 1 rows 1"], Bool[Tensor, "1 2 1 1"]
    ]:
        """Return coordinates x, y of the texel centres, and which picture is the front."""
        x = (torch.arange(self.columns) + 0.5) * self.pitch - self.half_width
        y = self.top - (torch.arange(self.rows) + 0.5) * self.pitch
        front = torch.tensor([True, False]).view(1, 2, 1, 1)
        return x.view(1, 1, 1, -1), y.view(1, 1, -1, 1), front

    def texel(
        self, x: Float[Tensor, " P"], y: Float[Tensor, " P"], back: Bool[Tensor, " P"]
    ) -> Int[Tensor, " P"]:
        """Return the flat index of the texel under each surface point; outside, the border's."""
        column = ((x + self.half_width) / self.pitch).long().clamp_(0, self.columns - 1)
        row = ((self.top - y) / self.pitch).long().clamp_(0, self.rows - 1)
        return (row + back * self.rows) * self.columns + column
