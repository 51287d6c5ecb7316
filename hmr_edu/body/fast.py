"""The SMPL layer for speed: the equations of `hmr_edu.body.smpl`, with a backward pass by hand.

Three things make it fast on a CPU. Vertices are posed in tiles whose intermediate numbers stay in
the cache. A tile leaves out the blend shapes and joints that are zero on all its vertices: of the
free body's pose blend shapes 97 % are zero. And the backward pass is one function instead of a
hundred small ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import Parameter

from hmr_edu.body.data import BodyData
from hmr_edu.body.smpl import KINEMATIC_LEVELS, SMPL, BodyOutput
from hmr_edu.io.precision import float32_inside
from hmr_edu.keypoints import SMPL_PARENTS

# A tile holds at most so many vertices times bodies; their 12 numbers each fit a cache of 1 MB.
IN_CACHE = 16_384
# Bodies that are posed at once, and the limits of a tile's width, in vertices.
BODIES, NARROWEST, WIDEST = 64, 256, 2048


class Tile(NamedTuple):
    """The constants of some vertices; `rows` and `joints` are what is not zero there, or None."""

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
    """Cut a body into tiles of `width` vertices, in the order of its vertices."""
    tiles = []
    for first in range(0, template.shape[1], width):
        span = slice(first, min(first + width, template.shape[1]))
        shapes, bones = blend[:, :, span].flatten(1), weights[:, span]
        rows, joints = _not_zero(shapes), _not_zero(bones)
        tile = (template[:, span].flatten(), _take(shapes, rows), _take(bones, joints))
        tiles.append(Tile(span, rows, joints, *(part.contiguous() for part in tile)))
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


def pose_joints(
    rotations: Float[Tensor, "batch 24 3 3"], J: Float[Tensor, "batch 24 3"], levels: list
) -> tuple[Float[Tensor, "24 batch 4 4"], Float[Tensor, "24 batch 3 4"]]:
    """Return the joints' transforms relative to their parents, and the global ones (eq. 4)."""
    parents = levels[0]
    rest = J.transpose(0, 1)
    local = J.new_zeros(24, len(J), 4, 4)
    local[..., :3, :3] = rotations.transpose(0, 1)
    local[..., :3, 3] = rest
    local[1:, :, :3, 3] -= rest.index_select(0, parents)
    local[..., 3, 3] = 1
    G = J.new_empty(24, len(J), 3, 4)
    G[0] = local[0, :, :3]
    for joints, above in levels[1:]:
        G_parent = G.index_select(0, above).flatten(0, 1)
        torch.bmm(G_parent, local[joints].flatten(0, 1), out=G[joints].flatten(0, 1))
    return local, G


def pose_joints_backward(
    local: Float[Tensor, "24 batch 4 4"],
    G: Float[Tensor, "24 batch 3 4"],
    dG: Float[Tensor, "24 batch 3 4"],
    levels: list,
) -> tuple[Float[Tensor, "24 batch 3 3"], Float[Tensor, "24 batch 3"]]:
    """Return the gradients of rotations and of J; `dG` is changed."""
    parents = levels[0]
    for joints, above in reversed(levels[1:]):
        back = torch.bmm(dG[joints].flatten(0, 1), local[joints].flatten(0, 1).mT)
        dG.index_add_(0, above, back.view(-1, *dG.shape[1:]))
    d_local = dG.clone()
    torch.matmul(G.index_select(0, parents)[..., :3].mT, dG[1:], out=d_local[1:])
    d_rest = d_local[..., 3].clone()
    d_rest.index_add_(0, parents, d_local[1:, :, :, 3], alpha=-1)
    return d_local[..., :3], d_rest


def _pieces(tiles: list[Tile], batch: int) -> Iterator[tuple[Tile, int, slice, int]]:
    """Yield each tile with each group of bodies: tile, number of the group, bodies, offset."""
    for tile in tiles:
        for i, first in enumerate(range(0, batch, BODIES)):
            bodies = slice(first, min(first + BODIES, batch))
            width = tile.weights.shape[1]
            yield tile, i, bodies, 3 * (batch * tile.span.start + first * width)


