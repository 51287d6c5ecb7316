"""Other people in a picture: bystanders behind, passers-by in front. They are of the same batch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.sampling import blend_rows, cover_rows, look_up


def behind(
    images: Float[Tensor, "batch 3 H W"],
    people: Float[Tensor, "people 3 H W"],
    alpha: Float[Tensor, "people H W"],
    draws: Draws,
    probability: float,
) -> None:
    """Put a smaller person, off to a side, into some backgrounds, in place.

    Args:
        images: backgrounds.
        people: pictures of the batch's people, or of some of them, on black.
        alpha: their coverage in each pixel.
        draws: random numbers.
        probability: of such a person in a picture.
    """
    rows, row_draws = draws.some(probability)
    if len(rows) and len(people):
        scale, aside = row_draws.uniform(0.35, 0.85), row_draws.uniform(0.5, 1.1)
        look, opacity = _pasted(rows, people, alpha, scale, aside, row_draws)
        blend_rows(images, rows, look, opacity)


def in_front(
    images: Float[Tensor, "batch 3 H W"],
    hidden: Float[Tensor, "batch H W"],
    people: Float[Tensor, "people 3 H W"],
    alpha: Float[Tensor, "people H W"],
    draws: Draws,
    probability: float,
) -> None:
    """Put a larger person, partly outside the picture, in front of some people, in place.

    Args:
        images: pictures.
        hidden: where something covers the picture; updated here.
        people: pictures of the batch's people, or of some of them, on black.
        alpha: their coverage in each pixel.
        draws: random numbers.
        probability: of such a person in a picture.
    """
    rows, row_draws = draws.some(probability)
    if len(rows) and len(people):
        scale, aside = row_draws.uniform(1.1, 2.0), row_draws.uniform(0.8, 1.4)
        look, opacity = _pasted(rows, people, alpha, scale, aside, row_draws)
        blend_rows(images, rows, look, opacity)
        cover_rows(hidden, rows, opacity[:, 0])


def _pasted(
    rows: Int[Tensor, " n"],
    people: Float[Tensor, "people 3 H W"],
    alpha: Float[Tensor, "people H W"],
    scale: Float[Tensor, " n"],
    aside: Float[Tensor, " n"],
    draws: Draws,
) -> tuple[Float[Tensor, "n 3 H W"], Float[Tensor, "n 1 H W"]]:
    """Return the picture and opacity of another person of the batch, moved and scaled.

    Args:
        rows: which pictures get another person.
        people: pictures of the batch's people, or of some of them, on black.
        alpha: their coverage in each pixel.
        scale: size of the copy, relative to the original.
        aside: shift to the left or the right, in half-crops.
        draws: random numbers for these pictures.
    """
    size = people.shape[-1]
    other = (rows + 1 + draws.integers(max(len(people) - 1, 1))) % len(people)
    centre = torch.stack([aside * torch.where(draws.chance(0.5), -1, 1), draws.uniform(-0.3, 0.3)])
    place = (torch.arange(size, device=people.device) + 0.5) * (2 / size) - 1
    source = (place - centre[..., None]) / scale[:, None]
    inside = source.abs() < 1
    column, row = ((source + 1) * (size / 2)).long().clamp_(0, size - 1)
    # Mirrored and in another light, so that no one looks like a copy.
    column = torch.where(draws.chance(0.5, 1), size - 1 - column, column)
    look = look_up(people, other, row[:, :, None], column[:, None])
    look *= draws.uniform(0.6, 1.1, 1, 1, 1) * draws.uniform(0.92, 1.08, 3, 1, 1)
    opacity = look_up(alpha[:, None], other, row[:, :, None], column[:, None])
    inside_picture = inside[0][:, None, None] & inside[1][:, None, :, None]
    return look.clamp_(max=1), opacity * inside_picture
