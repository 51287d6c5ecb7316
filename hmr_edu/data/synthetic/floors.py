"""A floor that meets a wall, where the camera would see it; with a soft shadow under the person.

The ground touches the lowest point of the body and is level in the world: the camera's pitch and
roll decide where it lies in the picture. A `Ground` maps rays of the crop to places on it.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from hmr_edu.body import BodyOutput
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.framing import Framed

# Vertices this close to the ground touch it, in metres.
TOUCHING = 0.05
# Cameras lower than this over the ground see none of it, in metres.
LOWEST_CAMERA = 0.15
# Distance of the wall behind the person, in metres: nearest and farthest (their logarithm is
# drawn), and the largest angle between the wall and the picture, in radians.
WALL, WALL_TURN = (0.25, 12.0), 0.5
# Sides of a tile of the floor's texture, in metres.
TILE = (0.6, 4.0)
# How often the floor has one even colour, and how often the wall ends in a skirting board; the
# board's height in half-crops.
EVEN, BOARD, BOARD_HEIGHT = 0.45, 0.4, (0.02, 0.06)
# The largest loss of light in the corner, and its reach, in the picture's sides.
CORNER, CORNER_WIDTH = 0.35, 0.05
# The shadow around the place where the body touches the ground: radius in metres, depth.
SHADOW_RADIUS, SHADOW_DEPTH = (0.15, 0.45), (0.2, 0.6)


def ground_of(
    world: Float[Tensor, "batch 3 3"], output: BodyOutput, framed: Framed
) -> Float[Tensor, "batch 3 3"]:
    """Return the maps of `ground_under` for framed people.

    Args:
        world: rotations from the world, Y up, to the camera.
        output: the bodies in the picture's frame, with vertices.
        framed: where they are, and their crops.
    """
    assert output.vertices is not None
    vertices = output.vertices + framed.position[:, None]
    centre = framed.ray[:, :2] / framed.ray[:, 2:]
    return ground_under(world[:, :, 1], vertices, centre, framed.view.focal)


def ground_under(
    up: Float[Tensor, "batch 3"],
    vertices: Float[Tensor, "batch V 3"],
    centre: Float[Tensor, "batch 2"],
    focal: Float[Tensor, " batch"],
) -> Float[Tensor, "batch 3 3"]:
    """Return maps from points (u, v, 1) of the crop to the ground, as homogeneous coordinates.

    With (x, y, w) = map @ (u, v, 1), w > 0 is below the horizon, and (x / w, y / w) is the place on
    the ground in metres: to the right of where the body touches it, and farther away from the
    camera. The map is zero where the camera sees no ground.

    Args:
        up: the world's up in the camera's frame, of length 1.
        vertices: of the bodies before the camera, metres.
        centre: place of the crop's middle in the picture, in focal lengths.
        focal: of the crop, in half-crops.
    """
    height = (vertices * up[:, None]).sum(2)
    touching = (height < height.amin(1, keepdim=True) + TOUCHING).float()[..., None]
    foot = (vertices * touching).sum(1) / touching.sum(1)
    # Away: along the camera's axis, level. The axes of the ground are right, away, up.
    away = vertices.new_tensor((0.0, 0.0, 1.0)) - up[:, 2:] * up
    away = torch.nn.functional.normalize(away, dim=1)
    right = torch.linalg.cross(away, up)
    camera = -height.amin(1)  # of the camera over the ground
    # A ray r meets the ground at r * camera / (-up . r).
    toward_ground = -up / camera[:, None]
    rows = torch.stack([right, away, toward_ground], 1)
    rows[:, :2] -= (rows[:, :2] @ foot[..., None]) * toward_ground[:, None]
    # From the crop to rays: x = centre + u / focal.
    rays = torch.diag_embed(torch.stack([1 / focal, 1 / focal, torch.ones_like(focal)], 1))
    rays[:, :2, 2] = centre
    return (rows @ rays) * (camera > LOWEST_CAMERA)[:, None, None]


def lay(
    images: Float[Tensor, "batch 3 H W"],
    ground: Float[Tensor, "batch 3 3"],
    bank: Shaped[Tensor, "N 3 side side"],
    pick: Int[Tensor, " batch"],
    draws: Draws,
    share: float,
) -> None:
    """Lay floors into some backgrounds, in place.

    Args:
        images: backgrounds.
        ground: from `ground_under`.
        bank: pictures whose pieces are the floor's texture, 0 to 255.
        pick: a picture of the bank for each background.
        draws: random numbers.
        share: of the backgrounds.
    """
    rows, draws = draws.some(share)
    if not len(rows):
        return
    size, ground = images.shape[-1], ground[rows]
    place = (torch.arange(size, device=images.device) + 0.5) * (2 / size) - 1
    turn = draws.uniform(-WALL_TURN, WALL_TURN)
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    right, away, w = ground.unbind(1)
    right, away = cos * right + sin * away, cos * away - sin * right
    low, high = (math.log(distance) for distance in WALL)
    # Farther away than the wall, the wall hides the floor.
    line = draws.uniform(low, high).exp()[:, None] * w - away
    line = line / line[:, :2].norm(dim=1, keepdim=True).clamp_min(1e-9) * (size / 2)
    # Pixels from the line; where there is no ground, far above it.
    a, b, c = torch.where(w.abs().sum(1) > 0, line.T, line.new_tensor([[0.0], [0.0], [-9e3]]))
    edge = (a[:, None] * place)[:, None] + (b[:, None] * place + c[:, None])[..., None]

    board = draws.uniform(*BOARD_HEIGHT) * draws.chance(BOARD) * (size / 2)
    tile, radius = draws.uniform(*TILE), draws.uniform(*SHADOW_RADIUS)
    offset = draws.uniform(0.0, 2.0, 2)
    even = draws.chance(EVEN)
    contrast = torch.where(even, 0.06, draws.uniform(0.3, 1.0))
    gain, tint = draws.uniform(0.6, 1.25), draws.uniform(0.5, 1.6)
    depth, dark = draws.uniform(*SHADOW_DEPTH), draws.uniform(0.0, CORNER)

    index = (edge.view(-1) > -CORNER_WIDTH * size).nonzero()[:, 0]
    edge = edge.view(-1).index_select(0, index)
    sample = index // size**2
    v = place.index_select(0, index // size % size)
    u = place.index_select(0, index % size)
    table = torch.cat([right, away, w, offset], 1).T
    table = torch.cat(
        [table, torch.stack([tile, radius, contrast, gain, depth, dark, board, tint])]
    )
    at = table.contiguous().index_select(1, sample).unbind(0)
    below = (at[6] * u + at[7] * v + at[8]).clamp_min_(1e-4)
    x = (at[0] * u + at[1] * v + at[2]).div_(below)
    y = (at[3] * u + at[4] * v + at[5]).div_(below)
    tile, radius, contrast, gain, depth, dark, board, tint = at[11:]
    side = bank.shape[-1]
    column, row = (_texel(q / tile + o, side) for q, o in ((x, at[9]), (y, at[10])))
    plane = torch.arange(3, device=images.device)[:, None]
    texel = (pick[rows].index_select(0, sample) * 3 + plane) * side**2 + (row * side + column)
    texture = bank.view(-1).index_select(0, texel.view(-1)).view(3, -1)
    # Far away, texels are smaller than pixels: their mean remains.
    mean = bank[pick[rows], :, :: max(1, side // 8), :: max(1, side // 8)].float().mean((2, 3))
    mean = mean.T.contiguous().index_select(1, sample)
    contrast = contrast * (below * tile).mul_(size / (2 * side)).clamp_(max=1)
    floor = torch.lerp(mean, texture.float(), contrast)
    near = (x.square_() + y.square_()).div_(radius.square()).mul_(0.25).add_(1)
    floor *= gain.mul_((1 - depth / near.square_()) / 255)
    # Less light reaches the corner, and a board may run along the wall.
    spot = (rows.index_select(0, sample) * 3 + plane) * size**2 + index % size**2
    flat = images.view(-1)
    under = flat.index_select(0, spot.view(-1)).view(3, -1)
    under = torch.where(edge > -board, mean.mul_(tint / 255), under)
    floor = torch.lerp(under, floor, (edge + 0.5).clamp_(0, 1))
    floor *= 1 - dark * (1 - edge.abs_() / (CORNER_WIDTH * size)).clamp_(min=0)
    flat.index_copy_(0, spot.view(-1), floor.clamp_(max=1).view(-1))


def _texel(place: Float[Tensor, " P"], side: int) -> Int[Tensor, " P"]:
    """Return the texel at a place, in tiles that lie mirrored beside each other."""
    within = (place.clamp(-1e4, 1e4) % 2 - 1).abs_()
    return (within * side).long().clamp_(max=side - 1)
