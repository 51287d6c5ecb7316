"""Random numbers for a batch: one row for each sample, all from one generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Move a small tensor from the CPU to a device, without waiting.

    A plain `to` waits until a GPU has finished all work queued so far.
    """
    return tensor.to(device, non_blocking=True)


class Draws:
    """Random parameters for the samples of one batch.

    They are drawn on the CPU and then moved, so a seed gives the same picture on every device. The
    global generator is never used.
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
        """Draw True with the given probability: never at 0, always at 1; shape [batch, *shape]."""
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
        """Choose the samples that get an ingredient; return their rows, and draws for these."""
        rows = (torch.rand(self.batch, generator=self._generator) < probability).nonzero()[:, 0]
        return send(rows, self.device), self.of(len(rows))

    def of(self, batch: int, device: torch.device | str | None = None) -> Draws:
        """Return draws for another number of samples, from the same generator."""
        other = Draws.__new__(Draws)
        other.batch, other._generator = batch, self._generator
        other.device = self.device if device is None else torch.device(device)
        return other
