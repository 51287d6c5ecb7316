"""Checks of lesson 05: the discriminator.

The truth comes from elsewhere than the functions taught: layers that are counted, losses summed
number by number, minima that are searched for, gradients by finite differences.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require, shaped
from hmr_edu.discriminator import Discriminator
from hmr_edu.rotations import axis_angle_to_matrix

MUTED = (10, 11, 13, 14, 22, 23)
BROADCAST = "[N, 1] - [N] is [N, N]: take the prediction's column, [:, 0], before subtracting"


def check_parameter_count(function: Callable[..., int]) -> Report:
    """Check `parameter_count(features, hidden) -> int`: weights and biases of the 25 critics."""
    check = Check("parameter_count", function)
    with check.part("HMR's own sizes: 32 features, 1024 hidden"):
        _same_count(check, 32, 1024)
    with check.part("other sizes: the layers of a critic, counted"):
        for features, hidden in ((3, 4), (16, 64), (40, 8), (1, 1)):
            _same_count(check, features, hidden)
    return check.report()


def _same_count(check: Check, features: int, hidden: int) -> None:
    got = check.call(features, hidden)
    if isinstance(got, bool) or not isinstance(got, int):
        raise Mismatch(f"it returned {type(got).__name__}, an int is wanted")
    want = _parameters(features, hidden)
    weights, joint = 9 * features + features**2, 10 * features + features * (features + 1)
    biases = 2 * features + 23 + 2 * hidden + 1 + 16
    slips = {
        "every layer has a bias, one for each of its outputs": want - biases,
        "the first two layers are shared: count them once, not 23 times": want + 22 * joint,
        "each joint has a linear layer of its own at the end: 23 of them": want
        - 22 * (features + 1),
        "the full pose sees the features of all 23 joints at once, 23 * features": want
        - 22 * features * hidden,
        "the shape critic has two hidden layers, 10 -> 10 -> 5 -> 1": want - 110,
        "the two shared layers are missing": want - weights - 2 * features,
        "the last layer of a joint has a bias, too: 23 of them": want - 23,
        "the full pose has two hidden layers, 736 -> 1024 -> 1024 -> 1": want
        - hidden * (hidden + 1),
        "the shape critic is missing: 171 parameters": want - 171,
        "736 is 23 * features for 32 features: write it with `features`": want
        + 23 * (32 - features) * hidden,
        "count with `features` and `hidden`, and not with 32 and 1024": _parameters(32, 1024),
        "count with `hidden`, and not with 1024": _parameters(features, 1024),
        "count with `features`, and not with 32": _parameters(32, hidden),
    }
    if got != want:
        hint = next((text for text, count in slips.items() if got == count), "")
        raise Mismatch(f"{features} features, {hidden} hidden: {got:,}, wanted {want:,}", hint)


def _parameters(features: int, hidden: int) -> int:
    """Counted on layers that exist, and not by a formula."""
    with torch.device("meta"):
        return sum(p.numel() for p in Discriminator(features, hidden).parameters())


def check_lsgan(function: Callable[..., tuple[Tensor, Tensor]]) -> Report:
    """Check `lsgan(real [N, C], fake [M, C]) -> (encoder loss [], discriminator loss [])`."""
    check = Check("lsgan", function)
    half = torch.full((4, 25), 0.5, dtype=torch.float64)
    g = inputs(0)
    real = torch.randn(3, 25, generator=g, dtype=torch.float64)
    fake = torch.randn(5, 25, generator=g, dtype=torch.float64)
    with check.part("25 critics at chance: 6.25 for the encoder"):
        _encoder(_pair(check, half, half), half, half)
    with check.part("25 critics at chance: 12.5 for the critics"):
        _critics(_pair(check, half, half), half, half)
    with check.part("any scores, encoder"):
        _encoder(_pair(check, real, fake), real, fake)
    with check.part("any scores, critics; batches of two sizes"):
        _critics(_pair(check, real, fake), real, fake)
    with check.part("critics that are always right pay nothing, the encoder pays 1 for each"):
        encoder, critics = _pair(check, torch.ones_like(half), torch.zeros_like(half))
        compare(critics, torch.tensor(0.0, dtype=torch.float64), 1e-12)
        compare(encoder, torch.tensor(25.0, dtype=torch.float64), 1e-12)
    with check.part("the encoder's gradient calls for higher scores of the fakes"):
        moved = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
        encoder, _ = _pair(check, torch.zeros(2, 3, dtype=torch.float64), moved)
        compare(_slope_at(encoder, moved), torch.full_like(moved, -1.0), 1e-12)
    with check.part("the critics' gradient comes from both, real bodies and fakes"):
        r, f = torch.full((2, 2, 3), 0.5, dtype=torch.float64)
        r, f = r.requires_grad_(), f.requires_grad_()
        _, critics = _pair(check, r, f)
        compare(_slope_at(critics, r), torch.full_like(r, -0.5), 1e-12)
        compare(_slope_at(critics, f), torch.full_like(f, 0.5), 1e-12)
    return check.report()


def _pair(check: Check, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    result = check.call(real, fake)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mismatch("it returned something else than two losses", "return encoder, critics")
    encoder, critics = _losses(real, fake)
    if not torch.allclose(encoder, critics) and all(
        isinstance(got, Tensor) and got.shape == () and torch.allclose(got.detach(), want)
        for got, want in zip(result, (critics, encoder), strict=True)
    ):
        raise Mismatch("the two losses are exchanged", "return encoder, critics: in this order")
    return result


def _losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both losses, number by number."""
    on_real = sum((d - 1) ** 2 for d in real.flatten().tolist()) / len(real)
    on_fake = sum(d**2 for d in fake.flatten().tolist()) / len(fake)
    encoder = sum((d - 1) ** 2 for d in fake.flatten().tolist()) / len(fake)
    return real.new_tensor(encoder), real.new_tensor(on_real + on_fake)


