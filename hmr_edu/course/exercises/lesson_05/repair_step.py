"""Exercise of lesson 05, `repair_step`: a body repaired by the critic."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require, shaped
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.course.questions import called
from hmr_edu.rotations import axis_angle_to_matrix

POINTS = 6
# What of the package the answer may call: the exercise is about something else.
USES = ("rotations.py", "discriminator.py")


def check_repair_step(function: Asked) -> Report:
    """Check `repair_step(critic, joints [N, 23, 3], weights [25], rate) -> [N, 23, 3]`.

    The critic takes rotations [N, 23, 3, 3] and betas [N, 10], which are to be zero.
    """
    check = Check("repair_step", function)
    critic = _smooth_critic()
    joints, rate = 0.5 * torch.randn(2, 23, 3, generator=inputs(3)), 0.1
    weights = torch.linspace(0.2, 1.5, 25)
    weights[[9, 12]] = 0
    slope = _slope(critic, joints, weights)

    def moved(some: Tensor) -> Tensor:
        after = check.call(some, weights, rate, by=_with_critic)
        far = (shaped(after, some.shape) - some).abs().max()
        require(far < 9 * rate * slope.abs().max(), "that is no small step from these joints")
        require(far > 0, "the joints came back as they were")
        by = (after - some).detach()
        alike = len(by) > 1 and torch.allclose(by[0], by[1], atol=1e-6)
        require(not alike, "it moved both bodies by the same, whatever the critic says of them")
        return after

    with check.part("downhill, by the gradient that finite differences give"):
        compare(
            check.call(joints, weights, rate, by=_with_critic),
            joints - rate * slope,
            1e-5,
            {
                "it goes uphill: subtract the gradient": joints + rate * slope,
                "every body is repaired by itself: sum over the bodies, no mean": joints
                - rate * slope / 2,
                "the critics' weights were not used": joints
                - rate * _slope(critic, joints, torch.ones_like(weights)),
                "that makes bodies less real: the target is 1, not 0": joints
                - rate * _slope(critic, joints, weights, target=0.0),
                "`rate` was not used": joints - slope,
            },
        )
    with check.part("bodies do not feel each other"):
        compare(moved(joints)[:1], moved(joints[:1]), 1e-5)
    with check.part("a rate of 0 moves nothing, a small one lowers the cost"):
        still = check.call(joints, weights, 0.0, by=_with_critic)
        compare(still, joints, 0.0)
        after = check.call(joints, weights, 0.01, by=_with_critic)
        require(
            bool((_cost(critic, after, weights) < _cost(critic, joints, weights)).all()),
            "the cost did not fall",
        )
        moved(joints)
    with check.part("the answer is plain numbers"):
        require(
            not moved(joints).requires_grad,
            "the answer still carries the graph of its making",
            "after 100 steps the graph would be 100 steps long: .detach() it",
        )
    with check.part("the critic itself learns nothing from it"):
        moved(joints)
        left, frozen, taught = check.ask(_after_a_repair, [joints, weights, rate])
        require(
            not left,
            "gradients were left in the critic's parameters",
            "torch.autograd.grad(cost, joints) asks for this one gradient; backward() for all",
        )
        hint = "it cannot learn any more: switch requires_grad on again, or leave it alone"
        require(not frozen, "the critic is left frozen", hint)
        require(not taught, "the critic's parameters were changed")
    return check.report()


@question
def _smooth_critic() -> nn.Module:
    """Make a small critic without ReLU, so that finite differences tell the truth."""
    from hmr_edu.discriminator import Discriminator

    with torch.random.fork_rng():
        torch.manual_seed(3)
        critic = Discriminator(4, 5)
    for layer in critic.modules():
        for name, child in layer.named_children():
            if isinstance(child, nn.ReLU):
                setattr(layer, name, nn.Softplus())
    return critic


@question
def _with_critic(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with the critic first."""
    result, changed = called(function, [_smooth_critic(), *arguments])
    return result, changed if changed > 0 else -1  # the critic's own fate has a part of its own


