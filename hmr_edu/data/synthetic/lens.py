"""Lens, sensor and file: depth of field, vignetting, small sources, sharpening.

Photographs of people are crops of larger pictures, often enlarged ones. Pictures hold square roots
of linear light, as everywhere in this room.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.synthetic.camera_effects import binomial
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.io.ranges import Probability, Range

# Share of the pictures with a shallow depth of field in which the person is out of focus.
PERSON_OUT_OF_FOCUS = 0.15
# Largest blur by depth of field: this many halvings of the resolution at 128 pixels.
WIDEST = 2.5
# Frequencies of bands, in bands a crop, and their largest strength.
BANDS, BAND_STRENGTH = (0.5, 4.0), 0.12
# Sides of small sources, relative to the picture; each part of a batch has one of its own.
SOURCES, PARTS = (0.4, 1.0), 4
# Strengths of the unsharp mask; negative ones soften.
SHARPNESS = (-1.0, 0.7)
# Brightness of pictures as cameras expose them: mean, standard deviation, and the smallest and
# largest contrast (standard deviation within a picture). A camera changes contrast by a factor.
EXPOSED, SPREAD, CONTRAST = 0.44, 0.11, (0.14, 0.32)
FACTORS = (0.6, 1.6)


@dataclass(frozen=True)
class LensConfig:
    """Lens, sensor and file beyond colour, blur and noise; the defaults change nothing."""

    # Share of pictures with a shallow depth of field: the background is out of focus, or sometimes
    # the person.
    depth_of_field: Probability = 0.0
    # Strength of vignetting (dark corners), and of bands as rolling shutters record flickering
    # light.
    vignette: Annotated[float, Range(0, 1)] = 0.0
    # How far cameras fit exposure and contrast to the scene (automatic exposure).
    exposure: Annotated[float, Range(0, 1)] = 0.0
    # Softness of highlights: bright parts saturate gradually; 0 is a hard limit.
    highlights: Annotated[float, Range(0, 1)] = 0.0
    # Share of pictures from a small source: reduced, with noise, sharpening and compression at
    # that size, and enlarged again.
    low_resolution: Probability = 0.0
    # How much sharpness varies: from soft optics to the halos of sharpening.
    sharpness: Annotated[float, Range(0, 1)] = 0.0
    # Whether compression has the tables and the halved colour resolution of JPEG, at the picture's
    # size or at twice that.
    jpeg: bool = False


def compose(
    background: Float[Tensor, "batch 3 H W"],
    people: Float[Tensor, "batch 3 H W"],
    alpha: Float[Tensor, "batch H W"],
    draws: Draws,
    share: float,
) -> Float[Tensor, "batch 3 H W"]:
    """Lay people over backgrounds; in some pictures one of the two is out of focus.

    Args:
        background: pictures.
        people: pictures of people, on black.
        alpha: their coverage in each pixel.
        draws: random numbers.
        share: of pictures with a shallow depth of field.
    """
    rows, row_draws = draws.some(share)
    images = torch.lerp(background, people, alpha[:, None])
    if not len(rows):
        return images
    level = row_draws.uniform(0.0, WIDEST) + math.log2(images.shape[-1] / 128)
    person = row_draws.chance(PERSON_OUT_OF_FOCUS)
    # A person out of focus is less so than a background: else there is nothing to learn.
    ground = defocus(background.index_select(0, rows), torch.where(person, 0.0, level))
    opacity = alpha.index_select(0, rows)[:, None]
    figure = people.index_select(0, rows) * opacity
    figure = defocus(torch.cat([figure, opacity], 1), torch.where(person, level / 2, 0.0))
    over = ground * (1 - figure[:, 3:]) + figure[:, :3]
    return images.index_copy_(0, rows, over)


def defocus(
    images: Float[Tensor, "n C H W"], level: Float[Tensor, " n"]
) -> Float[Tensor, "n C H W"]:
    """Blur each picture by `level` halvings of its resolution, by trilinear mip mapping.

    0 and less change nothing.
    """
    height, width = images.shape[-2:]
    smaller, out = images, images
    for k in range(math.ceil(WIDEST + math.log2(max(height, width) / 128))):
        if min(smaller.shape[-2:]) < 2:
            break
        smaller = torch.nn.functional.avg_pool2d(smaller, 2)
        share = (level - k).clamp(0, 1)[:, None, None, None]
        out = torch.lerp(out, _resized(smaller, (height, width)), share)
    return out


def _resized(images: Float[Tensor, "n C h w"], size: tuple[int, int]) -> Float[Tensor, "n C H W"]:
    """Resample pictures as crops are: bilinear, with antialiasing where they get smaller."""
    smaller = size[-1] < images.shape[-1]
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=smaller)


def falloff(draws: Draws, size: int, strength: float) -> Float[Tensor, "batch 1 size size"]:
    """Draw the factor by which each pixel of pictures is darker than the brightest.

    Vignetting follows the fourth power of the cosine of the angle off the lens's axis, which meets
    the picture anywhere near the crop. Bands are horizontal.
    """
    # Squared, because most lenses are good; square roots of light fall by cosine squared.
    slope = strength * draws.uniform(0.0, 1.0, 1, 1).square()
    centre = draws.uniform(-0.7, 0.7, 2, 1)
    line = (torch.arange(size, device=draws.device) + 0.5) * (2 / size) - 1
    x, y = (line - centre).square().unbind(1)
    factor = vignette(x[:, None] + y[:, :, None], slope)
    bands = strength * BAND_STRENGTH * draws.uniform(-1.0, 1.0, 1).clamp(min=0).square()
    wave = line * draws.uniform(*BANDS, 1) + draws.uniform(0.0, 2.0, 1)
    shade = 1 - bands * (0.5 + 0.5 * (torch.pi * wave).sin())
    return (factor * shade[:, :, None])[:, None]


def vignette(
    squared: Float[Tensor, "batch H W"], slope: Float[Tensor, "batch 1 1"]
) -> Float[Tensor, "batch H W"]:
    """Return cos^2 of the angle off axis where tan^2 = slope r^2 / 2, from r^2 in half-crops.

    A corner, r^2 = 2, has 1 / (1 + slope).
    """
    return 1 / (1 + slope * (0.5 * squared))


def expose(
    images: Float[Tensor, "batch 3 H W"], draws: Draws, share: float
) -> Float[Tensor, "batch 3 H W"]:
    """Bring mean brightness and contrast of pictures towards what cameras choose.

    Args:
        images: pictures.
        draws: random numbers.
        share: of the way: 0 changes nothing, 1 sets both exactly, within `FACTORS`.
    """
    # One pixel in 16 is enough.
    bright = images[:, 1, ::4, ::4].flatten(1)
    deviation, mean = torch.std_mean(bright, dim=1)
    gain = (draws.uniform(*CONTRAST) / deviation.clamp_min(1e-3)).clamp(*FACTORS)
    gain = 1 + share * (gain - 1)
    wanted = EXPOSED + SPREAD * draws.normal().clamp(-2, 2)
    shift = torch.lerp(mean, wanted, share) - gain * mean
    return torch.addcmul(shift[:, None, None, None], images, gain[:, None, None, None])


def sharpen(
    images: Float[Tensor, "batch 3 H W"], draws: Draws, strength: float
) -> Float[Tensor, "batch 3 H W"]:
    """Make pictures softer, as optics do, or sharper, by an unsharp mask, as telephones do."""
    return unsharp(images, strength * draws.uniform(*SHARPNESS, 1, 1, 1))


def unsharp(
    images: Float[Tensor, "n 3 H W"], strength: Float[Tensor, "n 1 1 1"]
) -> Float[Tensor, "n 3 H W"]:
    """Add `strength` times the difference from a picture filtered by (1 2 1) / 4 both ways.

    At -1 the result is the filtered picture.
    """
    return binomial(images).lerp_(images, 1 + strength)


def small_source(images: Float[Tensor, "n 3 H W"], share: float) -> Float[Tensor, "n 3 h w"]:
    """Reduce pictures to `share` of their side, at least 8 pixels."""
    side = max(8, round(share * images.shape[-1]))
    return _resized(images, (side, side))


def enlarged(images: Float[Tensor, "n 3 h w"], side: int) -> Float[Tensor, "n 3 H W"]:
    """Enlarge pictures again, as a crop of a small person is."""
    return _resized(images, (side, side))
