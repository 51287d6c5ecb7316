"""Iterative regression: parameter counts, the recurrence by hand, and both representations."""

import math

import jaxtyping
import pytest
import torch
from scipy.spatial.transform import Rotation

from hmr_edu.regressor import RegressionStep, ThetaRegressor
from hmr_edu.theta import mean_theta

# Small ones for all that does not depend on size.
SMALL = {"feature_dim": 7, "hidden": 16}


def loud(regressor):
    """Make the last layers big enough to move far from the mean."""
    torch.manual_seed(3)
    for perceptron in regressor.perceptrons:
        torch.nn.init.normal_(perceptron[-1].weight, std=0.3)
    return regressor


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 3_321_941),
        ({"share_weights": False}, 9_965_823),
        ({"learn_mean": True}, 3_321_941 + 85),
        # 72 numbers more in and out: 72 * 1024 + 72 * 1024 + 72.
        ({"representation": "6d"}, 3_321_941 + 147_528),
        ({"share_weights": False, "iterations": 2}, 2 * 3_321_941),
    ],
    ids=str,
)
def test_parameters(options, count):
    assert sum(p.numel() for p in ThetaRegressor(**options).parameters()) == count


@pytest.mark.parametrize(("representation", "numbers"), [("axis_angle", 72), ("6d", 144)])
@pytest.mark.parametrize("share_weights", [True, False])
def test_the_last_layers_give_the_state(representation, numbers, share_weights):
    """Optimisers treat these layers apart: they must be those that give camera, pose and betas."""
    regressor = ThetaRegressor(**SMALL, representation=representation, share_weights=share_weights)
    assert regressor.pose_size == numbers
    assert [layer.out_features for layer in regressor.output_layers] == (
        [3 + numbers + 10] * (1 if share_weights else 3)
    )


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
@pytest.mark.parametrize("share_weights", [True, False])
def test_starts_near_the_mean_and_returns_every_step(representation, share_weights):
    torch.manual_seed(0)
    regressor = ThetaRegressor(
        256, representation=representation, share_weights=share_weights
    ).eval()
    steps = regressor.iterate(torch.randn(4, 256))
    assert len(steps) == 3
    pose = mean_theta()[3:75].reshape(24, 3).numpy()
    mean_rotations = torch.from_numpy(Rotation.from_rotvec(pose).as_matrix()).float()
    for step in steps:
        assert (step.rotations - mean_rotations).abs().max() < 0.05
        assert (step.camera - torch.tensor([0.9, 0, 0])).abs().max() < 0.05
        assert step.betas.abs().max() < 0.05
        assert step.theta.shape == (4, 85)
    assert not torch.equal(steps[0].camera, steps[1].camera)


