"""Means over the labels that are known: what is missing reaches neither a loss nor its gradient."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def known(target: Float[Tensor, "*n"], mask: Bool[Tensor, "*#n"]) -> Float[Tensor, "*n"]:
    """Set unlabelled targets to 0 before any arithmetic: NaN survives a product with 0."""
    return torch.where(mask, target, 0.0)


def weighted_mean(
    values: Float[Tensor, "*n"], weight: Bool[Tensor, "*n"] | Float[Tensor, "*n"]
) -> Float[Tensor, ""]:
    """Return sum of weight * values / sum of weight; 0 (with a graph) where the weights are 0."""
    total = weight.sum().to(values.dtype)
    kept = torch.where(weight > 0, values * weight, 0.0)
    return kept.sum() / torch.where(total > 0, total, 1.0)
