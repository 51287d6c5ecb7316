"""Vertices of a body as samples of its surface: spread evenly, and each with its mirror image."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from hmr_edu.body.smpl import SMPL


@lru_cache(maxsize=8)
@torch.no_grad()
def spread_vertices(body: SMPL, count: int) -> tuple[Int64[Tensor, " S"], Int64[Tensor, " S"]]:
    """Return vertices spread evenly over the rest body, and the part (1 + joint) of each; CPU.

    Each next vertex is the one farthest from those before ("farthest point sampling"). The first
    of each part comes before all others, so that no part is missed. A body with fewer vertices than
    `count` gives all of them.
    """
    points, part = body.v_template.cpu(), body.weights.argmax(1).cpu()
    first = [int((part == k).nonzero()[0]) for k in part.unique()]
    chosen = first[:count]
    distance = torch.cdist(points, points[chosen]).amin(1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
        distance[chosen[-1]] = -1
    vertices = torch.tensor(chosen)
    return vertices, part[vertices] + 1


@torch.no_grad()
def mirror_vertices(body: SMPL) -> Int64[Tensor, " V"]:
    """Return for each vertex the one that is nearest to its mirror image in the rest body.

    Ours is symmetric to less than a millimetre. A body that is not gets the nearest vertex all the
    same.
    """
    points = body.v_template
    mirrored = points * points.new_tensor((-1, 1, 1))
    return torch.cat([torch.cdist(rows, points).argmin(1) for rows in mirrored.split(1024)])
