"""Objects in front of people: boxes, blobs, table edges, posts."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws

# Boxes and blobs anywhere, tables and fences from below, posts and door frames upright.
KINDS = (0.55, 0.28, 0.17)


def occluders(draws: Draws, size: int, strength: float) -> Float[Tensor, "batch size size"]:
    """Draw one occluder for each picture: opacity 1 inside, 0 outside, a soft edge of one pixel."""
    kind = draws.choice(KINDS)
    table, post = kind == 1, kind == 2
    half_width = strength * draws.uniform(0.1, 0.35)
    half_height = strength * draws.uniform(0.1, 0.35)
    half_width = torch.where(table, 1.6, torch.where(post, half_width * 0.25, half_width))
    half_height = torch.where(table, 1.0, torch.where(post, 1.6, half_height))
    x = torch.where(table, draws.uniform(-0.4, 0.4), draws.uniform(-0.9, 0.9))
    # A table's upper edge, one half-height above its centre, lies between belly and ankles.
    y = torch.where(table, 1 + draws.uniform(0.15, 0.85), draws.uniform(-0.7, 0.9))
    tilt = torch.where(kind == 0, draws.uniform(-1.5, 1.5), draws.uniform(-0.1, 0.1))
    round_ = draws.chance(0.5) & (kind == 0)
    wobble = draws.uniform(0.0, 0.35) * round_
    lobes = draws.uniform(3.0, 9.0)

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1)

    place = (torch.arange(size, device=draws.device) + 0.5) * (2 / size) - 1
    dx, dy = place - column(x), place[:, None] - column(y)
    cos, sin = column(tilt.cos()), column(tilt.sin())
    u = (cos * dx + sin * dy) / column(half_width)
    v = (cos * dy - sin * dx) / column(half_height)
    box = torch.maximum(u.abs(), v.abs())
    ripple = column(wobble) * torch.sin(column(lobes) * (u - v)) + 1
    blob = (u.square() + v.square()).sqrt() * ripple
    distance = 1 - torch.where(column(round_), blob, box)
    edge = column(torch.minimum(half_width, half_height)) * (size / 2)
    return (distance * edge + 0.5).clamp_(0, 1)
