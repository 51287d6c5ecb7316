"""Muon: an optimiser whose steps change every direction of a weight matrix by the same amount.

Adam scales each entry of a gradient by itself. If the inputs of a layer are correlated, such as the
joints of one person, the layer then learns the few strong directions, and hardly the weak ones:
where a wrist is, given everything else. Muon (Jordan 2024, "Muon: an optimizer for hidden layers in
neural networks") replaces the momentum matrix by the nearest matrix whose singular values are all
1. `torch.optim.Muon` takes no convolutions and always computes in bfloat16, which processors
without bf16 arithmetic emulate ten times slower; hence this implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Jordan's odd polynomial a x + b x^3 + c x^5. Applied repeatedly, it brings every singular value
# in (0, 1] to about 1 (0.7 to 1.2). That is close enough, and small values grow fastest.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(
    matrices: Float[Tensor, "batch rows columns"], steps: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "batch rows columns"]:
    """Return approximately the nearest matrices with orthonormal rows (or columns, if fewer).

    Newton-Schulz: only products, no decomposition. Singular values end between 0.65 and 1.21 if
    they were at least 0.018 of their matrix's norm (3 steps) or 0.0016 of it (5 steps). The
    products are computed in `dtype`. Three steps lose little in bfloat16. With more steps its
    rounding errors exceed small singular values, and grow without bound.

    Each step multiplies x by the polynomial p = a + b g + c g^2 of its Gram matrix g = x x^T. All
    these matrices commute, so the steps are computed on g, which is small, and x is multiplied
    once.

    Raises ValueError on more than 3 steps in bfloat16.
    """
    if steps > 3 and dtype == torch.bfloat16:
        raise ValueError(f"bfloat16 is good for 3 steps, not for {steps}: take float32")
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    # The Frobenius norm bounds the largest singular value. A zero gradient stays zero.
    x = (x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(1e-12)).to(dtype)
    g = x @ x.mT
    for step in range(steps):
        p = torch.baddbmm(g, g, g, beta=b, alpha=c)  # b g + c g g
        p.diagonal(dim1=-2, dim2=-1).add_(a)
        product = p @ product if step else p
        if step + 1 < steps:
            g = p @ g @ p
    x = product @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised steps, for the weights of hidden layers.

    A convolution counts as a matrix [out, height * width * in]. The step is scaled to AdamW's usual
    size (Liu et al. 2025, "Muon is scalable for LLM training"), so that similar learning rates suit
    both. Weight decay is AdamW's.

    Args:
        matrices: parameters, or groups of them, which may have options of their own.
        lr: learning rate.
        weight_decay: share of a weight that a step subtracts, times the learning rate.
        momentum: share of the momentum that a step keeps.
        steps: steps of `orthogonalise`.
        dtype: what `orthogonalise` computes in.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor] | Iterable[dict],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        steps: int = 3,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(
            matrices, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, steps=steps)
        )
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # ty: ignore[incompatible-method-override]
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            # One operation for a whole group, and one product for all matrices of one shape: a GPU
            # would otherwise wait for Python to start thousands of small operations.
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            ahead = self._ahead(weights, group["momentum"])
            for same_shape in _by_shape(weights):
                # Inputs go last: that is the order of the backbone's weights in memory.
                stacked = torch.stack([ahead[i].movedim(1, -1) for i in same_shape])
                moves = orthogonalise(stacked.flatten(2), group["steps"], self.dtype)
                moves = moves.view(stacked.shape).movedim(-1, 2).unbind()
                size = 0.2 * max(stacked[0].flatten(1).shape) ** 0.5
                torch._foreach_add_(
                    [weights[i] for i in same_shape], moves, alpha=-group["lr"] * size
                )
        return loss

    def _ahead(self, weights: list[Tensor], decay: float) -> tuple[Tensor, ...]:
        """Update the momenta by the gradients; return them one step ahead (Nesterov)."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        grads = [weight.grad for weight in weights]
        momenta = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(momenta, grads, 1 - decay)  # ty: ignore[no-matching-overload]
        return torch._foreach_lerp(grads, momenta, decay)  # ty: ignore[no-matching-overload]


def hidden_matrices(network: nn.Module, ends: Iterable[nn.Module]) -> list[Tensor]:
    """Return the weights that Muon optimises: of all convolutions and linear layers but `ends`.

    `ends` are the first and last layers. The directions of the network's inputs and outputs differ
    in meaning and scale. So these layers, and all vectors, stay with AdamW. So do convolutions of
    each channel by itself, which are no matrices.
    """
    left_out = {id(module) for module in ends}
    return [
        module.weight
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        and id(module) not in left_out
        and getattr(module, "groups", 1) == 1
    ]


def _by_shape(weights: Iterable[Tensor]) -> Iterable[list[int]]:
    """Return the indices of the weights, grouped by shape."""
    groups: dict[torch.Size, list[int]] = {}
    for index, weight in enumerate(weights):
        groups.setdefault(weight.shape, []).append(index)
    return groups.values()
