"""The network's optimisers, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

import torch
from torch import nn

from hmr_edu.encoder.backbone import Backbone
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
        ends = [*model.regressor.output_layers, *_ends(model.encoder)]
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


def _ends(encoder: nn.Module) -> list[nn.Module]:
    """Return the layers that read an encoder's inputs, and those of its outputs beside the vector.

    Of an encoder from outside nothing is known but the order of its layers: the first one reads.
    """
    if isinstance(encoder, KeypointEncoder):
        return [encoder.first]
    backbone, head = getattr(encoder, "backbone", None), getattr(encoder, "head", None)
    if not isinstance(backbone, Backbone):
        layers = (each for each in encoder.modules() if isinstance(each, nn.Conv2d | nn.Linear))
        return [*islice(layers, 1)]
    ends: list[nn.Module] = [backbone.first]
    if isinstance(head, SpatialHead):
        ends.append(head.maps)
        if head.confidence is not None:
            ends.append(head.confidence[-1])
    return ends


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
