"""Muon: steps that move every direction of a weight matrix by the same amount.

Adam scales each number of a gradient by itself. A layer whose inputs are correlated, such as the
joints of one person, then learns the few strong directions and hardly the weak ones: where a
wrist is, given everything else. Muon (Jordan 2024, "Muon: an optimizer for hidden layers in neural
networks") replaces the momentum matrix by the nearest matrix with all singular values 1.
`torch.optim.Muon` takes no convolutions and always computes in bfloat16, which processors without
bf16 arithmetic emulate at a tenth of the speed; hence this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Jordan's odd polynomial a x + b x^3 + c x^5. Applied again and again it takes every singular
# value in (0, 1] to about 1 (0.7 to 1.2): near enough, and fastest from near 0.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(
    matrix: Float[Tensor, "rows columns"], steps: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "rows columns"]:
    """Return about the nearest matrix with orthonormal rows (or columns, if there are fewer).

    Newton-Schulz: only products, no decomposition. Singular values end between 0.68 and 1.21 if
    they were at least 0.017 of the matrix's norm (3 steps) or 0.0014 of it (5 steps). The products
    are computed in `dtype`; an approximation as rough as this one loses nothing in bfloat16.

    Each step multiplies x by the polynomial p = a + b g + c g^2 of its Gram matrix g = x x^T.
    All these commute, so the steps are taken on g, which is small, and x is multiplied once.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    # The Frobenius norm bounds the largest singular value. A zero gradient stays zero.
    x = (wide / wide.norm().clamp_min(1e-12)).to(dtype)
    g = x @ x.T
    identity = torch.eye(len(g), dtype=dtype, device=g.device)
    product = identity
    for step in range(steps):
        p = a * identity + b * g + c * (g @ g)
        product = p @ product if step else p
        if step + 1 < steps:
            g = p @ g @ p
    x = product @ x
    return (x.T if wide is not matrix else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised steps, for the weights of hidden layers.

    A convolution counts as a matrix [out, in * height * width]. The step is scaled to AdamW's
    usual size (Liu et al. 2025, "Muon is scalable for LLM training"), so that both take similar
    learning rates; weight decay is AdamW's. `matrices` are parameters or groups of them; the
    groups may set options of their own. `dtype` is what `orthogonalise` computes in.
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
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                # Nesterov: look where the momentum will be after this gradient.
                ahead = weight.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                move = orthogonalise(ahead, group["steps"], self.dtype)
                move *= 0.2 * max(ahead.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * move.view_as(weight))
        return loss


def hidden_matrices(network: nn.Module, ends: Iterable[nn.Module]) -> list[nn.Parameter]:
    """Return the weights that Muon is for: all convolutions' and linear layers' but `ends`'.

    The first and last layers meet the outside world, whose directions are not alike; they, and
    all vectors, stay with AdamW.
    """
    left = {id(module) for module in ends}
    return [
        module.weight
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and id(module) not in left
    ]
