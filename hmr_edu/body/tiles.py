"""The skin of the fast SMPL layer: blend shapes and skinning, tile by tile, and back.

A tile is a stretch of vertices. Its intermediate numbers stay in the cache, and it leaves out the
blend shapes and joints that are zero on all of its vertices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.io.precision import float32_inside

# A tile has at most so many vertices times bodies: their 12 numbers each fit a cache of 1 MB.
IN_CACHE = 16_384
# Bodies that are posed at once, and the limits of a tile's width, in vertices.
BODIES, NARROWEST, WIDEST = 256, 128, 2048


class Tile(NamedTuple):
    """Constants of some vertices; `rows` and `joints` say which are not zero there (None: all)."""

    span: slice
    rows: Tensor | None
    joints: Tensor | None
    template: Float[Tensor, "3n"]
    blend: Float[Tensor, "rows 3n"]
    weights: Float[Tensor, "joints n"]


def cut_tiles(
    template: Float[Tensor, "3 V"],
    blend: Float[Tensor, "217 3 V"],
    weights: Float[Tensor, "24 V"],
    width: int,
) -> list[Tile]:
    """Cut a body into tiles of about `width` vertices, in the order of its vertices."""
    V, tiles = template.shape[1], []
    width = -(-V // max(1, round(V / width)))  # all alike: no narrow one at the end
    for first in range(0, V, width):
        span = slice(first, min(first + width, V))
        shapes, bones = blend[:, :, span].flatten(1), weights[:, span]
        rows, joints = _not_zero(shapes), _not_zero(bones)
        parts = (template[:, span].flatten(), _take(shapes, rows), _take(bones, joints))
        tiles.append(Tile(span, rows, joints, *(part.contiguous() for part in parts)))
    return tiles


def _not_zero(table: Tensor) -> Tensor | None:
    rows = table.any(1).nonzero().squeeze(1)
    return None if len(rows) == len(table) else rows


def _take(table: Tensor, rows: Tensor | None) -> Tensor:
    return table if rows is None else table.index_select(0, rows)


def _add(total: Tensor, rows: Tensor | None, part: Tensor) -> None:
    if rows is None:
        total += part
    else:
        total.index_add_(0, rows, part)


def _pieces(tiles: list[Tile], batch: int) -> Iterator[tuple[Tile, int, slice, int, int, slice]]:
    """Yield each tile with each group of bodies.

    That is: the tile, the number of the group, its bodies, how many, the tile's vertices, and the
    place of the piece's T_P among those of all pieces.
    """
    for tile in tiles:
        n = tile.weights.shape[1]
        for group, first in enumerate(range(0, batch, BODIES)):
            b = min(BODIES, batch - first)
            start = 3 * (batch * tile.span.start + first * n)
            place = slice(start, start + 3 * b * n)
            yield tile, group, slice(first, first + b), b, n, place


def skin_tiles(
    coefficients: Float[Tensor, "217 batch"],
    transforms: Float[Tensor, "24 4 3 batch"],
    tiles: list[Tile],
    shaped: Float[Tensor, "numbers"] | None = None,
) -> Float[Tensor, "batch 3 V"]:
    """Compute blend shapes and skinning (eq. 6-8), tile by tile.

    Args:
        coefficients: betas, then vec(R - I) of the joints.
        transforms: the columns of [R | t] of each joint.
        tiles: what `cut_tiles` returned.
        shaped: T_P, the bodies before skinning, is written here for the backward pass.
    """
    batch = coefficients.shape[1]
    most = min(batch, BODIES) * tiles[0].weights.shape[1]
    posed = coefficients.new_empty(batch, 3, tiles[-1].span.stop)
    room = coefficients.new_empty((12 if shaped is not None else 15) * most)
    groups = [part.flatten(1) for part in transforms.split(BODIES, 3)]
    for tile, group, bodies, b, n, place in _pieces(tiles, batch):
        T_P = room[12 * b * n : 15 * b * n] if shaped is None else shaped[place]
        chosen = _take(coefficients[:, bodies], tile.rows).t()
        torch.addmm(tile.template, chosen, tile.blend, out=T_P.view(b, 3 * n))
        columns = room[: 12 * b * n].view(12 * b, n)
        torch.mm(_take(groups[group], tile.joints).t(), tile.weights, out=columns)
        R_x, R_y, R_z, t = columns.view(4, 3, b, n)
        x, y, z = T_P.view(b, 3, n).transpose(0, 1)
        t.addcmul_(R_x, x).addcmul_(R_y, y)
        torch.addcmul(t, R_z, z, out=posed[bodies, :, tile.span].transpose(0, 1))
    return posed


@float32_inside
def skin_tiles_backward(
    transforms: Float[Tensor, "24 4 3 batch"],
    shaped: Float[Tensor, "numbers"],
    d_posed: Float[Tensor, "batch 3 V"],
    tiles: list[Tile],
) -> tuple[Float[Tensor, "217 batch"], Float[Tensor, "24 4 3 batch"]]:
    """Return the gradients of coefficients and transforms, from that of `skin_tiles`' result."""
    batch = len(d_posed)
    most = min(batch, BODIES) * tiles[0].weights.shape[1]
    d_coefficients = d_posed.new_zeros(217, batch)
    room = d_posed.new_empty(24 * most)
    groups = [part[:, :3].flatten(1) for part in transforms.split(BODIES, 3)]
    d_groups = [torch.zeros_like(part).flatten(1) for part in transforms.split(BODIES, 3)]
    for tile, group, bodies, b, n, place in _pieces(tiles, batch):
        R, d_T_P, d_columns = room[: 24 * b * n].split((9 * b * n, 3 * b * n, 12 * b * n))
        torch.mm(_take(groups[group], tile.joints).t(), tile.weights, out=R.view(9 * b, n))
        d_columns = d_columns.view(4, 3, b, n)
        d = d_columns[3]
        d.copy_(d_posed[bodies, :, tile.span].transpose(0, 1))
        # v = R T_P + t: T_P gets R^T d, R gets d T_P^T, t gets d; all go down to what made them.
        R_by_row = R.view(3, 3, b, n).transpose(0, 1)
        d_v = d_T_P.view(b, 3, n).transpose(0, 1)
        torch.mul(R_by_row[0], d[0], out=d_v)
        d_v.addcmul_(R_by_row[1], d[1]).addcmul_(R_by_row[2], d[2])
        _add(d_coefficients[:, bodies], tile.rows, tile.blend @ d_T_P.view(b, 3 * n).t())
        torch.mul(shaped[place].view(b, 3, n).transpose(0, 1)[:, None], d, out=d_columns[:3])
        _add(d_groups[group], tile.joints, tile.weights @ d_columns.view(12 * b, n).t())
    return d_coefficients, torch.cat([part.view(24, 4, 3, -1) for part in d_groups], dim=3)