def _slope_at(loss: Tensor, scores: Tensor) -> Tensor:
    hint = "keep the graph: no .item(), no .detach(); it is the fakes that are detached, earlier"
    require(loss.requires_grad, "the loss has no gradient", hint)
    (slope,) = torch.autograd.grad(loss, scores, retain_graph=True, allow_unused=True)
    require(slope is not None, "no gradient reaches the scores", hint)
    return slope


def _encoder(pair: tuple[Tensor, Tensor], real: Tensor, fake: Tensor) -> None:
    M, C = fake.shape
    want = _losses(real, fake)[0]
    compare(
        pair[0],
        want,
        1e-12,
        {
            "sum over the critics, and take the mean over the samples only": want / C,
            "take the mean over the samples, do not sum over them": want * M,
            "the encoder wants its fakes to be called real, 1": fake.square().sum() / M,
            "the encoder is judged by the fakes, not by the real bodies": (real - 1).square().sum()
            / len(real),
        },
    )


def _critics(pair: tuple[Tensor, Tensor], real: Tensor, fake: Tensor) -> None:
    N, M, C = len(real), len(fake), real.shape[1]
    want = _losses(real, fake)[1]
    on_real = (real - 1).square().sum()
    on_fake = fake.square().sum()
    swapped = real.square().sum() / N + (fake - 1).square().sum() / M
    compare(
        pair[1],
        want,
        1e-12,
        {
            "sum over the critics, and take the mean over the samples only": want / C,
            "take the mean over the samples, do not sum over them": on_real + on_fake,
            "a mean over the real, plus a mean over the fakes: do not average the two": want / 2,
            "each batch has its own size: a mean of each, then the sum": (on_real + on_fake)
            / (N + M),
            "real is 1, fake is 0: yours are exchanged": swapped,
            "the fakes are missing: the critics must call them 0": on_real / N,
        },
    )


def check_best_critic(function: Callable[..., Tensor]) -> Report:
    """Check `best_critic(p_real [N], p_fake [N]) -> [N]`: the score that costs least."""
    check = Check("best_critic", function)
    g = inputs(1)
    p = torch.rand(40, generator=g, dtype=torch.float64) + 0.05
    q = torch.rand(40, generator=g, dtype=torch.float64) + 0.05
    with check.part("the worked example: 3 to 1"):
        three, one = torch.tensor([3.0]), torch.tensor([1.0])
        compare(check.call(three, one), torch.tensor([0.75]), 1e-6, _ratios(three, one))
    with check.part("the minimum, found by search"):
        scores = torch.linspace(-1, 2, 30_001, dtype=torch.float64)[:, None]
        best = (p * (scores - 1) ** 2 + q * scores**2).argmin(0)
        compare(check.call(p, q), scores[best, 0], 1e-4, _ratios(p, q))
    with check.part("as many real as fake: 0.5"):
        compare(check.call(p, p), torch.full_like(p, 0.5), 1e-6)
    with check.part("only real 1, only fake 0"):
        zero = torch.zeros_like(p)
        compare(check.call(p, zero), torch.ones_like(p), 1e-6)
        compare(check.call(zero, p), zero, 1e-6)
    with check.part("where no body ever is: 0.5, and not 0 / 0"):
        nothing = torch.zeros(3)
        hint = "0 / epsilon is 0, and 0.5 is wanted: choose it with torch.where"
        compare(check.call(nothing, nothing), nothing + 0.5, 1e-6, {hint: nothing})
    return check.report()


