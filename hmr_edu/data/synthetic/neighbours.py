"""Neighbours: other people of the batch beside the person asked for, of the same size.

Bystanders and passers-by (`companions`) are pasted pictures. A neighbour is a body of its own
before the same camera: it may stand half in front and half behind, and the border of the picture
cuts both alike. No label tells of neighbours, but a keypoint that one covers is not visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hmr_edu.body import BodyOutput
from hmr_edu.camera import perspective
from hmr_edu.data.batch import TensorDataclass
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.framing import Framed, rows_of, sheared
from hmr_edu.data.synthetic.sampling import blend_rows, cover_rows
from hmr_edu.data.synthetic.views import PinholeView

# Share of pictures with neighbours that have two of them.
TWO = 0.25
# How often each kind happens; how far to the side and how far behind a neighbour is, in metres,
# from and to. Nearer than the person is a negative distance behind.
KINDS = (
    (0.35, (0.30, 0.90), (0.0, 0.6)),  # beside, a little behind
    (0.30, (0.25, 0.85), (-0.6, 0.0)),  # beside, a little in front
    (0.20, (0.18, 0.40), (0.15, 0.4)),  # close: an embrace, or somebody on a shoulder
    (0.15, (0.10, 0.90), (0.6, 2.0)),  # behind
)
# Share of neighbours who stand on the same ground; the others' roots are as high, about.
SAME_GROUND, UNEVEN = 0.75, 0.25
# A neighbour is in the crop: its root is not farther to the side than this, in half-crops.
WITHIN = 1.0
# Least distance, in metres, between the camera and a neighbour.
NEAREST = 0.6


@dataclass
class Neighbours(TensorDataclass):
    """K neighbours: what their pixels show, and whose picture each is in (`rows`).

    A picture has at most one neighbour in a `layer`. Layer 1 is nearer than layer 0.
    """

    pixels: BodyPixels
    rows: Int64[Tensor, " K"]
    layer: Int64[Tensor, " K"]


class Beside(NamedTuple):
    """K neighbours before the camera: body number `others[k]` in picture `rows[k]`."""

    rows: Int64[Tensor, " K"]
    others: Int64[Tensor, " K"]
    layer: Int64[Tensor, " K"]
    drawn: BodyOutput
    view: PinholeView


def draw_neighbours(output: BodyOutput, framed: Framed, share: float, seed: int) -> Beside | None:
    """Draw which pictures get neighbours, who they are, and where they stand; None for nobody.

    Args:
        output: the posed bodies in the picture's frame, with vertices.
        framed: the people asked for.
        share: of the pictures.
        seed: of the random numbers.
    """
    n = len(framed.ray)
    draws = Draws(n, seed)
    has_one, has_two = draws.chance(share), draws.chance(TWO)
    chosen = torch.stack([has_one, has_one & has_two], 1)
    others = (torch.arange(n)[:, None] + 1 + draws.integers(max(n - 1, 1), 2)) % n
    away = _away(draws)
    uneven = draws.uniform(-UNEVEN, UNEVEN, 2)
    same_ground = draws.chance(SAME_GROUND, 2)
    rows, second = chosen.nonzero().unbind(1)
    if not len(rows):
        return None
    others, away = others[rows, second], away[rows, second]

    some, vertices = rows_of(output, others), output.vertices
    assert vertices is not None
    roots = output.joints[:, 0]
    half_crop = framed.position[rows, 2] / framed.view.focal[rows]
    limit = WITHIN * half_crop
    away[:, 0] = away[:, 0].clamp(-limit, limit)
    feet = vertices[..., 1].amax(1) - roots[:, 1]
    step = torch.where(same_ground[rows, second], feet[rows] - feet[others], 0.0)
    away[:, 1] = step + uneven[rows, second] * torch.where(same_ground[rows, second], 0.2, 1.0)
    position = framed.position[rows] + roots[rows] - roots[others] + away
    least = NEAREST - vertices[others, :, 2].amin(1)
    position[:, 2] = torch.maximum(position[:, 2], least)

    ray = framed.ray[rows]
    drawn, translation = sheared(some, position, ray[:, :2] / ray[:, 2:])
    focal = framed.view.focal[rows]
    view = PinholeView(translation, focal, perspective(drawn.keypoints, translation, focal))
    return Beside(
        rows, others, _layers(rows, second, position[:, 2] + roots[others, 2]), drawn, view
    )


def _away(draws: Draws) -> Float[Tensor, "batch 2 3"]:
    """Draw how far two neighbours are from the person: to the side, down (0), and behind."""
    ranges = torch.tensor([limits for _, *limits in KINDS])
    low, high = ranges[draws.choice([share for share, *_ in KINDS], 2)].unbind(-1)
    distance = low + (high - low) * draws.uniform(0.0, 1.0, 2, 2)
    side = torch.where(draws.chance(0.5), -1.0, 1.0)
    # Two neighbours stand on both sides.
    sides = torch.stack([side, -side], 1)
    aside, behind = distance.unbind(-1)
    return torch.stack([sides * aside, torch.zeros_like(aside), behind], 2)


def _layers(
    rows: Int64[Tensor, " K"], second: Int64[Tensor, " K"], depth: Float[Tensor, " K"]
) -> Int64[Tensor, " K"]:
    """Return 1 for the nearer of two neighbours in a picture, else 0."""
    pair = rows[:, None] == rows
    nearer = (depth[:, None] < depth) | ((depth[:, None] == depth) & (second[:, None] < second))
    return (pair & nearer).any(1).long()


def paint_neighbours(
    images: Float[Tensor, "batch 3 H W"],
    looks: Float[Tensor, "K 3 H W"],
    neighbours: Neighbours,
    depth: Float[Tensor, "batch H W"] | None = None,
    hidden: Float[Tensor, "batch H W"] | None = None,
) -> None:
    """Paint neighbours into the pictures, in place, the farther ones first.

    Args:
        images: the pictures.
        looks: the neighbours, on black.
        neighbours: their pixels and places.
        depth: of the person asked for, infinite where there is none; neighbours are painted where
            they are nearer than the person. Without it they are painted everywhere.
        hidden: where something covers the person; updated here.
    """
    pixels = neighbours.pixels
    alpha, near = pixels.plane(pixels.coverage), pixels.plane(pixels.depth)
    for layer in range(int(neighbours.layer.amax()) + 1):
        chosen = (neighbours.layer == layer).nonzero()[:, 0]
        rows, opacity = neighbours.rows[chosen], alpha[chosen]
        if depth is not None:
            opacity = opacity * (near[chosen] < depth[rows])
        blend_rows(images, rows, looks[chosen], opacity[:, None])
        if hidden is not None:
            cover_rows(hidden, rows, opacity)
