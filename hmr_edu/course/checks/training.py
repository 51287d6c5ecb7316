"""Checks of lesson 06: adversarial training.

The truth comes from elsewhere than the functions taught: SciPy's rotations, PyTorch's own
scheduler, and for the two updates derivatives worked out by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require


def check_labelled_l1(function: Callable[..., Tensor]) -> Report:
    """Check `labelled_l1(pred [B, N], target [B, N], labelled [B]) -> []`."""
    check = Check("labelled_l1", function)
    pred = torch.tensor([[1.0, 5.0], [2.0, 2.0], [0.0, 1.0]], dtype=torch.float64)
    target = torch.tensor([[0.0, 4.0], [9.0, 9.0], [3.0, 1.0]], dtype=torch.float64)
    some = torch.tensor([True, False, True])
    want = torch.tensor((1 + 1 + 3 + 0) / 4, dtype=torch.float64)
    slips = {
        "divide by the number of labelled entries, not by the whole batch": want * 4 / 6,
        "take the mean, not the sum": want * 4,
        "each sample has N entries: divide by all of the labelled ones": want * 2,
        "the flag says which samples have a label; yours counts all of them": (pred - target)
        .abs()
        .mean(),
    }
    with check.part("two samples of three have a label"):
        compare(check.call(pred, target, some), want, 1e-12, slips)
    junk = torch.where(some[:, None], target, torch.nan)
    with check.part("what stands in the place of a missing label is junk, NaN perhaps"):
        compare(check.call(pred, junk, some), want, 1e-12, slips)
    with check.part("and junk does not reach the gradient either"):
        slope = _slope(check, pred, junk, some)
        compare(slope, torch.tensor([[1, 1], [0, 0], [-1, 0]], dtype=torch.float64) / 4, 1e-12)
    with check.part("no label in the whole batch: 0, and a gradient of 0"):
        none = torch.zeros(3, dtype=torch.bool)
        nothing = torch.tensor(0.0, dtype=torch.float64)
        compare(check.call(pred, torch.full_like(pred, torch.nan), none), nothing, 0.0)
        compare(_slope(check, pred, target, none), torch.zeros_like(pred), 0.0)
    return check.report()


def _slope(check: Check, pred: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    leaf = pred.clone().requires_grad_()
    # Not by `check.call`, which would hand over a copy of the leaf.
    loss = check.function(leaf, target.clone(), labelled.clone())
    if loss is None:
        raise Mismatch("it returned None", "end the function with `return ...`")
    require(loss.requires_grad, "the loss has no gradient", "keep the graph: no .item()")
    (slope,) = torch.autograd.grad(loss, leaf)
    require(
        slope.isfinite().all(),
        "the gradient holds NaN",
        "replace the missing targets (torch.where) before you subtract: 0 times NaN is NaN",
    )
    return slope


def check_fakes_of(function: Callable[..., tuple[Tensor, Tensor]]) -> Report:
    """Check `fakes_of(thetas: T tensors [B, 85]) -> ([T B, 23, 3, 3], [T B, 10])`."""
    check = Check("fakes_of", function)
    g = inputs(0)
    thetas = [torch.randn(2, 85, generator=g, dtype=torch.float64) for _ in range(3)]
    rotations, betas = _fakes(thetas, 6)
    with check.part("as many as there are people and steps, and no root"):
        got, shapes = _two(check, thetas)
        hints = {
            (6, 24, 3, 3): "the root, joint 0, says where somebody faces: leave it out",
            (2, 23, 3, 3): "the critics see every step, not only the last",
            (3, 2, 23, 3, 3): "put the steps below each other: torch.cat, not torch.stack",
        }
        want = (6, 23, 3, 3), (6, 10)
        shape = tuple(got.shape), tuple(shapes.shape)
        require(
            shape == want,
            f"shapes {list(shape[0])} and {list(shape[1])}, wanted {list(want[0])} and [6, 10]",
            hints.get(shape[0], ""),
        )
    with check.part("rotations of joints 1 to 23, by SciPy"):
        shifted = _fakes(thetas, 3)[0]
        compare(
            _two(check, thetas)[0],
            rotations,
            1e-10,
            {
                "theta begins with the camera (3), then comes the root (3)": shifted,
                "these are the transposed matrices": rotations.mT,
                "the first step first: cat the list as it comes": _fakes(thetas[::-1], 6)[0],
            },
        )
    with check.part("betas: the last ten numbers"):
        compare(_two(check, thetas)[1], betas, 1e-12)
    with check.part("gradients flow back to theta"):
        leaves = [theta.clone().requires_grad_() for theta in thetas]
        got, shapes = function(leaves)
        require(
            got.requires_grad and shapes.requires_grad,
            "the fakes are cut off from the network",
            "no .detach() here: the network's own step needs the way back",
        )
    return check.report()


def _two(check: Check, thetas: list[Tensor]) -> tuple[Tensor, Tensor]:
    result = check.call([theta.clone() for theta in thetas])
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mismatch("it returned something else than a pair", "return rotations, betas")
    return result


def _fakes(thetas: list[Tensor], first: int) -> tuple[Tensor, Tensor]:
    theta = torch.cat(thetas).numpy()
    vectors = theta[:, first : first + 69].reshape(-1, 3)
    matrices = Rotation.from_rotvec(vectors).as_matrix().reshape(len(theta), 23, 3, 3)
    return torch.from_numpy(np.ascontiguousarray(matrices)), torch.from_numpy(theta[:, 75:].copy())


def check_schedule(function: Callable[..., float]) -> Report:
    """Check `schedule(step, steps, warmup, peak) -> float`."""
    check = Check("schedule", function)
    with check.part("no warm-up: PyTorch's CosineAnnealingLR"):
        _close(check, _cosine(100), 100, 1, 2e-3)
    with check.part("the first step is small and not 0"):
        got = check.call(0, 100, 10, 1.0)
        require(got != 0, "0 at step 0: a step that does nothing", "(step + 1) / warmup")
        require(abs(got - 0.1) < 1e-12, f"{got:.4g} at step 0 of 10, wanted 0.1")
    with check.part("a warm-up of 20 steps"):
        ramp = [min(1.0, (k + 1) / 20) for k in range(100)]
        _close(check, [r * c for r, c in zip(ramp, _cosine(100), strict=True)], 100, 20, 3.0)
    with check.part("nothing is left at the end"):
        got = check.call(100, 100, 10, 5.0)
        require(abs(got) < 1e-12, f"{got:.4g} at the last step, wanted 0", "cos(pi) = -1")
    return check.report()


def _cosine(steps: int) -> list[float]:
    """1 to 0 over `steps`, as PyTorch's scheduler has it."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