@question
def _after_a_repair(function: Callable[..., Any], arguments: list[Any]) -> tuple[bool, ...]:
    """Say whether the critic is left with gradients, frozen, or changed."""
    critic, kept = _smooth_critic(), _smooth_critic()
    function(critic, *arguments)
    inside = list(critic.parameters())
    left = any(parameter.grad is not None for parameter in inside)
    frozen = not all(parameter.requires_grad for parameter in inside)
    return left, frozen, not all(map(torch.equal, inside, kept.parameters()))


def _cost(critic: nn.Module, joints: Tensor, weights: Tensor, target: float = 1.0) -> Tensor:
    with torch.no_grad():
        scores = critic(axis_angle_to_matrix(joints), joints.new_zeros(len(joints), 10))
    return ((scores - target).square() * weights).sum(1)


def _slope(critic: nn.Module, joints: Tensor, weights: Tensor, target: float = 1.0) -> Tensor:
    """Return the gradient of every body's cost, by finite differences in float64."""
    critic, weights, step = copy.deepcopy(critic).double(), weights.double(), 1e-5
    slope = torch.empty_like(joints)
    for number, body in enumerate(joints.double()):
        # All 69 coordinates at once: each row of the batch moves one of them.
        moves = step * torch.eye(69, dtype=body.dtype).unflatten(1, (23, 3))
        ahead = _cost(critic, body + moves, weights, target)
        behind = _cost(critic, body - moves, weights, target)
        slope[number] = ((ahead - behind) / (2 * step)).unflatten(0, (23, 3))
    return slope


# Wrong answers that people give.


def _scores_of(critic, joints):
    return critic(axis_angle_to_matrix(joints), joints.new_zeros(len(joints), 10))


def _step(joints, critic, cost, rate):
    joints = joints.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cost(_scores_of(critic, joints)), joints)
    return (joints - rate * slope).detach()


def _backward_step(critic, joints, weights, rate):
    joints = joints.detach().requires_grad_()
    ((_scores_of(critic, joints) - 1).square() * weights).sum().backward()
    return (joints - rate * joints.grad).detach()


def _freezing_step(critic, joints, weights, rate):
    critic.requires_grad_(False)
    return _backward_step(critic, joints, weights, rate)


def _attached_step(critic, joints, weights, rate):
    joints = joints.detach().requires_grad_()
    cost = ((_scores_of(critic, joints) - 1).square() * weights).sum()
    return joints - rate * torch.autograd.grad(cost, joints)[0]


MISTAKES = [
    Mistake(
        lambda c, j, w, rate: _step(j, c, lambda s: ((s - 1).square() * w).sum(), -rate),
        "uphill",
        3 / 5,
    ),
    Mistake(
        lambda c, j, w, rate: _step(j, c, lambda s: ((s - 1).square() * w).sum(1).mean(), rate),
        "no mean",
        3 / 5,
    ),
    Mistake(
        lambda c, j, w, rate: _step(j, c, lambda s: (s - 1).square().sum(), rate),
        "weights were not used",
        4 / 5,
    ),
    Mistake(
        lambda c, j, w, rate: _step(j, c, lambda s: (s.square() * w).sum(), rate),
        "the target is 1",
        4 / 5,
    ),
    Mistake(_attached_step, "detach", 4 / 5),
    Mistake(_backward_step, "autograd.grad", 4 / 5),
    Mistake(_freezing_step, "left frozen", 4 / 5),
    Mistake(lambda c, j, w, rate: j, "came back as they were", 0.0),
    Mistake(lambda c, j, w, rate: _backward_step(c, j[:1], w, rate).expand_as(j), "", 0.0),
    Mistake(
        lambda c, j, w, rate: j - rate * torch.ones_like(j),
        "whatever the critic",
        0.0,
        name="no gradient",
    ),
]
