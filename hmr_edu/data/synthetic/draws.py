"""Random numbers for a batch: one row a sample, all from one generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Bring a small tensor of the CPU to a device, without waiting.

    A plain `to` stops until a GPU has done all that it was given before.
    """
    return tensor.to(device, non_blocking=True)


class Draws:
    """Per-sample random parameters of one batch.

    Drawn on the CPU and then moved, so that one seed means one picture on every device. The
    global generator is never touched.
    """

    def __init__(self, batch: int, seed: int, device: torch.device | str = "cpu") -> None:
        self.batch = batch
        self.device = torch.device(device)
        self._generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draw numbers in [low, high), of shape [batch, *shape]."""
        numbers = torch.empty(self.batch, *shape)
        return send(numbers.uniform_(low, high, generator=self._generator), self.device)

    def normal(self, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draw standard normal numbers, of shape [batch, *shape]."""
        return send(torch.randn(self.batch, *shape, generator=self._generator), self.device)

    def integers(self, count: int, *shape: int) -> Int[Tensor, "batch ..."]:
        """Draw integers in [0, count), of shape [batch, *shape]."""
        shape = (self.batch, *shape)
        return send(torch.randint(count, shape, generator=self._generator), self.device)

    def chance(self, probability: float, *shape: int) -> Bool[Tensor, "batch ..."]:
        """Say True with the given probability: never at 0, always at 1; shape [batch, *shape]."""
        return self.uniform(0.0, 1.0, *shape) < probability

    def choice(
        self, weights: Sequence[float] | Sequence[int], *shape: int
    ) -> Int[Tensor, "batch ..."]:
        """Draw indices into `weights`, in proportion to the weights; shape [batch, *shape]."""
        *edges, total = accumulate(weights)
        place = self.uniform(0.0, float(total), *shape)
        steps = send(torch.tensor(edges, dtype=torch.float32), self.device)
        return torch.searchsorted(steps, place, right=True)

    def some(self, probability: float) -> tuple[Int[Tensor, " rows"], Draws]:
        """Choose the samples that an ingredient befalls, and give draws for these alone."""
        rows = (torch.rand(self.batch, generator=self._generator) < probability).nonzero()[:, 0]
        chosen = Draws.__new__(Draws)
        chosen.batch, chosen.device, chosen._generator = len(rows), self.device, self._generator
        return send(rows, self.device), chosen
