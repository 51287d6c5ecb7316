"""Exercise of lesson 06, `take_turns`: one adversarial step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, returned, shaped
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import Raised, question

POINTS = 6
RATE = 0.1


def check_take_turns(function: Asked) -> Report:
    """Check `take_turns(network, critics, phi, real, network_opt, critics_opt) -> (E, D)`."""
    check = Check("take_turns", function)
    phi = tensor([[1.0], [2.0]])
    real = tensor([[0.5], [1.5]])
    network, critics = torch.tensor([0.4, -0.3]).double(), torch.tensor([0.7, 0.2]).double()
    for turn in (1, 2):
        want = _turn(network, critics, phi, real)
        given = network, critics, phi, real, turn == 2
        name = "" if turn == 1 else "; gradients left over from before do no harm"
        with check.part("both losses" + name):
            compare(_played(check, *given)[0], want[0], 1e-10)
        with check.part("the network's update, worked out by hand" + name):
            compare(
                _played(check, *given)[1],
                want[1],
                1e-10,
                {
                    "it did not move: call the network's step()": network,
                    "it climbs: the network wants to hear 1": 2 * network - want[1],
                    "the network got the critics' gradient as well: detach the fakes": want[4],
                    "start with zero_grad(): old gradients were still there": want[1] - RATE,
                },
            )
        with check.part("the critics' update, worked out by hand" + name):
            compare(
                _played(check, *given)[2],
                want[2],
                1e-10,
                {
                    "they did not move: call the critics' step()": critics,
                    "the network's backward left gradients in the critics: zero_grad() before "
                    "theirs": want[3],
                    "show them the fakes of before the network's update": want[5],
                    "start with zero_grad(): old gradients were still there": want[2] - RATE,
                },
            )
        with check.part("no gradient of the critics' loss reaches the network" + name):
            left = _played(check, *given)[3]
            if not left.any():  # cleared at the end: fine, too
                continue
            compare(
                left,
                want[6],
                1e-10,
                {"detach the fakes in the critics' loss": want[7]},
            )
    return check.report()


@question
class _Scale(nn.Module):
    """Map x to weight x + bias, two numbers."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(number.clone()) for number in numbers)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.bias


@question
def _after_a_turn(
    function: Callable[..., Any], w: Tensor, a: Tensor, phi: Tensor, real: Tensor, stale: bool
) -> tuple[Any, Tensor, Tensor, Tensor]:
    """Return losses, network and critics after one turn, and the gradient left in the network."""
    network, critics = _Scale(w), _Scale(a)
    both = [list(network.parameters()), list(critics.parameters())]
    for parameter in (*both[0], *both[1]):
        parameter.grad = torch.ones_like(parameter) if stale else None
    optimizers = [torch.optim.SGD(parameters, 0.1) for parameters in both]
    losses = function(network, critics, phi, real, *optimizers)
    left = [torch.zeros_like(p) if p.grad is None else p.grad for p in both[0]]
    now, theirs = (torch.stack([p.detach() for p in parameters]) for parameters in both)
    return losses, now, theirs, torch.stack(left)


def _played(check: Check, *arguments: Any) -> tuple[Tensor, ...]:
    """Return losses (stacked), network, critics and gradient after one turn, or fail."""
    forward = "the critics' loss goes back into the network's graph: detach the fakes"
    try:
        losses, *others = check.ask(_after_a_turn, *arguments)
    except Raised as error:
        if error.kind == "RuntimeError" and "inplace" in error.message:
            what = "PyTorch raised RuntimeError: weights were changed since the fakes were made"
            raise Mismatch(what, forward) from None
        if error.kind == "RuntimeError" and "backward" in error.message:
            what = f"PyTorch raised RuntimeError: {error.message[:60]}..."
            raise Mismatch(what, forward) from None
        raise
    if not isinstance(returned(losses), tuple) or len(losses) != 2:
        raise Mismatch("it returned something else than two losses", "return E, D")
    return torch.stack([shaped(loss, ()).detach() for loss in losses]), *others