def _close(check: Check, want: list[float], steps: int, warmup: int, peak: float) -> None:
    got = [check.call(k, steps, warmup, peak) for k in range(len(want))]
    after = [
        peak * 0.5 * (1 + math.cos(math.pi * max(0, k - warmup) / (steps - warmup)))
        for k in range(steps)
    ]
    compare(
        torch.tensor(got, dtype=torch.float64),
        peak * torch.tensor(want, dtype=torch.float64),
        1e-6 * peak,
        {
            "1 + cos runs from 2 to 0: halve it": 2 * peak * torch.tensor(want).double(),
            "the cosine runs over the whole training, the warm-up is a factor": torch.tensor(
                [a * min(1, (k + 1) / warmup) for k, a in enumerate(after)], dtype=torch.float64
            ),
            "multiply by the peak": torch.tensor(want, dtype=torch.float64),
        },
    )


class _Scale(nn.Module):
    """x -> weight x + bias, two numbers."""

    def __init__(self, weight: float, bias: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.bias

    def numbers(self) -> Tensor:
        return torch.stack((self.weight.detach(), self.bias.detach()))


RATE = 0.1


def check_take_turns(function: Callable[..., tuple[Tensor, Tensor]]) -> Report:
    """Check `take_turns(network, critics, phi, real, network_opt, critics_opt) -> (E, D)`."""
    check = Check("take_turns", function)
    phi = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    real = torch.tensor([[0.5], [1.5]], dtype=torch.float64)
    network, critics = torch.tensor([0.4, -0.3]).double(), torch.tensor([0.7, 0.2]).double()
    for turn in (1, 2):
        want = _turn(network, critics, phi, real)
        played = _play(check, network, critics, phi, real, stale=turn == 2)
        name = "" if turn == 1 else "; gradients left over from before do no harm"
        with check.part("both losses" + name):
            compare(torch.stack(_raised(played)[:2]).detach(), want[0], 1e-10)
        with check.part("the network's update, worked out by hand" + name):
            compare(
                _raised(played)[2],
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
                _raised(played)[3],
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
            left = _raised(played)[4]
            if not left.any():  # cleared at the end: fine, too
                continue
            compare(
                left,
                want[6],
                1e-10,
                {"detach the fakes in the critics' loss": want[7]},
            )
    return check.report()


def _play(
    check: Check, w: Tensor, a: Tensor, phi: Tensor, real: Tensor, stale: bool
) -> tuple[Tensor, ...] | Exception:
    """Losses, network and critics after one turn, and the gradient left in the network."""
    network, critics = _Scale(*w.tolist()), _Scale(*a.tolist())
    if stale:
        for parameter in (*network.parameters(), *critics.parameters()):
            parameter.grad = torch.ones_like(parameter)
    optimizers = [torch.optim.SGD(m.parameters(), RATE) for m in (network, critics)]
    try:
        losses = check.call(network, critics, phi, real, *optimizers)
        if not isinstance(losses, tuple) or len(losses) != 2:
            raise Mismatch("it returned something else than two losses", "return E, D")
        grads = [p.grad for p in network.parameters()]
        left = torch.stack([g if g is not None else torch.zeros(()).double() for g in grads])
    except Exception as error:
        return error
    return *(loss.detach() for loss in losses), network.numbers(), critics.numbers(), left


def _raised(played: tuple[Tensor, ...] | Exception) -> tuple[Tensor, ...]:
    if isinstance(played, RuntimeError) and "backward" in str(played):
        raise Mismatch(
            f"PyTorch raised RuntimeError: {str(played)[:60]}...",
            "the critics' loss goes back into the network's graph: detach the fakes",
        )
    if isinstance(played, RuntimeError) and "inplace" in str(played):
        raise Mismatch(
            "PyTorch raised RuntimeError: weights were changed since the fakes were made",
            "the critics' loss goes back into the network's graph: detach the fakes",
        )
    if isinstance(played, Exception):
        raise played
    return played


def _turn(w: Tensor, a: Tensor, phi: Tensor, real: Tensor) -> tuple[Tensor, ...]:
    """One turn by hand, with fake = w0 phi + w1 and D(x) = a0 x + a1; and what slips give."""
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
