"""Exercise of lesson 06, `take_turns`: one adversarial step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.check import (
    Asked,
    Check,
    Mismatch,
    Report,
    compare,
    require,
    returned,
    several,
    shaped,
)
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.lesson_06._turn import RATE, turn_by_hand
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import Raised, question

POINTS = 6
TRAINS = ("network", "critics", "network_opt", "critics_opt")


def check_take_turns(function: Asked) -> Report:
    """Check `take_turns(network, critics, phi, real, network_opt, critics_opt) -> (E, D)`.

    The second time it is the second turn of the same two, with old gradients in all parameters.
    """
    check = Check("take_turns", function)
    phi = tensor([[1.0], [2.0]])
    real = tensor([[0.5], [1.5], [1.1]])
    network, critics = torch.tensor([0.4, -0.3]).double(), torch.tensor([0.7, 0.2]).double()
    for turn in (1, 2):
        if turn == 2:
            first = turn_by_hand(network, critics, phi, real)
            network, critics = first.network, first.critics
        want = turn_by_hand(network, critics, phi, real)
        given = network, critics, phi, real, turn
        name = "" if turn == 1 else "; gradients left over from before do no harm"
        with check.part("both losses" + name):
            got = _played(check, *given)
            compare(got.losses, want.losses, 1e-10, want.losses_of)
        with check.part("the network's update, worked out by hand" + name):
            got = _played(check, *given)
            slips = {"start with zero_grad(): old gradients were still there": want.network - RATE}
            still = _still("the network's", got.stepped[0])
            compare(got.network, want.network, 1e-10, {still: network} | want.network_of | slips)
            hint = "switch requires_grad on again afterwards; fake.detach() needs no freezing"
            require(got.learns[0], "the network is left frozen: it learns in one turn only", hint)
        with check.part("the critics' update, worked out by hand" + name):
            got = _played(check, *given)
            slips = {"start with zero_grad(): old gradients were still there": want.critics - RATE}
            still = _still("the critics'", got.stepped[1])
            compare(got.critics, want.critics, 1e-10, {still: critics} | want.critics_of | slips)
            hint = "switch requires_grad on again before their own turn"
            require(got.learns[1], "the critics are left frozen: they learn in one turn only", hint)
        with check.part("no gradient of the critics' loss reaches the network" + name):
            left = _played(check, *given).left
            if not left.any():  # cleared at the end: fine, too
                continue
            leak = {"detach the fakes in the critics' loss": want.leaves}
            compare(left, want.slope, 1e-10, leak)
    return check.report()


def _still(whose: str, stepped: bool) -> str:
    """Explain why nothing has moved."""
    if stepped:
        return f"{whose} step() found no gradient: backward() before it, zero_grad() before that"
    return f"nothing moved: call {whose} step()"


@question
class _Scale(nn.Module):
    """Map x to weight x + bias, two numbers."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(number.clone()) for number in numbers)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.bias


@question
class _Critics(_Scale):
    """Two critics who say the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, 2)


@question
class _Counting(torch.optim.SGD):
    """Plain SGD that remembers whether it was asked to step."""

    stepped = False

    def step(self, *arguments: Any, **options: Any) -> Any:
        self.stepped = True
        return super().step(*arguments, **options)


@question
def _after_turns(
    function: Callable[..., Any], w: Tensor, a: Tensor, phi: Tensor, real: Tensor, turns: int
) -> tuple[Any, ...]:
    """Play turns that end with one from network w and critics a, and tell of the last one.

    Returns losses, network, critics, the gradient left in the network, who stepped, who can learn
    from now on, and the number of an argument that was changed or -1.
    """
    network, critics = _Scale(w), _Critics(a)
    both = [list(network.parameters()), list(critics.parameters())]
    optimizers = [_Counting(parameters, 0.1) for parameters in both]
    for turn in range(turns):
        for parameters, numbers in zip(both, (w, a), strict=True):
            for parameter, number in zip(parameters, numbers, strict=True):
                # The last turn is the one that is worked out; old gradients may be anything.
                parameter.data = number.clone()
                parameter.grad = torch.ones_like(parameter) if turn else None
        for optimizer in optimizers:
            optimizer.stepped = False
        given = phi.clone(), real.clone()
        losses = function(network, critics, *given, *optimizers)
    left = [torch.zeros_like(p) if p.grad is None else p.grad for p in both[0]]
    after = [torch.stack([p.detach() for p in parameters]) for parameters in both]
    stepped = [optimizer.stepped for optimizer in optimizers]
    learns = [all(p.requires_grad for p in parameters) for parameters in both]
    changed = [not torch.equal(*two) for two in zip(given, (phi, real), strict=True)]
    number = 2 + changed.index(True) if any(changed) else -1
    return losses, *after, torch.stack(left), stepped, learns, number


@dataclass(frozen=True)
class _Turn:
    """What a turn of the learner's has left behind."""

    losses: Tensor
    network: Tensor
    critics: Tensor
    left: Tensor
    stepped: list[bool]
    learns: list[bool]