def _ratios(p: Tensor, q: Tensor) -> dict[str, Tensor]:
    return {
        "that is the share of the fakes: the score says how real": q / (p + q),
        "a share, not a ratio: divide by all that is there": p / q,
        "that is the best score of log-odds (a sigmoid's input), not of least squares": p.log()
        - q.log(),
        "set the derivative 2 p (D - 1) + 2 q D to zero": p - q,
        "squared errors weighted by densities, not by their squares": p**2 / (p**2 + q**2),
    }


def check_worst_joint(function: Callable[..., Tensor]) -> Report:
    """Check `worst_joint(scores [N, 25], muted) -> [N]`: SMPL's number of the least real joint."""
    check = Check("worst_joint", function)
    with check.part("the worked example: output 17 is joint 18, the left elbow"):
        scores = torch.full((1, 25), 0.9)
        scores[0, 17] = -0.2
        compare(
            check.call(scores, MUTED),
            torch.tensor([18]),
            0.0,
            {
                "the critics leave the root out: output k speaks of joint k + 1": torch.tensor(
                    [17]
                ),
                "one off to the wrong side: output 0 is joint 1": torch.tensor([16]),
            },
        )
    with check.part("every joint that is not muted can be the worst"):
        joints = torch.tensor([j for j in range(1, 24) if j not in MUTED])
        scores = torch.full((len(joints), 25), 0.7)
        scores[torch.arange(len(joints)), joints - 1] = torch.linspace(-0.3, 0.6, len(joints))
        compare(check.call(scores, MUTED), joints, 0.0, _slips(scores))
    with check.part("scores above 1: still the lowest one"):
        scores = torch.linspace(1.1, 1.9, 25).repeat(2, 1)
        compare(check.call(scores, MUTED), torch.tensor([1, 1]), 0.0, _slips(scores))
    with check.part("a muted joint never is"):
        scores = torch.linspace(0.2, 0.9, 25).repeat(6, 1)
        scores[torch.arange(6), torch.tensor(MUTED) - 1] = -5.0
        compare(
            check.call(scores, MUTED),
            torch.ones(6, dtype=torch.long),
            0.0,
            _slips(scores)
            | {
                "a muted critic was listened to": torch.tensor(MUTED),
                "the wrong critics were muted: joint j is output j - 1": torch.tensor(
                    [j if j - 1 not in MUTED else 1 for j in MUTED]
                ),
            },
        )
    with check.part("the full pose and the shape are no joints"):
        scores = torch.linspace(0.5, 0.9, 25).repeat(2, 1)
        scores[0, 23], scores[1, 24] = -1.0, -1.0
        compare(
            check.call(scores, MUTED),
            torch.ones(2, dtype=torch.long),
            0.0,
            {
                "only the first 23 outputs are joints": torch.tensor([24, 25]),
                "only the first 23 outputs are joints: the 24th is the full pose": torch.tensor(
                    [24, 1]
                ),
            },
        )
    with check.part("another choice of muted joints"):
        scores = torch.linspace(0.2, 0.9, 25)[None]
        compare(check.call(scores, (1, 2, 3)), torch.tensor([4]), 0.0)
        compare(check.call(scores, ()), torch.tensor([1]), 0.0)
    return check.report()


def _slips(scores: Tensor) -> dict[str, Tensor]:
    columns = [j - 1 for j in MUTED]
    heard = scores[:, :23].clone()
    heard[:, columns] = torch.inf
    zeros = heard.nan_to_num(posinf=0.0).argmin(1) + 1
    inf = "a muted joint must lose: give it torch.inf, and not 0 or 1; scores may exceed 1"
    highest = heard.nan_to_num(posinf=-9.0).argmax(1) + 1
    lowest = (
        "the least real joint has the lowest score; one above 1 is no worse for being far from 1"
    )
    few = scores[:, [k for k in range(23) if k not in columns]]
    return {
        "the critics leave the root out: output k speaks of joint k + 1": heard.argmin(1),
        lowest: highest,
        "columns taken out shift the numbers of the rest: give them torch.inf": few.argmin(1) + 1,
        inf: zeros,
    }


