"""Lesson 05: its inline code against the package and against peers; its checks against mistakes."""

from pathlib import Path

import pytest
import torch
from helpers.lesson_code import definitions
from torch.nn.functional import mse_loss

from hmr_edu.course import checks
from hmr_edu.discriminator import Discriminator, lsgan_discriminator_loss, lsgan_encoder_loss
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.adversarial import UNMEASURED_JOINTS, critic_weights

LESSON = Path(__file__).parents[2] / "notebooks" / "05_discriminator.ipynb"
EXERCISES = (
    "parameter_count",
    "lsgan",
    "best_critic",
    "worst_joint",
    "affine_residual",
    "repair_step",
)


@pytest.fixture(scope="module")
def lesson():
    names = ("layers", "Critics", "random_bodies", "noisy", "shuffle", "beats", *EXERCISES)
    return definitions(LESSON, *names)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# What the lesson builds, against the package and peers.


def test_critics_are_the_package_s(lesson):
    torch.manual_seed(0)
    ours, theirs = lesson["Critics"](5, 7).double(), Discriminator(5, 7).double()
    state = {f"joint_features.{i}.{n}": p for i, n, p in _linear(ours.shared[0])}
    state |= {f"pose_head.{i}.{n}": p for i, n, p in _linear(ours.pose)}
    state |= {f"shape_head.{i}.{n}": p for i, n, p in _linear(ours.shape)}
    state["joint_heads.weight"] = torch.cat([j.weight for j in ours.joints])
    state["joint_heads.bias"] = torch.cat([j.bias for j in ours.joints])
    theirs.load_state_dict(state)
    R, betas = axis_angle_to_matrix(randn(6, 23, 3)), randn(6, 10, seed=1)
    torch.testing.assert_close(ours(R, betas), theirs(R, betas), rtol=1e-12, atol=1e-12)


def _linear(stack):
    return [
        (i, name, parameter)
        for i, layer in enumerate(stack)
        for name, parameter in layer.named_parameters()
    ]


def test_parameters(lesson):
    for sizes in ((32, 1024), (3, 5)):
        critics = lesson["Critics"](*sizes)
        count = sum(p.numel() for p in critics.parameters())
        assert lesson["parameter_count"](*sizes) == count
    assert lesson["parameter_count"](32, 1024) == 1_807_619


def test_losses(lesson):
    real, fake = randn(4, 25), randn(7, 25, seed=1)
    encoder, critics = lesson["lsgan"](real, fake)
    torch.testing.assert_close(encoder, lsgan_encoder_loss(fake))
    torch.testing.assert_close(critics, lsgan_discriminator_loss(real, fake))
    by_torch = 25 * (mse_loss(real, torch.ones_like(real)) + fake.square().mean())
    torch.testing.assert_close(critics, by_torch)


def test_fakes_are_rotations_and_a_shuffle_keeps_them(lesson):
    g = torch.Generator().manual_seed(0)
    R = lesson["random_bodies"](5, g)
    for made in (R, lesson["noisy"](R, 0.3, g), *(lesson["shuffle"](R, g, d) for d in (0, 1))):
        torch.testing.assert_close(made @ made.mT, torch.eye(3).expand_as(made), atol=1e-5, rtol=0)
    mixed = lesson["shuffle"](R, g, 0)
    for k in range(23):  # joint k of the mixed people: joint k of somebody, each once
        assert (mixed[:, None, k] == R[None, :, k]).all((2, 3)).sum(1).tolist() == [1] * 5
    assert not torch.equal(mixed, R)


def test_beats(lesson):
    assert lesson["beats"](torch.tensor([1.0, 0.0]), torch.tensor([0.0])) == 0.75


def test_repair_lowers_the_cost(lesson):
    torch.manual_seed(0)
    critic, weights = Discriminator(8, 16), critic_weights()
    joints = 0.3 * randn(3, 23, 3, dtype=torch.float32)

    def cost(joints):
        scores = critic(axis_angle_to_matrix(joints), torch.zeros(3, 10))
        return lsgan_encoder_loss(scores, weights).item()

    costs = [cost(joints)]
    for _ in range(5):
        joints = lesson["repair_step"](critic, joints, weights, 0.02)
        costs.append(cost(joints))
    assert costs == sorted(costs, reverse=True)