def _played(check: Check, *arguments: Any) -> _Turn:
    """Return what is left after turns, or fail."""
    forward = "the critics' loss goes back into the network's graph: detach the fakes"
    try:
        losses, *others, changed = check.ask(_after_turns, *arguments)
    except Raised as error:
        if error.kind == "RuntimeError" and "inplace" in error.message:
            what = "PyTorch raised RuntimeError: weights were changed since the fakes were made"
            raise Mismatch(what, forward) from None
        if error.kind == "RuntimeError" and "backward" in error.message:
            what = f"PyTorch raised RuntimeError: {error.message[:60]}..."
            raise Mismatch(what, forward) from None
        if error.kind == "RuntimeError" and "does not require grad" in error.message:
            what = f"PyTorch raised RuntimeError: {error.message[:60]}..."
            frozen = "something is left frozen by the turn before: switch requires_grad on again"
            raise Mismatch(what, frozen * (arguments[-1] == 2)) from None
        raise
    check.note(changed)
    pair = [shaped(loss, ()).detach() for loss in several(returned(losses), "E, D")]
    return _Turn(torch.stack(pair), *others)


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


def _left_frozen(network, critics, phi, real, network_opt, critics_opt):
    """Freeze the network in the place of a detach, and forget it."""
    fake = network(phi)
    E = (critics(fake) - 1).square().sum(1).mean()
    network_opt.zero_grad()
    E.backward()
    network_opt.step()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    critics_opt.zero_grad()
    D = (critics(real) - 1).square().sum(1).mean() + critics(fake.detach()).square().sum(1).mean()
    D.backward()
    critics_opt.step()
    return E, D


def _critics_first(network, critics, phi, real, network_opt, critics_opt):
    fake = network(phi)
    D = (critics(real) - 1).square().sum(1).mean()
    D = D + critics(fake.detach()).square().sum(1).mean()
    critics_opt.zero_grad()
    D.backward()
    critics_opt.step()
    E = (critics(fake) - 1).square().sum(1).mean()
    network_opt.zero_grad()
    E.backward()
    network_opt.step()
    return E, D


def _means(network, critics, phi, real, network_opt, critics_opt, reduce=torch.mean):
    fake = network(phi)
    E = reduce((critics(fake) - 1).square())
    network_opt.zero_grad()
    E.backward()
    network_opt.step()
    D = reduce((critics(real) - 1).square()) + reduce(critics(fake.detach()).square())
    critics_opt.zero_grad()
    D.backward()
    critics_opt.step()
    return E, D


def _cleared_too_late(network, critics, phi, real, network_opt, critics_opt):
    fake = network(phi)
    E = (critics(fake) - 1).square().sum(1).mean()
    E.backward()
    network_opt.zero_grad()
    network_opt.step()
    D = (critics(real) - 1).square().sum(1).mean()
    D = D + critics(fake.detach()).square().sum(1).mean()
    critics_opt.zero_grad()
    D.backward()
    critics_opt.step()
    return E, D


MISTAKES = [
    Mistake(lambda *a: _turns(*a, clear_critics=False), "zero_grad() before", 6 / 8),
    Mistake(lambda *a: _turns(*a, clear_network=False), "old gradients", 6 / 8),
    Mistake(lambda *a: _turns(*a, again=True), "of before the network's update", 4 / 8),
    Mistake(lambda *a: _turns(*a, detach=False), "detach the fakes", 4 / 8),
    Mistake(lambda *a: _turns(*a, sign=-1), "climbs", 4 / 8),
    Mistake(_backward_twice, "detach the fakes", 0.0),
    Mistake(_no_steps, "call the network's step()", None),
    Mistake(_left_frozen, "left frozen", 6 / 8),
    Mistake(_critics_first, "the network goes first", None),
    Mistake(_means, "sum over the critics", 0.0),
    Mistake(lambda *a: _means(*a, reduce=torch.sum), "not their sum", 0.0),
    Mistake(_cleared_too_late, "found no gradient", None),
    Mistake(lambda *a: _turns(*a)[::-1], "return E, D", 6 / 8),
    Mistake(lambda *a: [*_turns(*a)], "return E, D", 0.0),
]
