"""Run a network over many people, in evaluation mode."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hmr_edu.hmr import Prediction


@contextmanager
def evaluation_mode(model: nn.Module) -> Generator[None]:
    """Put a network into evaluation mode; afterwards each part returns to its old mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def predict_batches(
    model: nn.Module, batches: Iterable[Sequence[Tensor]], vertices: bool = False
) -> list[Prediction]:
    """Return the bodies of every regression step for all people; float32, on the CPU.

    Dropout is off, and the network is left in the mode that it was in.

    Args:
        model: the network, or its refined form.
        batches: for each, what the network reads: pictures, or keypoints and confidences.
        vertices: whether to keep the meshes, which take most of the memory.
    """
    device = next(model.parameters()).device
    with evaluation_mode(model):
        answers = [
            [_on_cpu(step) for step in model(*(t.to(device) for t in inputs), vertices=vertices)]
            for inputs in batches
        ]
    return [_join(step) for step in zip(*answers, strict=True)]


def _on_cpu(prediction: Prediction) -> Prediction:
    return prediction.map(lambda part: part.float().cpu())


def _join(batches: Sequence[Prediction]) -> Prediction:
    theta, vertices, *others = zip(*batches, strict=True)
    meshes = None if vertices[0] is None else torch.cat(vertices)
    return Prediction(torch.cat(theta), meshes, *(torch.cat(parts) for parts in others))
