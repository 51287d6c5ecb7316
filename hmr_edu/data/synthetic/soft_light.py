"""Softer light on people: penumbrae, ambient occlusion, the scene's colours, skin, rim light.

One lamp that is a point, on a body that light does not enter, shows that a picture is rendered.
Everything here is computed from the depths and normals of the list of body pixels. All lengths are
in metres, as if a crop showed 2.2 m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic import lighting
from hmr_edu.data.synthetic.camera_effects import binomial
from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.io.ranges import Probability, Range

# Distances at which a point looks towards the lamp; each is 1.7 times the last.
RATIO = 1.7
MARCH = tuple(0.045 * RATIO**k for k in range(5))
# Four neighbouring pixels look towards four points of the lamp, at distances that interleave.
PATTERN = torch.tensor([0, 2, 3, 1])
# Share of the lamp's light that reaches a point in full shadow.
UMBRA = 0.06
# Ambient occlusion: distances at which neighbours are looked at, and how far they matter.
NEIGHBOURS = (0.05, 0.08, 0.12)
REACH = 0.3
# Background pixels are this far away.
FAR = 1e3
# Light wraps around skin by this much of a quarter circle; red goes farthest (subsurface
# scattering; the values follow the widths of Jensen et al. 2001, "skin1", in their proportions).
WRAP = (0.35, 0.13, 0.07)
# Gloss of everything at grazing angles.
RIM = 0.5
# Sunlight: factors of the 13 numbers of a lamp, and half of the sun's width in radians.
SUNLIGHT = (1.0, 1.0, 1.0, 2.3, 2.2, 2.0, 0.45, 0.5, 0.6, 0.5, 0.5, 0.5, 1.0)
SUN_RADIUS = 0.005
LUMA = (0.299, 0.587, 0.114)
# Mean brightness of a picture that is exposed as a camera would.
MIDDLE_GREY = 0.2


@dataclass(frozen=True)
class LightConfig:
    """Light on people beyond one hard lamp; the defaults change nothing."""

    # Largest angular radius of the lamp, in degrees: shadows on people get soft edges (penumbrae).
    penumbra: Annotated[float, Range(0, 45)] = 0.0
    # Strength of ambient occlusion: less light in creases and between limbs.
    ambient_occlusion: Annotated[float, Range(0, 1)] = 0.0
    # How far people are lit by their surroundings: sky and floor have the background's colours and
    # brightness.
    environment: Annotated[float, Range(0, 1)] = 0.0
    # Strength of subsurface scattering: skin gets a soft, warm edge between light and shadow.
    scattering: Annotated[float, Range(0, 1)] = 0.0
    # Share of pictures in sunlight: a strong lamp of 0.3 degrees, and a dim, blue sky.
    sun: Probability = 0.0
    # Share of pictures with light from behind the person (rim light).
    backlight: Probability = 0.0
    # Share of people with a contact shadow under their lowest points: feet, hands or seat.
    contact_shadow: Probability = 0.0
    # Softness of highlights on people: bright parts saturate gradually; 0 is a hard limit.
    highlights: Annotated[float, Range(0, 1)] = 0.0


class Surroundings(NamedTuple):
    """Mean linear colours of the background's upper and lower half."""

    above: Float[Tensor, "batch 3"]
    below: Float[Tensor, "batch 3"]

    @classmethod
    def of(cls, images: Float[Tensor, "batch 3 H W"]) -> Surroundings:
        """Look at one background pixel in 16; pictures hold square roots of light."""
        light = images[:, :, ::4, ::4].square()
        middle = max(1, light.shape[2] // 2)
        return cls(light[:, :, :middle].mean((2, 3)), light[:, :, -middle:].mean((2, 3)))


def light(
    albedo: Float[Tensor, "3 P"],
    pixels: BodyPixels,
    lamp: Float[Tensor, "batch 13"],
    skin: Bool[Tensor, " P"],
    surroundings: Surroundings,
    config: LightConfig,
    draws: Draws,
) -> Float[Tensor, "3 P"]:
    """Light a list of pixels: linear albedo in, linear radiance out, as `lighting.light`.

    Args:
        albedo: linear.
        pixels: what they show.
        lamp: as `lighting.lamps` draws it.
        skin: which pixels are skin.
        surroundings: of each picture.
        config: which ingredients there are.
        draws: random numbers.
    """
    lamp = _among(surroundings, lamp, config.environment)
    behind = _lamps_behind(draws, config.backlight)
    radius = math.radians(config.penumbra) * draws.uniform(0.0, 1.0)
    sunny = draws.chance(config.sun, 1)
    gain = send(torch.tensor(SUNLIGHT), lamp.device)
    lamp = torch.where(sunny, lamp * gain, lamp)
    radius = torch.where(sunny[:, 0], SUN_RADIUS, radius)
    lamp = torch.cat([lamp[:, :3], lamp[:, 3:6] * (1 - 0.6 * behind[:, 6:]), lamp[:, 6:]], dim=1)
    lit, open_ = visibility(pixels, lamp, radius, config)

    at = torch.cat([lamp, behind[:, :6]], 1).T.contiguous().index_select(1, pixels.sample)
    towards, key, sky, floor, gloss, back, back_key = at.split((3, 3, 3, 3, 1, 3, 3))
    cosine = (pixels.normal * towards).sum(0)
    radiance = torch.lerp(floor, sky, pixels.normal[1].mul(-0.5).add_(0.5)).mul_(open_)
    if config.scattering:
        wrap = send(torch.tensor(WRAP), albedo.device)[:, None] * (config.scattering * skin)
        diffuse = ((cosine + wrap) / (1 + wrap)).clamp_(min=0)
    else:
        diffuse = cosine.clamp(min=0)
    radiance.addcmul_(key, diffuse * lit)
    gleam = gloss[0] * lighting.highlight(cosine, pixels.normal) * lit
    if config.backlight:
        facing = (pixels.normal * back).sum(0).clamp_(min=0)
        radiance.addcmul_(back_key, facing)
        # At grazing angles everything shines, dark cloth too (Schlick's approximation).
        grazing = (1 + pixels.normal[2]).clamp_(0, 1)
        gleam = gleam + (RIM * facing * grazing.square().mul_(grazing)) * back_key
    radiance = radiance.mul_(albedo).add_(gleam)
    return soft_limit(radiance, config.highlights)


def soft_limit(light: Float[Tensor, "*shape"], softness: float) -> Float[Tensor, "*shape"]:
    """Compress what is bright, so that it nears 1 and does not reach it; 0 changes nothing.

    Up to `1 - softness` nothing changes; beyond it, a hyperbola of the same slope has 1 as limit.
    """
    if not softness:
        return light
    over = (light - (1 - softness)).clamp_(min=0)
    beyond = over + softness
    return light - over.square_().div_(beyond)


def _among(
    surroundings: Surroundings, lamp: Float[Tensor, "batch 13"], share: float
) -> Float[Tensor, "batch 13"]:
    """Give sky and floor the colours of the background, and all lamps its brightness."""
    if not share:
        return lamp
    luma = send(torch.tensor(LUMA), lamp.device)
    above, below = surroundings
    bright = ((above + below) / 2 @ luma)[:, None]
    gain = 1 + share * ((bright / MIDDLE_GREY).sqrt().clamp(0.55, 1.35) - 1)
    # Colours of brightness 1. Grey is mixed in, so that no channel is without light.
    above, below = (0.4 * bright + c for c in (above, below))
    above, below = (c / (c @ luma)[:, None].clamp_min(1e-4) for c in (above, below))
    towards, key, sky, floor, gloss = lamp.split((3, 3, 3, 3, 1), dim=1)
    sky = torch.lerp(sky, (sky @ luma)[:, None] * above, share)
    floor = torch.lerp(floor, (floor @ luma)[:, None] * below, share)
    return torch.cat([towards, key * gain, sky * gain, floor * gain, gloss], dim=1)


def _lamps_behind(draws: Draws, share: float) -> Float[Tensor, "batch 7"]:
    """Draw lamps behind people: direction 3, colour 3, and 1 where there is one, else 0."""
    side = torch.where(draws.chance(0.5, 1), 1.0, -1.0) * draws.uniform(0.2, 1.0, 1)
    towards = torch.cat([side, draws.uniform(-1.0, -0.1, 1), draws.uniform(0.25, 0.9, 1)], 1)
    there = draws.chance(share, 1).float()
    warm = draws.uniform(-0.15, 0.25, 1)
    colour = draws.uniform(0.8, 2.6, 1) * torch.cat([1 + warm, torch.ones_like(warm), 1 - warm], 1)
    return torch.cat([torch.nn.functional.normalize(towards, dim=1), colour * there, there], 1)


def visibility(
    pixels: BodyPixels,
    lamp: Float[Tensor, "batch 13"],
    radius: Float[Tensor, " batch"],
    config: LightConfig,
) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
    """Return the shares of the lamp and of the ambient light that reach each pixel, 0 to 1.

    Four neighbouring pixels look in different directions; a filter of 3 x 3 pixels then gives each
    pixel the mean of all.

    Args:
        pixels: what they show.
        lamp: direction in the first three columns.
        radius: of the lamp, in radians.
        config: which of the two are wanted.
    """
    ones = torch.ones_like(pixels.depth)
    if not config.penumbra and not config.ambient_occlusion:
        return lighting.unshadowed(pixels, lamp), ones
    framed = lighting.framed_depths(pixels, MARCH[-1] * RATIO, FAR)
    # 32-bit indices need half the memory traffic.
    kind = torch.int32 if len(framed.depths) < 2**31 else torch.int64
    framed, index = framed._replace(place=framed.place.to(kind)), pixels.index.to(kind)
    row = index // pixels.size
    corner = (row & 1) * 2 + ((index - row * pixels.size) & 1)
    maps = []
    if config.penumbra:
        maps.append(_shadow(framed, pixels, lamp, radius, corner))
    if config.ambient_occlusion:
        maps.append(_crowded(framed, pixels, corner))
    maps = _smooth(torch.stack(maps), pixels)
    lit = 1 - (1 - UMBRA) * maps[0] if config.penumbra else lighting.unshadowed(pixels, lamp)
    open_ = 1 - config.ambient_occlusion * maps[-1] if config.ambient_occlusion else ones
    return lit, open_


def _shadow(
    framed: lighting.FramedDepths,
    pixels: BodyPixels,
    lamp: Float[Tensor, "batch 13"],
    radius: Float[Tensor, " batch"],
    corner: Int[Tensor, " P"],
) -> Float[Tensor, " P"]:
    """Return 1 where something stands between a pixel and its point of the lamp, else 0."""
    device = lamp.device
    towards = lamp[:, None, :3]
    # Two directions across the lamp's, and four points at 0.7 of its radius.
    across = torch.linalg.cross(towards, torch.tensor([[[0.0, 0.0, 1.0]]], device=device))
    across = torch.nn.functional.normalize(across + 1e-6, dim=2)
    along = torch.linalg.cross(across, towards)
    angle = (torch.arange(4, device=device) + 0.5)[:, None] * (math.pi / 2)
    wide = (0.7 * radius.tan())[:, None, None]
    points = towards + wide * (angle.cos() * across + angle.sin() * along)
    reach = RATIO ** (send(PATTERN, device) / 4)[:, None]
    points = torch.nn.functional.normalize(points, dim=2) * reach
    which = pixels.sample.int() * 4 + corner
    nearest, thick = lighting.SHADOW_DEPTH
    middle, half = (nearest + thick) / 2, (thick - nearest) / 2
    blocked = torch.zeros_like(pixels.depth, dtype=torch.bool)
    for step in MARCH:
        x, y = (points[..., :2] * (step * framed.scale)).round().int().unbind(2)
        move = (y * framed.width + x).view(-1).index_select(0, which)
        beyond = (points[..., 2] * step - middle).view(-1).index_select(0, which)
        other = framed.depths.index_select(0, framed.place + move)
        blocked |= (beyond.add_(pixels.depth).sub_(other)).abs_() < half
    return blocked.float()


def _crowded(
    framed: lighting.FramedDepths, pixels: BodyPixels, corner: Int[Tensor, " P"]
) -> Float[Tensor, " P"]:
    """Return how much of the space before each pixel is filled by the body, 0 to 1."""
    device = pixels.depth.device
    turns = send(PATTERN, device) * (math.pi / 6)
    total = torch.zeros_like(pixels.depth)
    nx, ny, nz = pixels.normal
    for k, distance in enumerate(NEIGHBOURS):
        radius = distance * framed.scale
        angle = turns + k * (2 * math.pi / len(NEIGHBOURS))
        x, y = (angle.cos() * radius).round(), (angle.sin() * radius).round()
        move = (y * framed.width + x).int().index_select(0, corner)
        dz = framed.depths.index_select(0, framed.place + move).sub_(pixels.depth)
        dx = (x / framed.scale).index_select(0, corner)
        dy = (y / framed.scale).index_select(0, corner)
        squared = dz.square().add_(dx.square()).addcmul_(dy, dy).clamp_min_(1e-6)
        cosine = (dx * nx).addcmul_(dy, ny).addcmul_(dz, nz).mul_(squared.rsqrt())
        fading = (1 - squared / REACH**2).clamp_(min=0)
        total.addcmul_((cosine - 0.1).clamp_(min=0), fading)
    return total.mul_(0.7).clamp_(max=1)


def _smooth(values: Float[Tensor, "maps P"], pixels: BodyPixels) -> Float[Tensor, "maps P"]:
    """Filter maps by (1 2 1) / 4 in both directions, over the body only."""
    weighted = torch.cat([values, torch.ones_like(values[:1])])
    area = pixels.batch * pixels.size**2
    planes = weighted.new_zeros(len(weighted), area).index_copy_(1, pixels.index, weighted)
    planes = binomial(planes.view(-1, pixels.size, pixels.size))
    found = planes.view(len(weighted), area).index_select(1, pixels.index)
    return found[:-1] / found[-1]


def contact_shadows(
    images: Float[Tensor, "batch 3 H W"],
    alpha: Float[Tensor, "batch H W"],
    draws: Draws,
    probability: float,
) -> None:
    """Darken some backgrounds, in place, close below the lowest points of the body.

    What stands or sits on the ground hides the sky from the ground beside it. A column of pixels
    gets a shadow below the body's lowest pixel there, the darker the nearer that is to the lowest
    pixel of all.

    Args:
        images: backgrounds.
        alpha: coverage of the body in each pixel.
        draws: random numbers.
        probability: of a contact shadow in a picture.
    """
    rows, row_draws = draws.some(probability)
    if not len(rows):
        return
    size = images.shape[-1]
    line = torch.arange(1.0, size + 1, device=images.device)
    lowest = ((alpha.index_select(0, rows) > 0.5) * line[:, None]).amax(1)
    ground = lowest.amax(1, keepdim=True)
    # A shadow is wider than the foot by some pixels; they fade outwards.
    height = row_draws.uniform(0.01, 0.035, 1) * size
    near = torch.exp(-((ground - lowest) / (1.5 * height)).square()) * (lowest > 0)
    spread = max(1, size // 40)
    low, near = (
        torch.nn.functional.max_pool1d(part[:, None], 2 * spread + 1, 1, spread)
        for part in (lowest, near)
    )
    near = torch.nn.functional.avg_pool1d(near, 2 * spread + 1, 1, spread)
    depth = row_draws.uniform(0.25, 0.6, 1, 1) * near
    below = ((line - 0.5)[:, None] - low) / height[:, :, None]
    shadow = 1 - torch.exp(-below.square()) * depth
    factor = torch.ones(len(images), 1, size, size, device=images.device)
    images *= factor.index_copy_(0, rows, shadow[:, None])
