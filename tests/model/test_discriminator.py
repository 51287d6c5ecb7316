"""The discriminator: what its parts may see, and the ReLUs that public code forgot."""

import math

import jaxtyping
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from hmr_edu.discriminator import Discriminator, JointHeads


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return Discriminator().double()


def random_rotations(samples, seed=0):
    matrices = Rotation.random(samples * 23, random_state=seed).as_matrix()
    return torch.from_numpy(matrices).reshape(samples, 23, 3, 3)


def random_betas(samples):
    return torch.randn(samples, 10, dtype=torch.float64)


def test_parameters_and_output():
    critic = Discriminator()
    assert sum(p.numel() for p in critic.parameters()) == 1_807_619
    out = critic(random_rotations(4).float(), random_betas(4).float())
    assert out.shape == (4, 25)
    assert out.dtype == torch.float32


def test_joint_heads_start_as_linear_layers():
    """PyTorch's own start: uniform between -1 / sqrt(features) and the same above 0."""
    torch.manual_seed(0)
    heads = JointHeads(40, 64)
    for values in (heads.weight, heads.bias):
        assert values.abs().max() <= 1 / 8
        assert values.min() < -1 / 10
        assert values.max() > 1 / 10
    assert heads.weight.std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.05)


def test_equals_one_critic_after_another(critic):
    """The paper's 25 critics written as loops over joints and linear layers."""
    R, betas = random_rotations(3), random_betas(3)
    first, _, second, _ = critic.joint_features
    features, expected = [], []
    for k in range(23):
        x = R[:, k].reshape(3, 9)
        x = torch.relu(torch.relu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias)
        features.append(x)
        expected.append(x @ critic.joint_heads.weight[k] + critic.joint_heads.bias[k])
    for x, layers in ((torch.cat(features, 1), critic.pose_head), (betas, critic.shape_head)):
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        for layer in linear[:-1]:
            x = torch.relu(x @ layer.weight.T + layer.bias)
        expected.append((x @ linear[-1].weight.T + linear[-1].bias)[:, 0])
    torch.testing.assert_close(critic(R, betas), torch.stack(expected, 1), rtol=1e-12, atol=1e-12)


def affine_residual(critic):
    """How far the joint critics at a midpoint are from the mean of both ends; 0 when affine."""
    a, b = random_rotations(64, seed=1), random_rotations(64, seed=2)
    betas = random_betas(64)
    ends = (critic(a, betas) + critic(b, betas)) / 2
    return (critic((a + b) / 2, betas) - ends)[:, :23].abs().max().item()


def test_joint_critics_are_not_affine_and_would_be_without_relu(critic):
    assert affine_residual(critic) > 0.01
    first, _, second, _ = critic.joint_features
    critic.joint_features = nn.Sequential(first, second)  # as in the public ports
    assert affine_residual(critic) < 1e-14


def test_joint_k_reaches_its_critic_and_the_full_pose_only(critic):
    R, betas = random_rotations(1), random_betas(1)
    before = critic(R, betas)[0]
    for k in range(23):
        moved = R.clone()
        moved[:, k] = random_rotations(1, seed=7)[:, 3]
        changed = (critic(moved, betas)[0] != before).nonzero().flatten().tolist()
        assert changed == [k, 23]
    changed = (critic(R, betas + 1)[0] != before).nonzero().flatten().tolist()
    assert changed == [24]


def test_from_theta_agrees_with_scipy_and_ignores_camera_and_root(critic):
    theta = torch.randn(5, 85, dtype=torch.float64)
    pose = theta[:, 3:75].reshape(5 * 24, 3).numpy()
    R = torch.from_numpy(Rotation.from_rotvec(pose).as_matrix()).reshape(5, 24, 3, 3)
    out = critic.from_theta(theta)
    torch.testing.assert_close(out, critic(R[:, 1:], theta[:, 75:]), rtol=1e-9, atol=1e-9)
    other = theta.clone()
    other[:, :6] = torch.randn(5, 6, dtype=torch.float64)
    assert torch.equal(critic.from_theta(other), out)
    # Rotations by 2 pi - a about -axis are the same rotations.
    angle = theta[:, 6:75].unflatten(1, (23, 3)).norm(dim=-1, keepdim=True)
    turned = theta.clone()
    turned[:, 6:75] *= (1 - 2 * math.pi / angle).expand(5, 23, 3).flatten(1)
    torch.testing.assert_close(critic.from_theta(turned), out, rtol=1e-9, atol=1e-9)


def test_gradients(critic):
    small = Discriminator(features=3, hidden=4).double()
    R = random_rotations(2).requires_grad_()
    betas = random_betas(2).requires_grad_()
    assert torch.autograd.gradcheck(small, (R, betas))
    critic(random_rotations(2), random_betas(2)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in critic.parameters())


def test_wrong_shapes_are_named(critic, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    with_root = torch.eye(3, dtype=torch.float64).expand(2, 24, 3, 3)
    with pytest.raises(ValueError, match=r"no root.*\[2, 24, 3, 3\]"):
        critic(with_root, random_betas(2))
    with pytest.raises(ValueError, match=r"\[2, 11\]"):
        critic(with_root[:, 1:], torch.zeros(2, 11).double())
