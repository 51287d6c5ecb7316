"""The network's optimisers, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from hmr_edu.encoder.heads import SpatialHead
from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.hmr import HMR
from hmr_edu.training.config import OptimizerConfig
from hmr_edu.training.muon import Muon, hidden_matrices


def build_optimizers(
    model: HMR, config: OptimizerConfig, dtype: torch.dtype = torch.float32
) -> list[torch.optim.Optimizer]:
    """Build Adam or AdamW for the network, or Muon for hidden weights and AdamW for the rest.

    `dtype` is what Muon computes in: bfloat16 where the hardware has it. Every group has a "scale":
    its learning rate as a multiple of the network's.
    """
    matrices: set[torch.Tensor] = set()
    if config.method == "muon":
        encoder = model.encoder
        ends: list[torch.nn.Module] = [*model.regressor.output_layers]
        if isinstance(encoder, KeypointEncoder):
            ends.append(encoder.first)
        else:
            ends.append(encoder.backbone.first)
            if isinstance(encoder.head, SpatialHead):
                ends.append(encoder.head.maps)
                if encoder.head.confidence is not None:
                    ends.append(encoder.head.confidence[-1])
        matrices = set(hidden_matrices(model, ends))

    def groups(members: bool) -> list[dict]:
        regressor = set(model.regressor.parameters())
        return [
            {"params": [p for p in parameters if (p in matrices) == members], "scale": scale}
            for parameters, scale in (
                ([p for p in model.parameters() if p not in regressor], 1.0),
                (list(model.regressor.parameters()), config.regressor_scale),
            )
        ]

    decay = config.weight_decay
    adam = torch.optim.Adam if config.method == "adam" else torch.optim.AdamW
    rest = adam(groups(False), config.learning_rate, weight_decay=decay, fused=True)
    if not matrices:
        return [rest]
    return [Muon(groups(True), config.learning_rate, weight_decay=decay, dtype=dtype), rest]


def learning_rate(config: OptimizerConfig, step: int, progress: float) -> float:
    """Return the learning rate at a step; `progress` in [0, 1] is the share of the run done."""
    factor = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "cosine":
        factor *= 0.5 * (1 + math.cos(math.pi * progress))
    return factor * config.learning_rate


def set_learning_rate(optimizers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """Set the rate of each group: `rate` times its "scale", which is 1 where it has none."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
