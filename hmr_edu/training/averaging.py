"""An exponential moving average of a network's weights (EMA).

At a high learning rate the weights jump about a good place, and no single step is in it. Their
average is (Polyak and Juditsky 1992); the networks of Tarvainen and Valpola 2017, "Mean teachers
are better role models", use the exponential one.
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

from hmr_edu.data.source import HELD_OUT, BatchSource
from hmr_edu.hmr import HMR

# Pictures on which batch norm is recalibrated before samples and tests; never more than a run's.
NORM_PICTURES = 2048
Network = TypeVar("Network", bound=nn.Module)


class AveragedNetwork(Generic[Network]):
    """A copy of a network whose weights follow those in training: a <- d a + (1 - d) w.

    The running means of its batch norm are not averaged: measure them again before use.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """Begin at the network's own weights; `decay` in [0, 1) is d, reached after a while."""
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay

    def update(self, network: Network, step: int) -> None:
        """Follow the network after its step number `step`, the first being 0.

        At first the decay is (1 + step) / (10 + step), so the first weights are soon forgotten.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, new = list(self.network.parameters()), list(network.parameters())
        get_ema_multi_avg_fn(decay)(mine, new, step)


def recalibrate_batch_norm(
    network: HMR, source: BatchSource, images: int, device: torch.device
) -> None:
    """Measure again the means and variances that batch norm uses at test time.

    Its running means lag behind weights that change fast: in the middle of a run with Muon the
    network is far worse in test mode than in training mode. Averaged weights have none at all.

    Args:
        network: whose encoder is measured.
        source: of pictures; held-out ones are taken.
        images: pictures of the whole run; no more are taken.
        device: of the network.
    """
    count = -(-min(NORM_PICTURES, images) // source.batch_size)
    bar = tqdm(range(count), "batch norm", unit="batch", leave=False, disable=None, delay=5)
    prepared = (source.prepare(HELD_OUT + 1 + k) for k in bar)
    update_bn((source.finish(p, device).images for p in prepared), network.encoder)