# Wrong answers that people give, and words of what they are told; test_mutants tries them.


def conv(f):
    return 10 * f + f * f + f


def count(f, h, shared=1, heads=23, seen=23, shape=171):
    pose = seen * f * h + h + h * h + h + h + 1
    return shared * conv(f) + heads * (f + 1) + pose + shape


def scores_of(critic, joints):
    return critic(axis_angle_to_matrix(joints), joints.new_zeros(len(joints), 10))


def step(joints, critic, cost, rate):
    joints = joints.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cost(scores_of(critic, joints)), joints)
    return (joints - rate * slope).detach()


def backward_step(critic, joints, weights, rate):
    joints = joints.detach().requires_grad_()
    ((scores_of(critic, joints) - 1).square() * weights).sum().backward()
    return (joints - rate * joints.grad).detach()


def attached_step(critic, joints, weights, rate):
    joints = joints.detach().requires_grad_()
    cost = ((scores_of(critic, joints) - 1).square() * weights).sum()
    return joints - rate * torch.autograd.grad(cost, joints)[0]


def lstsq_residual(x, y):
    return y - (x @ torch.linalg.lstsq(x, y[:, None]).solution)[:, 0]


def with_ones(x):
    return torch.cat([x, x.new_ones(len(x), 1)], 1)


def muted_argmin(scores, muted, first=23):
    scores = scores[:, :first].clone()
    scores[:, [joint - 1 for joint in muted]] = torch.inf
    return scores.argmin(1) + 1


def muted_without_shift(scores, muted):
    scores = scores.clone()
    scores[:, list(muted)] = torch.inf
    return scores[:, :23].argmin(1) + 1


def kept_argmin(scores, muted):
    return scores[:, [k for k in range(23) if k + 1 not in muted]].argmin(1) + 1


def filled_argmin(scores, muted, value):
    scores = scores[:, :23].clone()
    scores[:, [joint - 1 for joint in muted]] = value
    return scores.argmin(1) + 1


def farthest_from_1(scores, muted):
    scores = scores[:, :23].clone()
    scores[:, [joint - 1 for joint in muted]] = 1.0
    return (scores - 1).abs().argmax(1) + 1


def broadcast_residual(x, y):
    x = with_ones(x)
    return (x @ torch.linalg.lstsq(x, y[:, None]).solution - y).abs().max()


def lsgan_of(r, f):
    encoder = (f - 1).square().sum(1).mean()
    return encoder, (r - 1).square().sum(1).mean() + f.square().sum(1).mean()


def one_layer(f, h):
    return count(f, h) - h * (h + 1)


