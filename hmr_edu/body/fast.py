"""The SMPL layer for speed: the equations of `hmr_edu.body.smpl`, with backward passes by hand.

Three things make it fast on a CPU. Vertices are posed in tiles, whose intermediate numbers stay in
the cache. A tile leaves out the blend shapes and joints that are zero on all of its vertices: 97 %
of the free body's pose blend shapes are. And joints are posed by compiled loops
(`hmr_edu.body.fast_joints`). A GPU gets PyTorch's operations alone, and one tile with all vertices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from hmr_edu.body import fast_joints
from hmr_edu.body.data import BodyData
from hmr_edu.body.smpl import SMPL, BodyOutput, pose_joints, skin
from hmr_edu.io.precision import float32_inside
from hmr_edu.keypoints import SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix

# A tile has at most so many vertices times bodies: their 12 numbers each fit a cache of 1 MB.
IN_CACHE = 16_384
# Bodies that are posed at once, and the limits of a tile's width, in vertices.
BODIES, NARROWEST, WIDEST = 256, 128, 2048
# Tiles that leave out less than the rest of this are not worth their overhead.
FULL = 0.8
PARENTS = torch.tensor(SMPL_PARENTS, device="cpu").numpy()


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


class _Skin(torch.autograd.Function):
    """`skin_tiles` as an operation of autograd; `constants` are the last arguments of `skin`."""

    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, transforms: Tensor, tiles: list[Tile], constants: tuple
    ) -> Tensor:
        if not any(ctx.needs_input_grad):
            return skin_tiles(coefficients, transforms, tiles)
        shaped = coefficients.new_empty(coefficients.shape[1] * constants[0].numel())
        posed = skin_tiles(coefficients, transforms, tiles, shaped)
        ctx.save_for_backward(coefficients, transforms, shaped)
        ctx.tiles, ctx.constants = tiles, constants
        return posed

    @staticmethod
    def backward(ctx: Any, d_posed: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, transforms, shaped = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants the gradient of this gradient
            posed = skin(coefficients.t(), transforms.permute(3, 0, 2, 1), *ctx.constants)
            inputs = (coefficients, transforms)
            return *torch.autograd.grad(posed, inputs, d_posed, create_graph=True), None, None
        return *skin_tiles_backward(transforms, shaped, d_posed, ctx.tiles), None, None


class _Rotate(torch.autograd.Function):
    """Rodrigues' formula on a CPU, [N, 3] to [N, 3, 3]."""

    @staticmethod
    def forward(ctx: Any, axis_angle: Tensor) -> Tensor:
        axis_angle = axis_angle.contiguous()
        R = axis_angle.new_empty(*axis_angle.shape, 3)
        fast_joints.rotate(axis_angle.detach().numpy(), R.numpy())
        ctx.save_for_backward(axis_angle)
        return R

    @staticmethod
    def backward(ctx: Any, dR: Tensor) -> Tensor:
        (axis_angle,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            R = axis_angle_to_matrix(axis_angle)
            return torch.autograd.grad(R, axis_angle, dR, create_graph=True)[0]
        d = torch.empty_like(axis_angle)
        fast_joints.rotate_backward(axis_angle.numpy(), dR.contiguous().numpy(), d.numpy())
        return d


class _Joints(torch.autograd.Function):
    """Rest joints and rotations in; joints, transforms and coefficients out, on a CPU."""

    @staticmethod
    def forward(ctx: Any, rest: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest, rotations = rest.contiguous(), rotations.contiguous()
        G = rest.new_empty(len(rest), 24, 3, 4)
        transforms, coefficients = (
            rest.new_empty(24, 4, 3, len(rest)),
            rest.new_empty(207, len(rest)),
        )
        arrays = (x.detach().numpy() for x in (G, transforms, coefficients))
        fast_joints.pose_joints(rotations.detach().numpy(), rest.detach().numpy(), PARENTS, *arrays)
        ctx.save_for_backward(rest, rotations, G)
        return G[..., 3].contiguous(), transforms, coefficients

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rest, rotations, G = ctx.saved_tensors
        if torch.is_grad_enabled():
            joints, transforms, feature = pose_joints(rotations, rest)
            results = (joints, transforms.permute(1, 3, 2, 0), feature.t())
            return torch.autograd.grad(results, (rest, rotations), gradients, create_graph=True)
        d_joints, d_transforms, d_coefficients = (d.contiguous().numpy() for d in gradients)
        d_rest, d_rotations = torch.empty_like(rest), torch.empty_like(rotations)
        fast_joints.pose_joints_backward(
            rotations.numpy(),
            rest.numpy(),
            PARENTS,
            G.numpy(),
            d_transforms,
            d_coefficients,
            d_joints,
            d_rotations.numpy(),
            d_rest.numpy(),
        )
        return d_rest, d_rotations


class FastSMPL(SMPL):
    """The layer `SMPL`, faster: equal to it within rounding, in value and gradient.

    It computes as the readable layer does where speed has to come from elsewhere: compiled, in
    `torch.func`, on the meta device, and in gradients of gradients.
    """

    def __init__(self, body: BodyData) -> None:
        super().__init__(body)
        self._tiles: dict[tuple, tuple[Tensor, int, list[Tile]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again on first use."""
        return self.__dict__ | {"_tiles": {}}

    def tiles(self, like: Tensor, vertices: bool) -> list[Tile]:
        """Return the tiles for a batch as long as `like`; they are cut once for each width."""
        template, blend, weights = self.skin_constants(vertices)
        if not on_cpu(like):
            parts = (part.to(like) for part in (template.flatten(), blend.flatten(1), weights))
            return [Tile(slice(0, blend.shape[2]), None, None, *parts)]
        width = blend.shape[2]
        if vertices:
            # Powers of two: few different widths, so few copies of the constants.
            width = 1 << (IN_CACHE // min(len(like), BODIES)).bit_length() - 1
            width = min(max(width, NARROWEST), WIDEST)
        key = (vertices, width, like.dtype)
        source, version, tiles = self._tiles.get(key, (None, 0, []))
        # The buffers may have been replaced or written to since.
        if source is not blend or version != blend._version:
            parts = [part.detach().to(like) for part in (template, blend, weights)]
            tiles = cut_tiles(*parts, width)
            # Of few bodies little is to be kept in the cache: tiles pay by what they leave out.
            if width == WIDEST and sum(len(tile.blend) for tile in tiles) > FULL * len(tiles) * 217:
                tiles = cut_tiles(*parts, blend.shape[2])
            self._tiles[key] = (blend, blend._version, tiles)
        return tiles

    def rotate(self, axis_angle: Float[Tensor, "batch 24 3"]) -> Float[Tensor, "batch 24 3 3"]:
        """Convert axis-angle vectors into rotation matrices."""
        if on_cpu(axis_angle) and _plain(axis_angle):
            return _Rotate.apply(axis_angle.flatten(0, 1)).view(-1, 24, 3, 3)
        return axis_angle_to_matrix(axis_angle)

    @float32_inside
    def forward(
        self,
        betas: Float[Tensor, "batch 10"],
        pose: Float[Tensor, "batch 72"] | Float[Tensor, "batch 24 3 3"],
        vertices: bool = True,
    ) -> BodyOutput:
        """Compute the posed body; as `SMPL.forward`."""
        if not _plain(betas, pose, self._blend) or len(betas) == 0:
            return super().forward(betas, pose, vertices)
        betas, rotations = self.inputs(betas, pose)
        J = self.rest_joints(betas)
        if on_cpu(betas):
            joints, transforms, pose_feature = _Joints.apply(J, rotations)
        else:
            joints, transforms, pose_feature = pose_joints(rotations, J)
            transforms, pose_feature = transforms.permute(1, 3, 2, 0), pose_feature.t()
        coefficients = torch.cat([betas.t(), pose_feature])
        constants = self.skin_constants(vertices)
        posed = _Skin.apply(coefficients, transforms, self.tiles(betas, vertices), constants)
        if vertices:  # indexing [batch, 3, V] in its last dimension takes ten times as long
            touched = posed.flatten(0, 1).index_select(1, self._touched).view(len(posed), 3, -1)
        else:
            touched = posed
        return BodyOutput(
            vertices=posed.transpose(1, 2) if vertices else None,
            joints=joints,
            keypoints=(touched @ self._touched_regressor.to(touched)).transpose(1, 2),
            rotations=rotations,
        )


def on_cpu(tensor: Tensor) -> bool:
    """Return whether a tensor is where the compiled loops can read it."""
    return tensor.device.type == "cpu"


def _plain(*tensors: Tensor) -> bool:
    """Return whether these hold numbers, and nothing traces or maps over them."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(type(x) in (Tensor, Parameter) and not x.is_meta for x in tensors)
