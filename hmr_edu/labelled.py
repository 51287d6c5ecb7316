"""Means over the labels that are known: what is missing reaches neither a loss nor its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class LossTerm:
    """One supervised term of the training objective.

    Args:
        compute: function of (answer, batch, config) that returns the loss. The answer is a
            regression step's `hmr_edu.hmr.Prediction`, or the encoder's `Features` where
            `per_step` is False. The batch is a `hmr_edu.data.batch.Batch`. The config is the
            `hmr_edu.training.config.LossConfig`, for terms that have options.
        weight: the default weight. 0 leaves a term out, and its computation.
        help: what the term measures, in which unit; shown by `hmr-edu train --help`.
        per_step: whether every regression step has this term, or the encoder alone.
        needs: an attribute of the answer without which the term is left out; "vertices" makes
            training compute the meshes.
    """

    compute: Callable[[Any, Any, Any], Float[Tensor, ""]]
    weight: float
    help: str
    per_step: bool = True
    needs: str | None = None
