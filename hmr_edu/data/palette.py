"""Colours of people: skin, hair and clothes, a palette a person."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.draws import Draws
from hmr_edu.data.regions import Region, shade_factors

# sRGB, 0-255. Skin runs from pale to dark; a person lies somewhere between two neighbours.
SKIN = (
    (250, 224, 206),
    (240, 200, 174),
    (226, 178, 146),
    (206, 150, 116),
    (178, 122, 88),
    (142, 92, 64),
    (106, 66, 46),
    (76, 48, 36),
)
HAIR = (
    (18, 15, 14),
    (32, 23, 19),
    (54, 36, 25),
    (84, 56, 36),
    (122, 84, 48),
    (190, 152, 98),
    (150, 148, 146),
    (222, 218, 210),
    (132, 56, 28),
)
HAIR_SHARES = (0.26, 0.2, 0.17, 0.13, 0.08, 0.07, 0.05, 0.03, 0.01)
# What most clothes are: black, greys, white, navy, denim, khaki, beige, brown, olive, maroon.
COMMON = (
    (22, 22, 24),
    (52, 54, 58),
    (110, 112, 116),
    (178, 180, 182),
    (240, 240, 238),
    (28, 36, 66),
    (58, 82, 120),
    (124, 148, 180),
    (168, 148, 112),
    (214, 200, 172),
    (92, 66, 46),
    (84, 90, 56),
    (104, 30, 36),
)
TOP_SHARES = (14, 7, 8, 6, 16, 9, 5, 7, 4, 6, 3, 5, 6)
BOTTOM_SHARES = (20, 12, 7, 2, 4, 16, 20, 8, 8, 5, 5, 4, 1)


def linear(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sRGB in [0, 1] to linear light, by the square: close enough, and its inverse is cheap."""
    return srgb.square()


def from_hue(
    hue: Float[Tensor, "*shape"], saturation: Float[Tensor, "*shape"], value: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape 3"]:
    """Hue, saturation and value in [0, 1] to RGB."""
    turns = hue[..., None] * 6 + torch.tensor([5.0, 3.0, 1.0], device=hue.device)
    wave = torch.remainder(turns, 6)
    strength = torch.minimum(wave, 4 - wave).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * strength)


def _listed(colours: tuple[tuple[int, int, int], ...], draws: Draws) -> Float[Tensor, "n 3"]:
    return torch.tensor(colours, device=draws.device) / 255


def _clothes(
    draws: Draws, shares: tuple[int, ...], bright: float, pieces: int
) -> Float[Tensor, "batch pieces 3"]:
    """Half of the clothes come from the common colours, the others from the whole wheel."""
    common = _listed(COMMON, draws)[draws.choice(shares, pieces)]
    any_hue = from_hue(
        draws.uniform(0, 1, pieces), draws.uniform(0.35, 0.95, pieces), draws.uniform(0.3, 1, pieces)
    )
    return torch.where(draws.chance(bright, pieces)[..., None], any_hue, common)


def palettes(draws: Draws) -> Float[Tensor, "batch 3 256"]:
    """Linear RGB of every code (region and shade) for each person."""
    colours = torch.empty(draws.batch, len(Region), 3, device=draws.device)

    tones = _listed(SKIN, draws)
    place = draws.uniform(0, len(SKIN) - 1.001)
    lower = place.long()
    skin = torch.lerp(tones[lower], tones[lower + 1], place.frac()[:, None])
    colours[:, Region.SKIN] = skin
    colours[:, Region.LIPS] = skin * torch.tensor([0.86, 0.58, 0.6], device=draws.device)
    colours[:, Region.HAIR] = _listed(HAIR, draws)[draws.choice(HAIR_SHARES)]
    colours[:, Region.EYE_WHITE] = 0.88
    colours[:, Region.DARK] = _listed(HAIR[:3], draws)[draws.integers(3)]

    tops = [Region.TOP, Region.TOP_PATTERN, Region.ACCENT, Region.SOCK, Region.HEADWEAR]
    colours[:, tops] = _clothes(draws, TOP_SHARES, 0.45, len(tops))
    bottoms = [Region.BOTTOM, Region.BOTTOM_PATTERN, Region.SHOE, Region.BELT]
    colours[:, bottoms] = _clothes(draws, BOTTOM_SHARES, 0.2, len(bottoms))
    pale = draws.uniform(0.7, 1.0, 2, 1)
    colours[:, [Region.INNER, Region.SOLE]] = pale
    colours *= draws.uniform(0.92, 1.06, len(Region), 3)

    shades = linear(colours.clamp_(0.01, 1))[..., None] * shade_factors().to(draws.device)
    return shades.permute(0, 2, 1, 3).flatten(2).contiguous()
