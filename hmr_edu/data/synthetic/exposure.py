"""Take the photograph: light falls off, then colour, blur, noise, sharpening, compression."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.synthetic import camera_effects, lens
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.jpeg import jpeg
from hmr_edu.data.synthetic.lens import LensConfig
from hmr_edu.data.synthetic.soft_light import soft_limit

# Qualities of compression, 0 to 1.
QUALITY, JPEG_QUALITY = (0.2, 1.0), (0.3, 0.95)


@runtime_checkable
class CameraOptions(Protocol):
    """The options of `AppearanceConfig` that say how a picture is taken."""

    @property
    def colour(self) -> float:
        """How much colours vary."""

    @property
    def grey(self) -> float:
        """Share of black-and-white pictures."""

    @property
    def blur(self) -> float:
        """Share of blurred pictures."""

    @property
    def blur_size(self) -> float:
        """Width of the blur."""

    @property
    def noise(self) -> float:
        """Share of pictures with noise."""

    @property
    def noise_size(self) -> float:
        """Strength of the noise."""

    @property
    def compression(self) -> float:
        """Share of compressed pictures."""

    @property
    def lens(self) -> LensConfig:
        """What else a lens, a sensor and a file do."""


def expose(
    images: Float[Tensor, "batch 3 H W"],
    draws: dict[str, Draws],
    options: CameraOptions,
    reel: Float[Tensor, " reel"],
) -> Float[Tensor, "batch 3 H W"]:
    """Take a photograph of each scene; its values may leave [0, 1].

    Args:
        images: scenes; they may be changed.
        draws: random numbers of each ingredient.
        options: which ingredients there are, and how strong.
        reel: a strip of noise.
    """
    c, size = options, images.shape[-1]
    if c.lens.vignette:
        images = images * lens.falloff(draws["vignette"], size, c.lens.vignette)
    if c.colour or c.grey:
        images = camera_effects.colour(images, draws["colour"], c.colour, c.grey)
    if c.lens.exposure:
        images = lens.expose(images, draws["exposure"], c.lens.exposure)
    images = soft_limit(images, c.lens.highlights)
    rows, row_draws = draws["blur"].some(c.blur)
    if len(rows):
        kernels = camera_effects.blur_kernels(row_draws, size, c.blur_size)
        sharp = images.index_select(0, rows)
        images.index_copy_(0, rows, camera_effects.blur(sharp, kernels))
    rows, row_draws = draws["resolution"].some(c.lens.low_resolution)
    before = images.index_select(0, rows) if len(rows) else None
    names = ("noise", "sharpness", "compression")
    images = _record(images, options, reel, *(draws[name] for name in names))
    if before is not None:
        images.index_copy_(0, rows, _small(before, options, reel, row_draws))
    return images


def _record(
    images: Float[Tensor, "batch 3 H W"],
    options: CameraOptions,
    reel: Float[Tensor, " reel"],
    noise: Draws,
    sharpness: Draws,
    compression: Draws,
) -> Float[Tensor, "batch 3 H W"]:
    """Add noise, sharpen and compress, in place.

    Args:
        images: pictures at the sensor.
        options: which ingredients there are, and how strong.
        reel: a strip of noise.
        noise: random numbers of the noise.
        sharpness: those of sharpening.
        compression: those of compression.
    """
    c = options
    if c.noise:
        camera_effects.add_noise(images, noise, reel, c.noise, c.noise_size)
    if c.lens.sharpness:
        images = lens.sharpen(images, sharpness, c.lens.sharpness)
    rows, row_draws = compression.some(c.compression)
    if not len(rows):
        return images
    raw = images.index_select(0, rows)
    if not c.lens.jpeg:
        compressed = camera_effects.compress(raw, row_draws.uniform(*QUALITY))
    else:
        # Every second picture was compressed at twice its size.
        quality = row_draws.uniform(*JPEG_QUALITY)
        compressed = torch.empty_like(raw)
        for first in range(min(2, len(raw))):
            half = slice(first, None, 2)
            compressed[half] = jpeg(raw[half].clamp(0, 1), quality[half], reduced=first == 1)
    return images.index_copy_(0, rows, compressed)


def _small(
    images: Float[Tensor, "n 3 H W"],
    options: CameraOptions,
    reel: Float[Tensor, " reel"],
    draws: Draws,
) -> Float[Tensor, "n 3 H W"]:
    """Record pictures at a smaller size, and enlarge them again.

    Args:
        images: pictures at the sensor.
        options: which ingredients there are, and how strong.
        reel: a strip of noise.
        draws: random numbers.
    """
    # Sizes decide shapes, so they stay on the CPU.
    low, high = lens.SOURCES
    shares = draws.of(lens.PARTS, "cpu").uniform(low, high).tolist()
    parts = []
    for share, part in zip(shares, images.tensor_split(lens.PARTS), strict=True):
        if len(part):
            small = lens.small_source(part, share)
            own = draws.of(len(part))
            small = _record(small, options, reel, own, own, own)
            parts.append(lens.enlarged(small, images.shape[-1]))
    return torch.cat(parts)