def skin(
    coefficients: Float[Tensor, "217 batch"],
    transforms: Float[Tensor, "24 batch 3 4"],
    tiles: list[Tile],
    keep: bool,
) -> tuple[Float[Tensor, "batch 3 V"], Tensor]:
    """Compute blend shapes and skinning (eq. 6-8) tile by tile.

    Also returns T_P, the shaped bodies before skinning: all tiles' where `keep`, which the
    backward pass needs, otherwise the last one's.
    """
    batch = coefficients.shape[1]
    V, most = tiles[-1].span.stop, min(batch, BODIES) * tiles[0].weights.shape[1]
    posed = coefficients.new_empty(batch, 3, V)
    shaped = coefficients.new_empty(3 * (batch * V if keep else most))
    room = coefficients.new_empty(12 * most)
    # [24, (4, 3, bodies)]: the column of [R | t], its row, the body.
    groups = [part.permute(0, 3, 2, 1).flatten(1) for part in transforms.split(BODIES, 1)]
    for tile, i, bodies, offset in _pieces(tiles, batch):
        n, b = tile.weights.shape[1], bodies.stop - bodies.start
        T_P = shaped[offset if keep else 0 :][: 3 * b * n]
        chosen = _take(coefficients[:, bodies], tile.rows)
        torch.addmm(tile.template, chosen.t(), tile.blend, out=T_P.view(b, 3 * n))
        R_t = room[: 12 * b * n]
        torch.mm(_take(groups[i], tile.joints).t(), tile.weights, out=R_t.view(12 * b, n))
        x, y, z = T_P.view(b, 3, 1, n).permute(1, 2, 0, 3)
        R_x, R_y, R_z, t = R_t.view(4, 3, b, n)
        t.addcmul_(R_x, x).addcmul_(R_y, y)
        torch.addcmul(t, R_z, z, out=posed[bodies, :, tile.span].transpose(0, 1))
    return posed, shaped


