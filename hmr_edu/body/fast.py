"""The SMPL layer for speed: the equations of `hmr_edu.body.smpl`, with backward passes by hand.

Three things make it fast on a CPU. Vertices are posed in tiles, whose intermediate numbers stay in
the cache (`hmr_edu.body.tiles`). A tile leaves out the blend shapes and joints that are zero on all
of its vertices: 97 % of the free body's pose blend shapes are. And compiled loops pose the joints
(`hmr_edu.body.fast_joints`). A GPU gets PyTorch's operations alone, and one tile with all vertices.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from hmr_edu.body import fast_joints
from hmr_edu.body.data import BodyData
from hmr_edu.body.smpl import SMPL, BodyOutput, _pose_joints, _skin
from hmr_edu.body.tiles import (
    BODIES,
    IN_CACHE,
    NARROWEST,
    WIDEST,
    Tile,
    cut_tiles,
    skin_tiles,
    skin_tiles_backward,
)
from hmr_edu.io.precision import float32_inside
from hmr_edu.keypoints import SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix

# Tiles that leave out less than the rest of this are not worth their overhead.
FULL = 0.8
PARENTS = np.array(SMPL_PARENTS)


class _Skin(torch.autograd.Function):
    """`skin_tiles` as an operation of autograd; `constants` are the last arguments of `_skin`."""

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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, transforms, shaped = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants the gradient of this gradient
            posed = _skin(coefficients.t(), transforms.permute(3, 0, 2, 1), *ctx.constants)
            inputs = (coefficients, transforms)
            return *_differentiable((posed,), inputs, gradients), None, None
        return *skin_tiles_backward(transforms, shaped, gradients[0], ctx.tiles), None, None


class _Rotate(torch.autograd.Function):
    """Rodrigues' formula on a CPU, [N, 3] to [N, 3, 3]."""

    @staticmethod
    def forward(ctx: Any, axis_angle: Tensor) -> Tensor:
        R = axis_angle.new_empty(*axis_angle.shape, 3)
        fast_joints.rotate(_array(axis_angle), R.numpy())
        ctx.save_for_backward(axis_angle)
        return R

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor | None:
        (axis_angle,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            R = axis_angle_to_matrix(axis_angle)
            return _differentiable((R,), (axis_angle,), gradients)[0]
        d = axis_angle.new_empty(axis_angle.shape)
        fast_joints.rotate_backward(_array(axis_angle), _array(gradients[0]), d.numpy())
        return d


class _Joints(torch.autograd.Function):
    """Rest joints and rotations in; joints, transforms and coefficients out, on a CPU."""

    @staticmethod
    def forward(ctx: Any, rest: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n = len(rest)
        G = rest.new_empty(n, 24, 3, 4)
        transforms, feature = rest.new_empty(24, 4, 3, n), rest.new_empty(207, n)
        written = (x.numpy() for x in (G, transforms, feature))
        fast_joints.pose_joints(_array(rotations), _array(rest), PARENTS, *written)
        ctx.save_for_backward(rest, rotations, G)
        return G[..., 3].contiguous(), transforms, feature

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rest, rotations, G = ctx.saved_tensors
        if torch.is_grad_enabled():
            joints, transforms, feature = _pose_joints(rotations, rest)
            results = (joints, transforms.permute(1, 3, 2, 0), feature.t())
            return _differentiable(results, (rest, rotations), gradients)
        d_joints, d_transforms, d_feature = (_array(d) for d in gradients)
        d_rest, d_rotations = rest.new_empty(rest.shape), rotations.new_empty(rotations.shape)
        inputs = (_array(rotations), _array(rest), PARENTS, G.numpy())
        written = (d_rotations.numpy(), d_rest.numpy())
        fast_joints.pose_joints_backward(*inputs, d_transforms, d_feature, d_joints, *written)
        return d_rest, d_rotations


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _differentiable(
    results: tuple[Tensor, ...], inputs: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
) -> tuple[Tensor | None, ...]:
    """Return the gradients of inputs by autograd, which can be differentiated again."""
    pairs = [(r, d) for r, d in zip(results, gradients, strict=True) if r.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    found = torch.autograd.grad(
        [r for r, _ in pairs], wanted, [d for _, d in pairs], create_graph=True, allow_unused=True
    )
    rest = iter(found)
    return tuple(next(rest) if x.requires_grad else None for x in inputs)


class _Made(NamedTuple):
    """Tiles, and the constants that they were cut from."""

    source: tuple[Tensor, ...]
    versions: list[int]
    tiles: list[Tile]


class FastSMPL(SMPL):
    """The layer `SMPL`, faster: equal to it within rounding, in value and gradient.

    It computes as the readable layer does where speed has to come from elsewhere: compiled, in
    `torch.func`, on the meta device, and in gradients of gradients.
    """

    def __init__(self, body: BodyData) -> None:
        super().__init__(body)
        self._tiles: dict[tuple, _Made] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again on first use."""
        return self.__dict__ | {"_tiles": {}}

    def tiles(self, like: Tensor, vertices: bool) -> list[Tile]:
        """Return the tiles for a batch as long as `like`; they are cut once for each width."""
        constants = template, blend, weights = self._skin_constants(vertices)
        if not on_cpu(like):
            parts = (part.to(like) for part in (template.flatten(), blend.flatten(1), weights))
            return [Tile(slice(0, blend.shape[2]), None, None, *parts)]
        width = blend.shape[2]
        if vertices:
            # Powers of two: few different widths, so few copies of the constants.
            width = 1 << (IN_CACHE // min(len(like), BODIES)).bit_length() - 1
            width = min(max(width, NARROWEST), WIDEST)
        key = (vertices, width, like.dtype)
        versions = [part._version for part in constants]
        made = self._tiles.get(key)
        # The constants may have been replaced or written to since.
        if (
            made is None
            or made.versions != versions
            or any(now is not then for now, then in zip(constants, made.source, strict=True))
        ):
            parts = [part.detach().to(like) for part in constants]
            tiles = cut_tiles(*parts, width)
            # Of few bodies little is to be kept in the cache: tiles pay by what they leave out.
            if width == WIDEST and sum(len(tile.blend) for tile in tiles) > FULL * len(tiles) * 217:
                tiles = cut_tiles(*parts, blend.shape[2])
            self._tiles[key] = made = _Made(constants, versions, tiles)
        return made.tiles

    def _rotate(self, axis_angle: Float[Tensor, "batch 24 3"]) -> Float[Tensor, "batch 24 3 3"]:
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
        betas, rotations = self._inputs(betas, pose)
        J = self._rest_joints(betas)
        if on_cpu(betas):
            joints, transforms, pose_feature = _Joints.apply(J, rotations)
        else:
            joints, transforms, pose_feature = _pose_joints(rotations, J)
            transforms, pose_feature = transforms.permute(1, 3, 2, 0), pose_feature.t()
        coefficients = torch.cat([betas.t(), pose_feature])
        constants = self._skin_constants(vertices)
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
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    if torch._C._are_functorch_transforms_active():
        return False
    return all(type(x) in (Tensor, Parameter) and not x.is_meta for x in tensors)