MISTAKES = [
    ("parameter_count", lambda f, h: count(f, h, shared=23), "shared"),
    ("parameter_count", lambda f, h: count(f, h, heads=1), "23 of them"),
    ("parameter_count", lambda f, h: count(f, h, seen=1), "all 23 joints at once"),
    ("parameter_count", lambda f, h: count(f, h, shape=61), "two hidden layers"),
    ("parameter_count", lambda f, h: count(f, h) - 2 * f - 23 - 2 * h - 1 - 16, "bias"),
    ("parameter_count", lambda f, h: float(count(f, h)), ""),
    ("parameter_count", lambda f, h: count(f, h) - 23, "bias, too"),
    ("parameter_count", one_layer, "two hidden layers"),
    ("parameter_count", lambda f, h: count(f, h) - 171, "171"),
    ("parameter_count", lambda f, h: count(f, h) + (736 - 23 * f) * h, "736"),
    ("parameter_count", lambda f, h: count(32, h), "not with 32"),
    ("lsgan", lambda r, f: lsgan_of(r, f)[::-1], "in this order"),
    ("lsgan", lambda r, f: (lsgan_of(r, f)[0], lsgan_of(r, f)[1] / 2), "do not average"),
    ("lsgan", lambda r, f: (lsgan_of(r, f)[0], lsgan_of(r, f.detach())[1]), "keep the graph"),
    ("best_critic", lambda p, q: p / (p + q + 1e-8), "torch.where"),
    ("worst_joint", lambda s, m: filled_argmin(s, m, 0.0), "torch.inf, and not 0 or 1"),
    ("worst_joint", lambda s, m: filled_argmin(s, m, 1.0), "torch.inf, and not 0 or 1"),
    ("worst_joint", kept_argmin, "shift the numbers"),
    ("worst_joint", farthest_from_1, "far from 1"),
    ("worst_joint", lambda s, m: muted_argmin(s, m, first=24), "the 24th"),
    ("affine_residual", broadcast_residual, "[N, N]"),
    (
        "affine_residual",
        lambda x, y: lstsq_residual(with_ones(x.float()), y.float()).abs().max(),
        "float32",
    ),
    ("lsgan", lambda r, f: ((f - 1).square().mean(), (r - 1).square().mean()), "sum over"),
    (
        "lsgan",
        lambda r, f: ((f - 1).square().sum(), (r - 1).square().sum() + f.square().sum()),
        "do not sum over",
    ),
    (
        "lsgan",
        lambda r, f: (f.square().sum(1).mean(), r.square().sum(1).mean()),
        "called real",
    ),
    (
        "lsgan",
        lambda r, f: (
            (f - 1).square().sum(1).mean(),
            (f - 1).square().sum(1).mean() + r.square().sum(1).mean(),
        ),
        "exchanged",
    ),
    (
        "lsgan",
        lambda r, f: ((f - 1).square().sum(1).mean(), torch.cat([r - 1, f]).square().sum(1).mean()),
        "own size",
    ),
    ("best_critic", lambda p, q: q / (p + q), "share of the fakes"),
    ("best_critic", lambda p, q: p / q, "not a ratio"),
    ("best_critic", lambda p, q: p / (p + q), "0 / 0"),
    ("best_critic", lambda p, q: p.log() - q.log(), "log-odds"),
    ("worst_joint", lambda s, m: muted_argmin(s, m) - 1, "k + 1"),
    ("worst_joint", lambda s, m: s[:, :23].argmin(1) + 1, "listened"),
    ("worst_joint", lambda s, m: muted_argmin(s, m, first=25), "first 23"),
    ("worst_joint", muted_without_shift, "j - 1"),
    ("affine_residual", lambda x, y: lstsq_residual(x, y).abs().max(), "column of ones"),
    ("affine_residual", lambda x, y: lstsq_residual(with_ones(x), y).abs().mean(), "mean"),
    ("affine_residual", lambda x, y: lstsq_residual(with_ones(x), y).max(), "abs()"),
    (
        "repair_step",
        lambda c, j, w, rate: step(j, c, lambda s: ((s - 1).square() * w).sum(), -rate),
        "uphill",
    ),
    (
        "repair_step",
        lambda c, j, w, rate: step(j, c, lambda s: ((s - 1).square() * w).sum(1).mean(), rate),
        "no mean",
    ),
    (
        "repair_step",
        lambda c, j, w, rate: step(j, c, lambda s: (s - 1).square().sum(), rate),
        "weights were not used",
    ),
    (
        "repair_step",
        lambda c, j, w, rate: step(j, c, lambda s: (s.square() * w).sum(), rate),
        "the target is 1",
    ),
    ("repair_step", attached_step, "detach"),
    ("repair_step", backward_step, "autograd.grad"),
]


def test_hints_do_not_contradict_each_other():
    for wrong in (lambda f, h: count(f, h, heads=1), lambda f, h: count(f, h) - 23):
        hints = {part.hint for part in checks.check_parameter_count(wrong).parts}
        assert len(hints) == 1, hints


def test_plain_zeros_are_good_enough_betas():
    def plain(critic, joints, weights, rate):
        joints = joints.detach().requires_grad_()
        scores = critic(axis_angle_to_matrix(joints), torch.zeros(len(joints), 10))
        cost = ((scores - 1).square() * weights).sum()
        return (joints - rate * torch.autograd.grad(cost, joints)[0]).detach()

    assert checks.check_repair_step(plain).passed


def test_muted_joints_are_those_of_training():
    from hmr_edu.course.checks.discriminator import MUTED

    assert MUTED == UNMEASURED_JOINTS
