"""Things in people's hands: bags, balls, bats, sheets; they hide what is behind them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.data.synthetic.sampling import blend_rows, cover_rows
from hmr_edu.keypoints import SMPL_JOINTS

HANDS = tuple(1 + SMPL_JOINTS.index(f"{side}_hand") for side in ("left", "right"))
# A hand needs this many pixels at 128 pixels: it is seen, and not just its edge.
LEAST = 6
# Bags, balls, sticks, sheets: how often, smallest and largest half-width and half-height in
# half-crops, how far below the hand they hang (in half-heights), and how far they turn (radians).
SHARES = (0.3, 0.2, 0.3, 0.2)
HALF_WIDTHS = ((0.06, 0.16), (0.04, 0.12), (0.01, 0.025), (0.06, 0.15))
HALF_HEIGHTS = ((0.07, 0.18), (0.04, 0.12), (0.15, 0.5), (0.06, 0.2))
HANGS = (0.9, 0.3, 0.6, 0.5)
TURNS = (0.2, 0.0, 3.1, 0.6)


def hold(
    images: Float[Tensor, "batch 3 H W"],
    hidden: Float[Tensor, "batch H W"],
    pixels: BodyPixels,
    draws: Draws,
    share: float,
    texture: Callable[[Draws, Tensor], Tensor],
) -> None:
    """Put things into some people's hands, in place.

    Args:
        images: pictures.
        hidden: where something covers the picture; updated here.
        pixels: what they show.
        draws: random numbers.
        share: of people with something in a hand, if the hand is seen.
        texture: draws what things look like, of the size of the images.
    """
    rows, row_draws = draws.some(share)
    if not len(rows):
        return
    place, seen = hands(pixels, draws.chance(0.5))
    opacity = things(row_draws, place.index_select(0, rows), pixels.size)
    opacity *= seen.index_select(0, rows)[:, None, None]
    blend_rows(images, rows, texture(row_draws, images), opacity[:, None])
    cover_rows(hidden, rows, opacity)


def hands(
    pixels: BodyPixels, right: Bool[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch 2"], Bool[Tensor, " batch"]]:
    """Return the middle of the pixels of one hand of each person, and whether it is seen.

    The middle is in crop coordinates; `right` chooses the hand.
    """
    left_part, right_part = HANDS
    wanted = torch.where(right, right_part, left_part).index_select(0, pixels.sample)
    row = pixels.index // pixels.size
    column = pixels.index - row * pixels.size
    row = row - pixels.sample * pixels.size
    there = (pixels.part == wanted).float()
    sums = torch.zeros(3, pixels.batch, device=there.device)
    sums.index_add_(1, pixels.sample, torch.stack([there, there * column, there * row]))
    count = sums[0]
    middle = (sums[1:] / count.clamp(min=1)).T
    return (2 * middle + 1) / pixels.size - 1, count >= LEAST * (pixels.size / 128) ** 2


def things(
    draws: Draws, hand: Float[Tensor, "batch 2"], size: int
) -> Float[Tensor, "batch size size"]:
    """Draw one thing for each picture at a hand: opacity 1 inside, 0 outside, soft by one pixel."""
    kind = draws.choice(SHARES)

    def of_kind(values: tuple[float, ...]) -> Float[Tensor, " batch"]:
        return send(torch.tensor(values), draws.device)[kind]

    def between(ranges: tuple[tuple[float, float], ...]) -> Float[Tensor, " batch"]:
        low, high = zip(*ranges, strict=True)
        return torch.lerp(of_kind(low), of_kind(high), draws.uniform(0.0, 1.0))

    half_width, half_height = between(HALF_WIDTHS), between(HALF_HEIGHTS)
    ball = kind == 1
    half_height = torch.where(ball, half_width, half_height)
    turn = of_kind(TURNS) * draws.uniform(-1.0, 1.0)

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1)

    place = (torch.arange(size, device=draws.device) + 0.5) * (2 / size) - 1
    dx, dy = place - column(hand[:, 0]), place[:, None] - column(hand[:, 1])
    cos, sin = column(turn.cos()), column(turn.sin())
    u = (cos * dx + sin * dy) / column(half_width)
    v = (cos * dy - sin * dx) / column(half_height) - column(of_kind(HANGS))
    # A rounded box: a high power of the two; a ball: the second.
    power = column(torch.where(ball, 2.0, 6.0))
    distance = 1 - (u.abs().pow(power) + v.abs().pow(power)).pow(1 / power)
    edge = column(torch.minimum(half_width, half_height)) * (size / 2)
    return (distance * edge + 0.5).clamp_(0, 1)