def check_affine_residual(function: Callable[..., Tensor]) -> Report:
    """Check `affine_residual(x [N, D], y [N]) -> []`: what the best affine function leaves over."""
    check = Check("affine_residual", function)
    g = inputs(2)
    x = torch.randn(200, 9, generator=g, dtype=torch.float64)
    with check.part("the worked example: x^2 on -1, 0, 1 leaves 2/3"):
        line = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
        third = torch.tensor(1 / 3, dtype=torch.float64)
        compare(
            check.call(line, line[:, 0] ** 2),
            2 * third,
            1e-9,
            {
                "affine is linear and a constant: give x a column of ones": 3 * third,
                "the largest residual, not the mean": 4 / 3 * third,
                "the largest residual in size: take abs() before max()": third,
            },
        )
    with check.part("an affine function leaves nothing"):
        y = x @ torch.linspace(-1, 1, 9, dtype=torch.float64) + 3
        compare(
            check.call(x, y),
            torch.zeros((), dtype=torch.float64),
            1e-9,
            {
                "affine is linear and a constant: give x a column of ones": _residual(x, y, False),
                BROADCAST: _broadcast(x, y),
            },
        )
    with check.part("any function: numpy's least squares"):
        y = torch.relu(x).sum(1) + x[:, 0] * x[:, 1]
        compare(
            check.call(x, y),
            _residual(x, y, True),
            1e-9,
            {
                BROADCAST: _broadcast(x, y),
                "affine is linear and a constant: give x a column of ones": _residual(x, y, False),
                "the largest residual in size: take abs() before max()": _residual(x, y, True, 1),
            },
        )
    with check.part("adding an affine function changes nothing"):
        more = y + 5 * x[:, 2] - 7
        compare(check.call(x, more), _residual(x, y, True), 1e-9, {BROADCAST: _broadcast(x, more)})
    return check.report()


def _residual(x: Tensor, y: Tensor, constant: bool, sign: int = 0) -> Tensor:
    columns = np.column_stack([x.numpy(), np.ones(len(x))]) if constant else x.numpy()
    left = y.numpy() - columns @ np.linalg.lstsq(columns, y.numpy(), rcond=None)[0]
    return torch.tensor((sign * left if sign else np.abs(left)).max())


def _broadcast(x: Tensor, y: Tensor) -> Tensor:
    """What [N, 1] minus [N] gives: everybody's prediction against everybody's value."""
    columns = np.column_stack([x.numpy(), np.ones(len(x))])
    fitted = columns @ np.linalg.lstsq(columns, y.numpy(), rcond=None)[0]
    return torch.tensor(np.abs(fitted[:, None] - y.numpy()).max())


def check_repair_step(function: Callable[..., Tensor]) -> Report:
    """Check `repair_step(critic, joints [N, 23, 3], weights [25], rate) -> [N, 23, 3]`.

    The critic takes rotations [N, 23, 3, 3] and betas [N, 10], which are to be zero.
    """
    check = Check("repair_step", function)
    torch.manual_seed(3)
    critic = Discriminator(4, 5)
    for layer in critic.modules():  # smooth, so that finite differences tell the truth
        for name, child in layer.named_children():
            if isinstance(child, nn.ReLU):
                setattr(layer, name, nn.Softplus())
    joints, rate = 0.5 * torch.randn(2, 23, 3), 0.1
    weights = torch.linspace(0.2, 1.5, 25)
    weights[[9, 12]] = 0
    slope = _slope(critic, joints, weights)

    def moved(some: Tensor) -> Tensor:
        after = check.call(critic, some, weights, rate)
        far = (shaped(after, some.shape) - some).abs().max()
        require(far < 9 * rate * slope.abs().max(), "that is no small step from these joints")
        return after

    with check.part("downhill, by the gradient that finite differences give"):
        compare(
            check.call(critic, joints, weights, rate),
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
        compare(check.call(critic, joints, weights, 0.0), joints, 0.0)
        after = check.call(critic, joints, weights, 0.01)
        require(
            bool((_cost(critic, after, weights) < _cost(critic, joints, weights)).all()),
            "the cost did not fall",
        )
    with check.part("the answer is plain numbers"):
        require(
            not moved(joints).requires_grad,
            "the answer still carries the graph of its making",
            "after 100 steps the graph would be 100 steps long: .detach() it",
        )
    with check.part("the critic itself learns nothing from it"):
        critic.zero_grad()
        moved(joints)
        require(
            all(p.grad is None for p in critic.parameters()),
            "gradients were left in the critic's parameters",
            "torch.autograd.grad(cost, joints) asks for this one gradient; backward() for all",
        )
    return check.report()


def _cost(critic: nn.Module, joints: Tensor, weights: Tensor, target: float = 1.0) -> Tensor:
    with torch.no_grad():
        scores = critic(axis_angle_to_matrix(joints), joints.new_zeros(len(joints), 10))
    return ((scores - target).square() * weights).sum(1)


def _slope(critic: nn.Module, joints: Tensor, weights: Tensor, target: float = 1.0) -> Tensor:
    """Gradient of every body's cost, by finite differences in float64."""
    critic, weights, step = copy.deepcopy(critic).double(), weights.double(), 1e-5
    slope = torch.empty_like(joints)
    for number, body in enumerate(joints.double()):
        # All 69 coordinates at once: each row of the batch moves one of them.
        moves = step * torch.eye(69, dtype=body.dtype).unflatten(1, (23, 3))
        ahead = _cost(critic, body + moves, weights, target)
        behind = _cost(critic, body - moves, weights, target)
        slope[number] = ((ahead - behind) / (2 * step)).unflatten(0, (23, 3))
    return slope
