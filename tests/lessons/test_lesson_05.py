"""Lesson 05: its inline code against the package and against peers."""

from pathlib import Path

import pytest
import torch
from helpers.lesson_code import definitions
from torch.nn.functional import mse_loss

from hmr_edu.course.exercises import check_parameter_count, check_repair_step
from hmr_edu.course.exercises.lesson_05 import parameter_count, worst_joint
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


def test_hints_do_not_contradict_each_other():
    wrong = {mistake.hint: mistake.answer for mistake in parameter_count.MISTAKES}
    for hint in ("23 of them", "bias, too"):
        hints = {part.hint for part in check_parameter_count(wrong[hint]).parts}
        assert len(hints) == 1, hints


def test_plain_zeros_are_good_enough_betas():
    def plain(critic, joints, weights, rate):
        joints = joints.detach().requires_grad_()
        scores = critic(axis_angle_to_matrix(joints), torch.zeros(len(joints), 10))
        cost = ((scores - 1).square() * weights).sum()
        return (joints - rate * torch.autograd.grad(cost, joints)[0]).detach()

    assert check_repair_step(plain).passed


def test_muted_joints_are_those_of_training():
    assert worst_joint.MUTED == UNMEASURED_JOINTS
