"""The pixels of a batch that show a body, as one list: all of a G-buffer that shading needs.

Most of a picture is background. The list is a quarter of the size of the G-buffer. Worker processes
send it to the device that shades, which need not search for the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8
from torch import Tensor

from hmr_edu.data.batch import TensorDataclass
from hmr_edu.data.render.renderer import GBuffer


@dataclass
class BodyPixels(TensorDataclass):
    """The P pixels of `batch` square pictures that show a body; all others are background.

    `index` is the place in the flattened [batch, size, size], ascending. The other fields are as in
    `GBuffer`. People who are `dressed` have (u, v, number of the texture) in `surface` instead of
    a place on the rest body; None is nobody.
    """

    batch: int
    size: int
    index: Int64[Tensor, " P"]
    part: UInt8[Tensor, " P"]
    coverage: Float32[Tensor, " P"]
    depth: Float32[Tensor, " P"]
    normal: Float32[Tensor, "3 P"]
    surface: Float32[Tensor, "3 P"]
    dressed: Bool[Tensor, " batch"] | None = None

    @classmethod
    def of(cls, gbuffer: GBuffer, dressed: Bool[Tensor, " batch"] | None = None) -> BodyPixels:
        """Make the list of the pixels where a G-buffer shows a body."""
        batch, size = gbuffer.part.shape[:2]
        index = torch.from_numpy(gbuffer.part).view(-1).nonzero()[:, 0]
        # Index in the first of three planes; the planes of a picture follow each other.
        first = index + 2 * size**2 * (index // size**2)
        spread = (first + torch.arange(3)[:, None] * size**2).view(-1)

        def take(values: np.ndarray, places: Tensor) -> Tensor:
            return torch.from_numpy(values).view(-1).index_select(0, places)

        return cls(
            batch=batch,
            size=size,
            index=index,
            part=take(gbuffer.part, index),
            coverage=take(gbuffer.coverage, index),
            depth=take(gbuffer.depth, index),
            normal=take(gbuffer.normal, spread).view(3, -1),
            surface=take(gbuffer.surface, spread).view(3, -1),
            dressed=dressed,
        )

    @cached_property
    def sample(self) -> Int64[Tensor, " P"]:
        """The picture that each pixel belongs to."""
        return self.index // self.size**2

    def plane(self, values: Shaped[Tensor, " P"]) -> Shaped[Tensor, "batch size size"]:
        """Put one value for each pixel in its place; the background is zero."""
        plane = values.new_zeros(self.batch * self.size**2)
        return plane.index_copy_(0, self.index, values).view(self.batch, self.size, self.size)

    def picture(self, values: Shaped[Tensor, "3 P"]) -> Shaped[Tensor, "batch 3 size size"]:
        """Put three values for each pixel in their place; the background is zero."""
        area = self.size**2
        first = self.index + 2 * area * self.sample
        planes = torch.arange(3, device=values.device)[:, None] * area
        picture = values.new_zeros(3 * self.batch * area)
        picture.index_copy_(0, (first + planes).view(-1), values.reshape(-1))
        return picture.view(self.batch, 3, self.size, self.size)
