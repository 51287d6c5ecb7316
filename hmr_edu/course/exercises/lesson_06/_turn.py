"""One turn of `take_turns` worked out by hand, and what the usual slips give."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RATE = 0.1
CRITICS = 2  # they say the same; a mean over them is half of the sum


@dataclass(frozen=True)
class Wanted:
    """A turn worked out by hand, and what slips give."""

    losses: Tensor
    losses_of: dict[str, Tensor]
    network: Tensor
    network_of: dict[str, Tensor]
    critics: Tensor
    critics_of: dict[str, Tensor]
    slope: Tensor
    leaves: Tensor


def turn_by_hand(w: Tensor, a: Tensor, phi: Tensor, real: Tensor) -> Wanted:
    """Work one turn out by hand, fake = w0 phi + w1; both critics say a0 x + a1."""
    fake = w[0] * phi + w[1]
    losses = _losses(a, real, fake)
    slope_w, slope_a = _network_slope(a, phi, fake), _critics_slope(a, real, fake)
    new_w, new_a = w - RATE * slope_w, a - RATE * slope_a
    later = new_w[0] * phi + new_w[1]
    says = a[0] * fake + a[1]
    # d E / d D, then d D / d fake = a0, d fake / d w = (phi, 1), d D / d a = (fake, 1).
    push = CRITICS * 2 * (says - 1)
    leaves_a = torch.stack(((push * fake).mean(), push.mean()))
    leak = CRITICS * torch.stack(((2 * says * a[0] * phi).mean(), (2 * says * a[0]).mean()))
    first_E = torch.stack((_losses(new_a, real, fake)[0], losses[1]))
    after_D = torch.stack((losses[0], _losses(a, real, later)[1]))
    before = "the network goes first: here the critics were updated before it"
    on_real = CRITICS * (a[0] * real + a[1] - 1).square().sum()
    summed = torch.stack((losses[0] * len(phi), on_real + CRITICS * says.square().sum()))
    some = {
        "return E, D: in this order": losses.flip(0),
        before: first_E,
        "show the critics the same fakes, of before the network's update": after_D,
        "sum over the critics, mean over the samples: yours is a mean of all": losses / CRITICS,
        "mean over the samples, not their sum": summed,
    }
    means = "sum over the critics, mean over the samples: yours is a mean of all"
    return Wanted(
        losses,
        some,
        new_w,
        {
            "it climbs: the network wants to hear 1": w + RATE * slope_w,
            "the network got the critics' gradient as well: detach the fakes": new_w - RATE * leak,
            before: w - RATE * _network_slope(new_a, phi, fake),
            means: w - RATE * slope_w / CRITICS,
            "mean over the samples, not their sum": w - RATE * slope_w * len(phi),
        },
        new_a,
        {
            "the network's backward left gradients in the critics: zero_grad() before theirs": new_a
            - RATE * leaves_a,
            "show them the fakes of before the network's update": a
            - RATE * _critics_slope(a, real, later),
            "they climb: real is 1, fakes are 0": a + RATE * slope_a,
            means: a - RATE * slope_a / CRITICS,
        },
        slope_w,
        slope_w + leak,
    )


def _losses(a: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    says, says_real = a[0] * fake + a[1], a[0] * real + a[1]
    D = (says_real - 1).square().mean() + says.square().mean()
    return CRITICS * torch.stack(((says - 1).square().mean(), D))


def _network_slope(a: Tensor, phi: Tensor, fake: Tensor) -> Tensor:
    push = CRITICS * 2 * (a[0] * fake + a[1] - 1)
    return torch.stack(((push * a[0] * phi).mean(), (push * a[0]).mean()))


def _critics_slope(a: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    on_real, on_fake = 2 * (a[0] * real + a[1] - 1), 2 * (a[0] * fake + a[1])
    first = (on_real * real).mean() + (on_fake * fake).mean()
    return CRITICS * torch.stack((first, on_real.mean() + on_fake.mean()))