def _turn(w: Tensor, a: Tensor, phi: Tensor, real: Tensor) -> tuple[Tensor, ...]:
    """Work one turn out by hand, fake = w0 phi + w1, D(x) = a0 x + a1, and what slips give."""
    fake = w[0] * phi + w[1]
    says, says_real = a[0] * fake + a[1], a[0] * real + a[1]
    losses = torch.stack(
        ((says - 1).square().mean(), (says_real - 1).square().mean() + says.square().mean())
    )
    # d E / d D, then d D / d fake = a0, d fake / d w = (phi, 1), d D / d a = (fake, 1).
    push = 2 * (says - 1)
    slope_w = torch.stack(((push * a[0] * phi).mean(), (push * a[0]).mean()))
    leaves_a = torch.stack(((push * fake).mean(), push.mean()))
    slope_a = _critics_slope(a, real, fake)
    new_w = w - RATE * slope_w
    later = new_w[0] * phi + new_w[1]
    leak = torch.stack(((2 * says * a[0] * phi).mean(), (2 * says * a[0]).mean()))
    return (
        losses,
        new_w,
        a - RATE * slope_a,
        a - RATE * (slope_a + leaves_a),
        w - RATE * (slope_w + leak),
        a - RATE * _critics_slope(a, real, later),
        slope_w,
        slope_w + leak,
    )


def _critics_slope(a: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    on_real, on_fake = 2 * (a[0] * real + a[1] - 1), 2 * (a[0] * fake + a[1])
    first = (on_real * real).mean() + (on_fake * fake).mean()
    return torch.stack((first, on_real.mean() + on_fake.mean()))


# Wrong answers that people give.


def _turns(
    network, critics, phi, real, network_opt, critics_opt,
    detach=True, clear_network=True, clear_critics=True, again=False, sign=1,
):  # fmt: skip
    fake = network(phi)
    E = (critics(fake) - 1).square().sum(1).mean()
    if clear_network:
        network_opt.zero_grad()
    (sign * E).backward(retain_graph=not detach)
    if detach:
        network_opt.step()
    if clear_critics:
        critics_opt.zero_grad()
    if again:
        fake = network(phi)
    says = critics(fake.detach() if detach else fake)
    D = (critics(real) - 1).square().sum(1).mean() + says.square().sum(1).mean()
    D.backward()
    if not detach:
        network_opt.step()
    critics_opt.step()
    return E, D


def _backward_twice(network, critics, phi, real, network_opt, critics_opt):
    fake = network(phi)
    E = (critics(fake) - 1).square().sum(1).mean()
    network_opt.zero_grad()
    E.backward()
    D = (critics(real) - 1).square().sum(1).mean() + critics(fake).square().sum(1).mean()
    critics_opt.zero_grad()
    D.backward()
    network_opt.step()
    critics_opt.step()
    return E, D


def _no_steps(network, critics, phi, real, network_opt, critics_opt):
    fake = network(phi)
    E = (critics(fake) - 1).square().sum(1).mean()
    D = (critics(real) - 1).square().sum(1).mean() + critics(fake).square().sum(1).mean()
    return E, D


MISTAKES = [
    Mistake(lambda *a: _turns(*a, clear_critics=False), "zero_grad() before", 6 / 8),
    Mistake(lambda *a: _turns(*a, clear_network=False), "old gradients", 6 / 8),
    Mistake(lambda *a: _turns(*a, again=True), "of before the network's update", 4 / 8),
    Mistake(lambda *a: _turns(*a, detach=False), "detach the fakes", 4 / 8),
    Mistake(lambda *a: _turns(*a, sign=-1), "climbs", 4 / 8),
    Mistake(_backward_twice, "detach the fakes", 0.0),
    Mistake(_no_steps, "step()", 3 / 8),
]