def skin_backward(
    transforms: Float[Tensor, "24 batch 3 4"],
    shaped: Float[Tensor, "numbers"],
    d_posed: Float[Tensor, "batch 3 V"],
    tiles: list[Tile],
) -> tuple[Float[Tensor, "217 batch"], Float[Tensor, "24 batch 3 4"]]:
    """Return the gradients of coefficients and of transforms."""
    batch = len(d_posed)
    most = min(batch, BODIES) * tiles[0].weights.shape[1]
    d_coefficients = d_posed.new_zeros(217, batch)
    room = d_posed.new_empty(24 * most)
    groups = [part[..., :3].permute(0, 3, 2, 1).flatten(1) for part in transforms.split(BODIES, 1)]
    d_groups = [d_posed.new_zeros(24, 4 * len(part[0]) // 3) for part in groups]
    for tile, i, bodies, offset in _pieces(tiles, batch):
        n, b = tile.weights.shape[1], bodies.stop - bodies.start
        R, d_T_P, d_R_t = room[: 24 * b * n].split((9 * b * n, 3 * b * n, 12 * b * n))
        torch.mm(_take(groups[i], tile.joints).t(), tile.weights, out=R.view(9 * b, n))
        R, d_R_t, T_P = R.view(3, 3, b, n), d_R_t.view(4, 3, b, n), d_T_P.view(b, 3, n)
        d_R, d_t = d_R_t[:3], d_R_t[3]
        d_t.copy_(d_posed[bodies, :, tile.span].transpose(0, 1))
        # d T_P = R^T d, then down to the coefficients.
        d_v = T_P.transpose(0, 1)
        torch.mul(R[:, 0], d_t[0], out=d_v)
        d_v.addcmul_(R[:, 1], d_t[1]).addcmul_(R[:, 2], d_t[2])
        _add(d_coefficients[:, bodies], tile.rows, tile.blend @ T_P.view(b, 3 * n).t())
        # d R = d v^T, then down to the joints.
        v = shaped[offset : offset + 3 * b * n].view(b, 3, n).transpose(0, 1)
        torch.mul(v[:, None], d_t, out=d_R)
        _add(d_groups[i], tile.joints, tile.weights @ d_R_t.view(12 * b, n).t())
    parts = [part.view(24, 4, 3, -1).permute(0, 3, 2, 1) for part in d_groups]
    return d_coefficients, torch.cat(parts, dim=1)


class _Posed(torch.autograd.Function):
    """Betas and rotations in; joints, posed vertices [batch, 3, V] and keypoints out."""

    @staticmethod
    def forward(
        ctx: Any, betas: Tensor, rotations: Tensor, layer: FastSMPL, vertices: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        levels, tiles = layer.constants(betas, vertices)
        J = torch.addmm(
            layer.J_template.to(betas).flatten(), betas, layer.J_shapedirs.to(betas).flatten(1)
        ).view(-1, 24, 3)
        local, G = pose_joints(rotations, J, levels)
        transforms = G.clone()
        rest = J.transpose(0, 1)[..., None]
        transforms[..., 3:] -= G[..., :3] @ rest
        identity = torch.eye(3, dtype=betas.dtype, device=betas.device)
        coefficients = torch.cat([betas, (rotations[:, 1:] - identity).flatten(1)], dim=1).t()
        keep = any(ctx.needs_input_grad)
        posed, shaped = skin(coefficients.contiguous(), transforms, tiles, keep)
        touched = posed[:, :, layer._touched] if vertices else posed
        keypoints = (touched @ layer._touched_regressor.to(betas)).transpose(1, 2)
        if keep:
            ctx.save_for_backward(betas, rotations, local, G, transforms, rest, shaped)
            ctx.set_materialize_grads(False)
            ctx.layer, ctx.vertices, ctx.levels, ctx.tiles = layer, vertices, levels, tiles
        return G[..., 3].transpose(0, 1).contiguous(), posed, keypoints

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        betas, rotations, *saved = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted
            return (*_readable_gradients(ctx, betas, rotations, gradients), None, None)
        return (*_gradients(ctx, *saved, gradients), None, None)


@float32_inside
def _gradients(
    ctx: Any,
    local: Tensor,
    G: Tensor,
    transforms: Tensor,
    rest: Tensor,
    shaped: Tensor,
    gradients: tuple[Tensor | None, ...],
) -> tuple[Tensor, Tensor]:
    layer, (d_joints, d_posed, d_keypoints) = ctx.layer, gradients
    if d_keypoints is not None:
        d_touched = d_keypoints.transpose(1, 2) @ layer._touched_regressor.to(rest).t()
        if not ctx.vertices:
            d_posed = d_touched
        else:
            shape = (len(d_touched), *layer._template.shape)
            d_posed = d_touched.new_zeros(shape) if d_posed is None else d_posed.clone()
            d_posed.index_add_(2, layer._touched, d_touched)
    d_coefficients, d_G = rest.new_zeros(217, G.shape[1]), torch.zeros_like(G)
    if d_posed is not None:
        d_coefficients, d_G = skin_backward(transforms, shaped, d_posed, ctx.tiles)
    # The transforms are [R | p - R J]: back to those of the joints, and to J.
    d_t = d_G[..., 3:].clone()
    d_rest = -(G[..., :3].mT @ d_t).squeeze(3)
    d_G[..., :3] -= d_t @ rest.mT
    if d_joints is not None:
        d_G[..., 3] += d_joints.transpose(0, 1)
    d_rotations, d_bones = pose_joints_backward(local, G, d_G, ctx.levels)
    d_rest += d_bones
    d_betas = d_coefficients[:10].t().addmm(
        d_rest.transpose(0, 1).flatten(1), layer.J_shapedirs.to(rest).flatten(1).t()
    )
    d_rotations = d_rotations.transpose(0, 1).contiguous()
    d_rotations[:, 1:] += d_coefficients[10:].t().view(-1, 23, 3, 3)
    return d_betas, d_rotations


def _readable_gradients(
    ctx: Any, betas: Tensor, rotations: Tensor, gradients: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    output = SMPL.forward(ctx.layer, betas, rotations, ctx.vertices)
    posed = None if output.vertices is None else output.vertices.transpose(1, 2)
    pairs = [
        (value, gradient)
        for value, gradient in zip((output.joints, posed, output.keypoints), gradients, strict=True)
        if value is not None and gradient is not None
    ]
    return torch.autograd.grad(
        [value for value, _ in pairs],
        (betas, rotations),
        [gradient for _, gradient in pairs],
        create_graph=True,
        allow_unused=True,
    )


class FastSMPL(SMPL):
    """The layer of `SMPL`, faster; equal to it within float32's rounding, value and gradient.

    It computes as the readable layer does where it cannot do better: compiled, in `torch.func`, on
    the meta device, and in gradients of gradients. A GPU gets one tile with all vertices.
    """

    def __init__(self, body: BodyData) -> None:
        super().__init__(body)
        self._made: dict[tuple, tuple[list, list[Tile]]] = {}
        self._made_from: tuple[Tensor, int] | None = None

    def constants(self, like: Tensor, vertices: bool) -> tuple[list, list[Tile]]:
        """Return the levels of the tree and the tiles for a batch; made once for each kind."""
        blend = self._blend
        if self._made_from is None or self._made_from[0] is not blend or \
                self._made_from[1] != blend._version:
            self._made, self._made_from = {}, (blend, blend._version)
        on_cpu = like.device.type == "cpu"
        width = max(NARROWEST, min(WIDEST, IN_CACHE // len(like))) if on_cpu else blend.shape[2]
        width = 1 << (width.bit_length() - 1)
        key = (like.dtype, like.device, vertices and width)
        if key not in self._made:
            parts = (
                (self._template, blend, self._weights)
                if vertices
                else (self._touched_template, self._touched_blend, self._touched_weights)
            )
            template, blend, weights = (part.to(like) for part in parts)
            parents = torch.tensor(SMPL_PARENTS, device=like.device)
            levels = [(joints, parents[joints]) for joints, _ in KINEMATIC_LEVELS]
            tiles = cut_tiles(template, blend, weights, width if vertices else blend.shape[2])
            self._made[key] = [parents[1:], *levels], tiles
        return self._made[key]

    @float32_inside
    def forward(
        self,
        betas: Float[Tensor, "batch 10"],
        pose: Float[Tensor, "batch 72"] | Float[Tensor, "batch 24 3 3"],
        vertices: bool = True,
    ) -> BodyOutput:
        """Compute the posed body; see `SMPL.forward`."""
        if not _plain(betas, pose):
            return super().forward(betas, pose, vertices)
        betas, rotations = self.inputs(betas, pose)
        joints, posed, keypoints = _Posed.apply(betas, rotations, self, vertices)
        return BodyOutput(posed.transpose(1, 2) if vertices else None, joints, keypoints, rotations)


def _plain(*tensors: Tensor) -> bool:
    """Return whether these are numbers in memory, not being traced or mapped over."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(type(x) in (Tensor, Parameter) and not x.is_meta for x in tensors)
