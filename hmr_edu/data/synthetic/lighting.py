"""Light on the body: a lamp, sky and floor, gloss, and the shadows that the body casts."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.data.synthetic.sampling import look_up

# Distances, in metres, at which a point looks towards the lamp for a limb or torso in the way.
SHADOW_STEPS = (0.06, 0.14, 0.28)
# A surface casts a shadow this far behind it, in metres: nearer is the surface itself, farther is
# behind the limb.
SHADOW_DEPTH = (0.03, 0.5)
# Width of a crop in metres, approximately; shadows need no more.
CROP_METRES = 2.2


def lamps(draws: Draws) -> Float[Tensor, "batch 13"]:
    """Draw a light for each picture: direction to lamp 3, its colour 3, sky 3, floor 3, gloss 1."""
    towards = draws.normal(3)
    # Lamps are mostly above the person, and rarely directly behind.
    towards[:, 1] = -towards[:, 1].abs() - 0.2
    towards[:, 2] -= 0.5
    towards = torch.nn.functional.normalize(towards, dim=1)
    tint = draws.uniform(0.82, 1.12, 3, 3)
    strength = draws.uniform(0.15, 1.25, 1)
    sky = draws.uniform(0.4, 0.85, 1)
    floor = sky * draws.uniform(0.35, 0.8, 1)
    gloss = draws.uniform(0.0, 0.12, 1)
    return torch.cat(
        [towards, strength * tint[:, 0], sky * tint[:, 1], floor * tint[:, 2], gloss], dim=1
    )


def studio_lamps(draws: Draws) -> Float[Tensor, "batch 13"]:
    """Return the same white light, from above the camera, for every picture."""
    light = [-0.4, -0.6, -0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.42, 0.42, 0.42, 0.03]
    return send(torch.tensor(light), draws.device).expand(draws.batch, 13)


def light(
    albedo: Float[Tensor, "3 P"], pixels: BodyPixels, lamp: Float[Tensor, "batch 13"]
) -> Float[Tensor, "3 P"]:
    """Light a list of pixels: linear albedo in, linear radiance out."""
    lamp_at = lamp.T.contiguous().index_select(1, pixels.sample)
    towards, key, sky, floor, gloss = lamp_at.split((3, 3, 3, 3, 1))
    cosine = (pixels.normal * towards).sum(0)
    lit = cosine.clamp(min=0) * unshadowed(pixels, lamp)
    upward = pixels.normal[1].mul(-0.5).add_(0.5)
    ambient = torch.lerp(floor, sky, upward)
    gleam = gloss[0] * highlight(cosine, pixels.normal)
    return albedo * torch.addcmul(ambient, key, lit) + gleam


def highlight(cosine: Float[Tensor, " P"], normal: Float[Tensor, "3 P"]) -> Float[Tensor, " P"]:
    """Return the gloss of each pixel, 0 to 1, from the cosine of its normal with the lamp."""
    # Blinn's half vector with the viewer at -z; the eighth power by squaring.
    half = (cosine - normal[2]).mul_(0.5).clamp_(min=0)
    return half.square().square().square()


class FramedDepths(NamedTuple):
    """Depths of a batch with an added frame, flat, in which pixels find their neighbours.

    `place` is the index of each body pixel; a row is `width` wide; a metre is `scale` pixels.
    """

    depths: Float[Tensor, " area"]
    place: Int[Tensor, " P"]
    width: int
    scale: float


def framed_depths(pixels: BodyPixels, reach: float, empty: float) -> FramedDepths:
    """Lay out the depths of a batch; no neighbour within `reach` metres is outside.

    Empty pixels, and the frame, have the depth `empty`.
    """
    size, start = pixels.size, pixels.depth
    scale = size / CROP_METRES
    margin = math.ceil(reach * scale) + 1
    width = size + 2 * margin
    row = pixels.index // size
    # Index in pictures with an added frame: each row and each picture above shifts it by `margin`.
    frame = pixels.sample * (2 * margin * width)
    place = pixels.index + frame + row * (2 * margin) + (margin * width + margin)
    depths = torch.full((pixels.batch * width * width,), empty, device=start.device)
    return FramedDepths(depths.index_copy_(0, place, start), place, width, scale)


def unshadowed(pixels: BodyPixels, lamp: Float[Tensor, "batch 13"]) -> Float[Tensor, " P"]:
    """Return the share of the lamp that reaches each pixel, by a short march through the depths."""
    start = pixels.depth
    # Empty pixels and what lies outside the picture are infinitely far and shadow nothing.
    depths, place, width, scale = framed_depths(pixels, SHADOW_STEPS[-1], torch.inf)
    nearest, thick = SHADOW_DEPTH
    middle, half = (nearest + thick) / 2, (thick - nearest) / 2
    blocked = torch.zeros_like(start)
    for step in SHADOW_STEPS:
        x, y = (lamp[:, :2] * (step * scale)).round().long().unbind(1)
        other = depths.index_select(0, place + (y * width + x).index_select(0, pixels.sample))
        beyond = (lamp[:, 2] * step - middle).index_select(0, pixels.sample)
        blocked += (start - other).add_(beyond).abs_() < half
    return blocked.clamp_(max=2).mul_(-0.45).add_(1)


def cast_shadows(
    images: Float[Tensor, "batch 3 H W"],
    alpha: Float[Tensor, "batch H W"],
    draws: Draws,
    probability: float,
) -> None:
    """Darken some backgrounds, in place, where the body's shadow falls: on a floor or a wall.

    A shadow is the outline of the body, shifted along the wall, or folded down about the lowest
    pixel of the body, squashed and slanted.

    Args:
        images: backgrounds.
        alpha: coverage of the body in each pixel.
        draws: random numbers.
        probability: of a shadow in a picture.
    """
    rows, row_draws = draws.some(probability)
    if not len(rows):
        return
    n, size = len(rows), images.shape[-1]
    outline = alpha.index_select(0, rows)
    # At half the resolution: shadows are soft, and this is a quarter of the work.
    line = torch.arange(0.5, size, 2, device=images.device)
    lowest = (outline.amax(2) * torch.arange(1, size + 1, device=images.device)).amax(1)[:, None]
    wall = row_draws.chance(0.3, 1)
    squash = row_draws.uniform(1.5, 4.0, 1) * torch.where(row_draws.chance(0.5, 1), -1, 1)
    squash = torch.where(wall, 1.0, squash)
    slide = torch.where(wall, row_draws.uniform(-0.12, 0.12, 2) * size, 0.0)
    slant = torch.where(wall, 0.0, row_draws.uniform(-2.5, 2.5, 1))
    height = lowest - line
    row = lowest - height * squash + slide[:, :1]
    column = (height * slant + slide[:, 1:])[:, :, None] + line
    inside = ((row >= 0) & (row < size))[:, :, None] & (column >= 0) & (column < size)
    row, column = row.long().clamp_(0, size - 1), column.long().clamp_(0, size - 1)
    which = torch.arange(n, device=images.device)
    shadow = look_up(outline[:, None], which, row[:, :, None], column) * inside[:, None]
    shadow *= row_draws.uniform(0.25, 0.6, 1, 1, 1)
    soft = (shadow + shadow.roll(1, 2) + shadow.roll(1, 3) + shadow.roll((1, 1), (2, 3))) / 4
    light = torch.ones(len(images), 1, len(line), len(line), device=images.device)
    light.index_copy_(0, rows, 1 - soft)
    light = light.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    images *= light[..., :size, :size]
