"""Sources of training data: the `BatchSource` protocol, and mixtures of several sources."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hmr_edu.data.batch import Batch, TensorDataclass
from hmr_edu.io.errors import DataError
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from hmr_edu.theta import join_theta, split_theta

# No run trains on batches from this number on. They are for samples, and to recalibrate batch norm.
HELD_OUT = 2**32

Prepared = TypeVar("Prepared", bound=TensorDataclass)


@runtime_checkable
class BatchSource(Protocol):
    """Labelled pictures, batch by batch. The trainer uses only these members of its data.

    Batch `index` is made in two parts. `prepare` works on the CPU, in worker processes if there are
    any. `finish` works on the training device. Both depend only on the source's seed and the index,
    so that a run can be interrupted, resumed, or divided among processes without a change.
    """

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        ...

    @property
    def image_size(self) -> int:
        """Pixels along each side of a picture."""
        ...

    def prepare(self, index: int) -> Any:
        """Return a `TensorDataclass` with all that `finish` needs for batch `index`; CPU."""
        ...

    def finish(self, prepared: Any, /, device: torch.device | str = "cpu") -> Batch:
        """Return the batch on `device`."""
        ...

    def mean_theta(self) -> Float[Tensor, "85"] | None:
        """Return the start of the regression, or None when no sample has a theta."""
        ...


def showcase(source: BatchSource, count: int, device: torch.device | str = "cpu") -> Batch:
    """Return the same few samples each time. No run trains on them."""
    return source.finish(source.prepare(HELD_OUT)).first(count).to(device)


def batch_seed(seed: int, index: int) -> int:
    """Return a well-mixed 63-bit seed for one batch of one stream."""
    return int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0] >> 1)


class PreparedBatches(Dataset):
    """A source's prepared batches by number, for PyTorch's worker processes."""

    def __init__(self, source: BatchSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> TensorDataclass:
        return self.source.prepare(index)


def load_batches(
    source: BatchSource, numbers: range, workers: int = 0, pin_memory: bool = False
) -> Iterator[TensorDataclass]:
    """Return a source's prepared batches of these numbers, in order.

    `workers` processes prepare them, or this one where there are none. Raises DataError where the
    workers would run the whole script again, and the script would wait for ever.
    """
    if workers:
        _check_guarded()
    loader = DataLoader(
        PreparedBatches(source),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        pin_memory=pin_memory,
        # A fork of a process that has run OpenMP threads hangs when it starts its first one.
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_go_on,
    )
    return iter(loader)


def _check_guarded() -> None:
    """Raise DataError if the running script does its work also where a worker imports it.

    A spawned process imports the script first, under another name than `__main__`.
    """
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or getattr(main, "__spec__", None) is not None:
        return  # a notebook, or a module that was started with -m
    try:
        text = Path(script).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if "__main__" not in text:
        raise DataError(
            f"{script}: workers import this script, which would begin the training again; put its "
            'calls below `if __name__ == "__main__":`, or train without workers'
        )


def _go_on(worker: int) -> None:
    """Ignore Ctrl-C in a worker: the process that it works for decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class PreparedMixture(TensorDataclass):
    """The prepared batches of several sources."""

    parts: tuple[TensorDataclass, ...]

    def _map(self, function: Callable[[Tensor], Tensor]) -> PreparedMixture:
        return PreparedMixture(tuple(part._map(function) for part in self.parts))


class Mixture:
    """Several sources in one: each batch holds samples of all of them, in fixed numbers.

    `Mixture.of_shares` makes the sources so that their batches add up to a wanted size.
    Raises ValueError when there is no source, or when picture sizes differ.
    """

    def __init__(self, sources: Sequence[BatchSource]) -> None:
        sizes = {source.image_size for source in sources}
        if len(sizes) != 1:
            raise ValueError(f"a mixture needs sources of one picture size, got {sorted(sizes)}")
        self.sources = tuple(sources)
        self.image_size = sizes.pop()
        self.batch_size = sum(source.batch_size for source in sources)

    @classmethod
    def of_shares(
        cls, batch_size: int, makers: Sequence[tuple[float | int, Callable[[int], BatchSource]]]
    ) -> Mixture:
        """Make a mixture of (share, function from a batch size to a source).

        Shares are relative. Raises ValueError when a share is not positive, or so small that a
        source would give no sample to a batch.
        """
        counts = share_out(batch_size, [share for share, _ in makers])
        return cls([make(count) for count, (_, make) in zip(counts, makers, strict=True)])

    @property
    def skipped(self) -> int:
        """Damaged pictures that were skipped so far."""
        return sum(getattr(source, "skipped", 0) for source in self.sources)

    def prepare(self, index: int) -> PreparedMixture:
        """Prepare batch `index` of every source."""
        return PreparedMixture(tuple(source.prepare(index) for source in self.sources))

    def finish(self, prepared: PreparedMixture, device: torch.device | str = "cpu") -> Batch:
        """Put the sources' samples one after another into one batch."""
        pairs = zip(self.sources, prepared.parts, strict=True)
        return Batch.join([source.finish(part, device) for source, part in pairs])

    def mean_theta(self) -> Float[Tensor, "85"] | None:
        """Return the mean of the sources' mean thetas, weighted by their samples in a batch.

        Rotations are averaged as matrices, cameras and betas as numbers. Sources without a theta
        are left out.
        """
        known = [
            (theta, float(source.batch_size))
            for source in self.sources
            if (theta := source.mean_theta()) is not None
        ]
        if not known:
            return None
        thetas = torch.stack([theta for theta, _ in known])
        weights = thetas.new_tensor([weight for _, weight in known])
        weights = weights / weights.sum()
        camera, pose, betas = split_theta(thetas)
        R = axis_angle_to_matrix(pose.unflatten(1, (24, 3)))
        R = nearest_rotation(torch.einsum("s,sjkl->jkl", weights, R))
        return join_theta(weights @ camera, matrix_to_axis_angle(R).flatten(), weights @ betas)


def share_out(total: int, shares: Sequence[float | int]) -> list[int]:
    """Divide `total` samples by relative shares into whole numbers, largest remainders first.

    Raises ValueError when a share is not positive and finite, or gets no sample.
    """
    if not shares or not all(0 < share < float("inf") for share in shares):
        raise ValueError(f"shares must be positive numbers, got {list(shares)}")
    exact = [total * share / sum(shares) for share in shares]
    counts = [int(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    if min(counts) == 0:
        raise ValueError(f"{total} samples cannot be shared out as {list(shares)}: one gets none")
    return counts
