"""The border of a picture: where it cuts people off, and what a crop shows beyond it.

A window holds the picture's borders: left, top, right, bottom. It is infinite where there is none.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hmr_edu.crop import cell_centres
from hmr_edu.data.synthetic.draws import Draws

LEFT, TOP, RIGHT, BOTTOM = range(4)
NO_BORDER = (-torch.inf, -torch.inf, torch.inf, torch.inf)
KEYPOINTS = 19
# How often a border cuts people off, and how many of the 19 keypoints it leaves, per border. An
# upright person has 9 above the elbows, 11 above the waist, 15 above the knees, 17 above the
# ankles, counted from the head; 4 below the thighs, counted from the feet.
CUTS = (
    (0.30, {BOTTOM: (15, 18)}),  # at the knees
    (0.27, {BOTTOM: (11, 14)}),  # at the waist
    (0.12, {BOTTOM: (8, 10)}),  # head and shoulders
    (0.06, {TOP: (4, 10)}),  # legs only
    (0.05, {TOP: (11, 17)}),  # no head
    (0.07, {LEFT: (9, 17)}),
    (0.07, {RIGHT: (9, 17)}),
    (0.03, {LEFT: (12, 17), BOTTOM: (11, 17)}),
    (0.03, {RIGHT: (12, 17), BOTTOM: (11, 17)}),
)
# Keypoints that must be in the picture; else it ends neither on the left nor on the right.
LEAST = 4
# Share of the other sides on which the picture ends, too, and the largest distance from the box, in
# longer sides of the box.
ENDS, LARGEST_MARGIN = 0.6, 0.4
# Smallest width and height of a picture, in longer sides of the box.
NARROWEST = 0.5


def draw_kept(draws: Draws) -> Float[Tensor, "batch 4"]:
    """Draw how many keypoints each border leaves in the picture, and a fraction for its place.

    At m + f the border lies between the m-th and the next keypoint, at the share f of the way.
    """
    ranges = torch.full((len(CUTS), 4, 2), float(KEYPOINTS))
    for limits, (_, sides) in zip(ranges, CUTS, strict=True):
        for side, kept in sides.items():
            limits[side] = torch.tensor(kept)
    fewest, most = ranges[draws.choice([share for share, _ in CUTS])].unbind(2)
    kept = (fewest + (most - fewest + 1) * draws.uniform(0.0, 1.0, 4)).floor().clamp_max(KEYPOINTS)
    return kept + draws.uniform(0.15, 0.95, 4)


def draw_margins(draws: Draws) -> Float[Tensor, "batch 4"]:
    """Draw how far the borders are from the box, in its longer sides; infinite where none is."""
    margin = LARGEST_MARGIN * draws.uniform(0.0, 1.0, 4).square()
    return torch.where(draws.chance(ENDS, 4), margin, torch.inf)


def cutting_window(
    points: Float[Tensor, "batch 19 2"], kept: Float[Tensor, "batch 4"]
) -> Float[Tensor, "batch 4"]:
    """Return the borders that leave as many keypoints in the picture as `draw_kept` says."""
    place = points.sort(1).values  # from left to right, and from top to bottom
    count, fraction = kept.floor().long(), kept - kept.floor()
    borders = []
    for side in (LEFT, TOP, RIGHT, BOTTOM):
        along = place[..., side % 2]
        m = count[:, side : side + 1].clamp(1, KEYPOINTS - 1)
        if side in (LEFT, TOP):
            along = along.flip(1)
        last, first_cut = along.gather(1, m - 1)[:, 0], along.gather(1, m)[:, 0]
        none = -torch.inf if side in (LEFT, TOP) else torch.inf
        border = torch.lerp(last, first_cut, fraction[:, side])
        borders.append(torch.where(count[:, side] < KEYPOINTS, border, none))
    window = torch.stack(borders, 1)
    few = inside(points, window).sum(1) < LEAST
    window[few, LEFT], window[few, RIGHT] = -torch.inf, torch.inf
    return window


def inside(
    points: Float[Tensor, "batch N 2"], window: Float[Tensor, "batch 4"]
) -> Bool[Tensor, "batch N"]:
    """Return which points are in the picture."""
    return ((points >= window[:, None, :2]) & (points <= window[:, None, 2:])).all(2)


def box_inside(
    points: Float[Tensor, "batch N 2"],
    edges: Int64[Tensor, "E 2"],
    window: Float[Tensor, "batch 4"],
) -> Float[Tensor, "batch 4"]:
    """Return the box around the part of a mesh that is in the picture: x0, y0, x1, y1.

    It reaches to where the borders cut the edges of the mesh. Without edges it is the box around
    the points. It is infinite when nothing is in the picture.
    """
    shown = inside(points, window)[..., None]
    low = torch.where(shown, points, torch.inf).amin(1)
    high = torch.where(shown, points, -torch.inf).amax(1)
    for side in (LEFT, TOP, RIGHT, BOTTOM):
        rows = window[:, side].isfinite().nonzero()[:, 0]
        if not (len(rows) and len(edges)):
            continue
        along, across = side % 2, 1 - side % 2
        a, b = points[rows][:, edges].unbind(2)
        border = window[rows, side][:, None]
        cut = (a[..., along] < border) != (b[..., along] < border)
        share = (border - a[..., along]) / (b - a)[..., along].where(cut, 1.0)
        place = a[..., across] + share * (b - a)[..., across]
        first, last = window[rows][:, [across, across + 2]].unbind(1)
        cut &= (place >= first[:, None]) & (place <= last[:, None])
        any_cut = cut.any(1)
        for bound, best, none in (
            (low, torch.minimum, torch.inf),
            (high, torch.maximum, -torch.inf),
        ):
            reach = torch.where(cut, place, none)
            reach = reach.amin(1) if none > 0 else reach.amax(1)
            bound[rows, across] = best(bound[rows, across], reach)
            at_border = torch.where(any_cut, border[:, 0], none)
            bound[rows, along] = best(bound[rows, along], at_border)
    return torch.cat([low, high], 1)


def around_box(
    window: Float[Tensor, "batch 4"],
    box: Float[Tensor, "batch 4"],
    margin: Float[Tensor, "batch 4"],
) -> Float[Tensor, "batch 4"]:
    """Return a window with borders at a margin from the box, where it has none of its own.

    `margin` is in longer sides of the box, and infinite where the picture does not end. It does not
    end where it would be narrower than `NARROWEST`.
    """
    longer = (box[:, 2:] - box[:, :2]).amax(1, keepdim=True)
    outwards = margin.new_tensor((-1, -1, 1, 1)) * margin * longer
    around = torch.where(window.isfinite(), window, box + outwards)
    narrow = around[:, 2:] - around[:, :2] < NARROWEST * longer
    return torch.where(narrow.repeat(1, 2), window, around)


def coverage(window: Float[Tensor, "batch 4"], size: int) -> Float[Tensor, "batch size size"]:
    """Return how much of each pixel of a crop shows the picture: 1 inside, 0 beyond the border.

    A pixel is a triangle, two pixels wide, as in `hmr_edu.crop.crop_image`; the share of it that
    lies in the picture is its weight.
    """
    place = cell_centres(size, window)
    low, high = ((side[..., None] - place) * (size / 2) for side in window.split(2, dim=1))
    from_low, from_high = _weight(-low), _weight(high)
    x, y = (from_low * from_high).unbind(1)
    return y[:, :, None] * x[:, None]


def _weight(distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the area of a triangle of height 1, from -1 to `distance`."""
    d = distance.clamp(-1, 1)
    return torch.where(d > 0, 1 - (1 - d).square() / 2, (1 + d).square() / 2)