@pytest.mark.parametrize("share_weights", [True, False])
def test_recurrence_by_hand(share_weights):
    torch.manual_seed(0)
    regressor = loud(ThetaRegressor(**SMALL, share_weights=share_weights)).double().eval()
    features = torch.randn(5, 7, dtype=torch.float64)
    theta = mean_theta().double().expand(5, 85)
    thetas = regressor(features)
    for i, ours in enumerate(thetas):
        fc1, _, _, fc2, _, _, fc3 = regressor.perceptrons[0 if share_weights else i]
        x = torch.cat((features, theta), 1)
        x = (x @ fc1.weight.T + fc1.bias).clamp(min=0)
        x = (x @ fc2.weight.T + fc2.bias).clamp(min=0)
        theta = theta + x @ fc3.weight.T + fc3.bias
        torch.testing.assert_close(ours, theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
def test_theta_and_rotations_are_one_body(representation):
    regressor = loud(ThetaRegressor(**SMALL, representation=representation)).double().eval()
    for step in regressor.iterate(torch.randn(6, 7, dtype=torch.float64)):
        assert torch.equal(step.theta[:, :3], step.camera)
        assert torch.equal(step.theta[:, 75:], step.betas)
        rotvec = step.theta[:, 3:75].detach().reshape(-1, 3).numpy()
        R = torch.from_numpy(Rotation.from_rotvec(rotvec).as_matrix()).reshape(6, 24, 3, 3)
        torch.testing.assert_close(step.rotations.detach(), R, rtol=0, atol=1e-9)
        assert step.theta is step.theta  # computed once


def test_6d_state_is_two_columns():
    regressor = ThetaRegressor(**SMALL, representation="6d")
    assert regressor.mean_state.shape == (157,)
    assert regressor.mean_state[:3].tolist() == pytest.approx([0.9, 0, 0])
    # Rx(pi) has the columns (1, 0, 0) and (0, -1, 0); the other joints the identity's.
    assert regressor.mean_state[3:9].tolist() == pytest.approx([1, 0, 0, 0, -1, 0], abs=1e-6)
    assert regressor.mean_state[9:15].tolist() == pytest.approx([1, 0, 0, 0, 1, 0], abs=1e-6)


def test_more_and_fewer_steps():
    regressor = loud(ThetaRegressor(**SMALL)).eval()
    features = torch.randn(2, 7)
    five = regressor(features, iterations=5)
    assert len(five) == 5
    for k in (1, 3):
        for ours, theirs in zip(regressor(features, iterations=k), five[:k], strict=True):
            assert torch.equal(ours, theirs)
    own = ThetaRegressor(**SMALL, share_weights=False)
    assert len(own(features, iterations=3)) == 3
    with pytest.raises(ValueError, match="3 steps with weights of their own cannot take 5"):
        own(features, iterations=5)


def test_same_steps_in_training_dropout_apart():
    features = torch.randn(2, 7)
    still = loud(ThetaRegressor(**SMALL, dropout=0.0))
    assert all(map(torch.equal, still.train()(features), still.eval()(features)))
    wild = loud(ThetaRegressor(**SMALL)).train()
    assert not torch.equal(wild(features)[0], wild(features)[0])
    assert len(wild(features)) == 3


def test_mean_is_a_buffer_or_a_parameter():
    fixed, trained = ThetaRegressor(**SMALL), ThetaRegressor(**SMALL, learn_mean=True)
    assert fixed.state_dict().keys() == trained.state_dict().keys()  # files interchange
    assert "mean_state" in dict(fixed.named_buffers())
    trained(torch.randn(2, 7))[0].sum().backward()
    assert trained.mean_state.grad.abs().min() > 0
    given = torch.linspace(-1, 1, 85)
    regressor = ThetaRegressor(**SMALL, mean_theta=given)
    given.zero_()  # ours is a copy
    assert regressor.mean_state.tolist() == torch.linspace(-1, 1, 85).tolist()


def test_training_on_rotations_never_takes_the_logarithm(monkeypatch):
    def never(matrix):
        raise AssertionError

    monkeypatch.setattr("hmr_edu.regressor.matrix_to_axis_angle", never)
    regressor = ThetaRegressor(**SMALL, representation="6d")
    step = regressor.iterate(torch.randn(2, 7))[-1]
    (step.rotations.sum() + step.betas.sum() + step.camera.sum()).backward()
    grads = [p.grad for p in regressor.parameters()]
    assert all(grad.isfinite().all() for grad in grads)
    with pytest.raises(AssertionError):
        _ = step.theta


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
def test_gradients_at_the_mean_where_the_root_is_at_pi(representation):
    torch.manual_seed(1)
    regressor = ThetaRegressor(3, iterations=2, hidden=4, representation=representation)
    regressor = regressor.double().eval()

    def rotations_of(features):
        step = regressor.iterate(features)[-1]
        return step.rotations[:, :2].flatten(1), step.camera, step.betas

    features = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotations_of, (features,))


def test_step_from_theta():
    theta = mean_theta()[None].double()
    step = RegressionStep.from_theta(theta)
    expected = torch.from_numpy(Rotation.from_euler("x", math.pi).as_matrix())
    torch.testing.assert_close(step.rotations[0, 0], expected, rtol=0, atol=1e-6)
    assert torch.equal(step.theta, theta)


def turned(yaw):
    """Upright people in the camera frame, turned by yaw; 0 faces us, pi shows the back."""
    turns = Rotation.from_rotvec(yaw[:, None].numpy() * [0, 1, 0])
    return torch.from_numpy((Rotation.from_euler("x", math.pi) * turns).as_matrix()).float()


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
def test_only_6d_turns_through_the_back(representation):
    """Taught 128 yaws from their sine and cosine, asked for 2001: axis-angle tears at the back."""
    torch.manual_seed(0)
    regressor = ThetaRegressor(2, hidden=64, dropout=0.0, representation=representation)
    optimiser = torch.optim.Adam(regressor.parameters(), 3e-3)

    def roots(yaw):
        features = torch.stack((yaw.sin(), yaw.cos()), 1)
        return [step.rotations[:, 0] for step in regressor.iterate(features)]

    yaw = torch.linspace(-math.pi, math.pi, 129)[:-1]
    for _ in range(100):
        loss = sum((root - turned(yaw)).square().mean() for root in roots(yaw))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    yaw = torch.linspace(-math.pi, math.pi, 2001)
    with torch.no_grad():
        off = (roots(yaw)[-1].mT @ turned(yaw)).double().numpy()
    worst = math.degrees(Rotation.from_matrix(off).magnitude().max())
    assert worst < 5 if representation == "6d" else worst > 90


def test_wrong_arguments_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    with pytest.raises(ValueError, match="quaternion"):
        ThetaRegressor(**SMALL, representation="quaternion")
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        ThetaRegressor(**SMALL, iterations=0)
    with pytest.raises(ValueError, match=r"\[85\], got \[82\]"):
        ThetaRegressor(**SMALL, mean_theta=torch.zeros(82))
    regressor = ThetaRegressor(**SMALL)
    with pytest.raises(ValueError, match=r"\[B, 7\], got \[2, 8\]"):
        regressor(torch.zeros(2, 8))
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        regressor(torch.zeros(2, 7), iterations=0)
