"""Running a network over many pictures, as at test time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.hmr import Prediction


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode inside; afterwards each part is in its old mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def predict_batches(
    model: nn.Module, batches: Iterable[Float[Tensor, "batch 3 H W"]], vertices: bool = False
) -> list[Prediction]:
    """Return the bodies of every regression step for all pictures; float32, on the CPU.

    Dropout is off, and the network is left in the mode that it was in.

    Args:
        model: the network, or its refined form.
        batches: pictures, on any device.
        vertices: whether to keep the meshes, which take most of the memory.
    """
    device = next(model.parameters()).device
    with evaluation_mode(model):
        answers = [
            [_on_cpu(step) for step in model(images.to(device), vertices=vertices)]
            for images in batches
        ]
    return [_join(step) for step in zip(*answers, strict=True)]


def _on_cpu(prediction: Prediction) -> Prediction:
    return Prediction(*(None if part is None else part.float().cpu() for part in prediction))


def _join(batches: Iterable[Prediction]) -> Prediction:
    columns = zip(*batches, strict=True)
    return Prediction(*(None if parts[0] is None else torch.cat(parts) for parts in columns))
