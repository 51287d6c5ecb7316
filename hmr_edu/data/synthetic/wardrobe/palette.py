"""Colours of people: a palette of skin, hair and clothes for each person."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.data.synthetic.wardrobe.regions import Region, shade_factors

# sRGB, 0-255. Skin runs from pale to dark; a person has a mixture of two neighbours.
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
# The colours of most clothes: black, greys, white, navy, denim, khaki, beige, brown, olive, maroon.
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
    """Convert sRGB in [0, 1] into linear light by squaring: close enough, with a cheap inverse."""
    return srgb.square()


def from_hue(
    hue: Float[Tensor, "*shape"],
    saturation: Float[Tensor, "*shape"],
    value: Float[Tensor, "*shape"],
) -> Float[Tensor, "*shape 3"]:
    """Convert hue, saturation and value in [0, 1] into RGB."""
    turns = hue[..., None] * 6 + send(torch.tensor([5.0, 3.0, 1.0]), hue.device)
    wave = torch.remainder(turns, 6)
    strength = torch.minimum(wave, 4 - wave).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * strength)


def _pick(
    colours: tuple[tuple[int, int, int], ...], index: Int[Tensor, "*shape"]
) -> Float[Tensor, "*shape 3"]:
    return send(torch.tensor(colours) / 255, index.device)[index]


def _clothes(
    draws: Draws, shares: tuple[int, ...], bright: float, pieces: int
) -> Float[Tensor, "batch pieces 3"]:
    """Draw common colours or, with probability `bright`, any hue.

    Args:
        draws: random numbers.
        shares: how common each colour in COMMON is.
        bright: probability of any hue.
        pieces: colours for each person.
    """
    common = _pick(COMMON, draws.choice(shares, pieces))
    hue, saturation, value = draws.uniform(0.0, 1.0, 3, pieces).unbind(1)
    any_hue = from_hue(hue, 0.25 + 0.65 * saturation, 0.25 + 0.7 * value)
    return torch.where(draws.chance(bright, pieces, 1), any_hue, common)


def palettes(draws: Draws) -> Float[Tensor, "batch 3 256"]:
    """Draw for each person the linear RGB of every code (region and shade)."""
    place = draws.uniform(0.0, len(SKIN) - 1.001)
    lower = place.long()
    skin = torch.lerp(_pick(SKIN, lower), _pick(SKIN, lower + 1), place.frac()[:, None])
    lips = skin * send(torch.tensor([0.86, 0.58, 0.6]), draws.device)
    hair = _pick(HAIR, draws.choice(HAIR_SHARES))
    dark = _pick(HAIR, draws.integers(3))
    pale = draws.uniform(0.7, 1.0, 3, 1).expand(-1, 3, 3)
    # In the order of Region.
    body = torch.stack([skin, lips, hair, dark], dim=1)
    tops, bottoms = _clothes(draws, TOP_SHARES, 0.4, 5), _clothes(draws, BOTTOM_SHARES, 0.15, 4)
    colours = torch.cat([body, pale, tops, bottoms], dim=1)
    colours = colours * draws.uniform(0.92, 1.06, len(Region), 3)

    regions = linear(colours.clamp_(0.01, 1)).transpose(1, 2)
    return (regions[..., None] * send(shade_factors(), draws.device)).flatten(2)
