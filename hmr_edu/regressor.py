"""Iterative error feedback (paper, section 3.2): theta <- theta + f([features, theta]).

One step cannot map pixels to body and camera. The regressor starts from the mean theta and corrects
it a few times. Each step reads the same features and the current theta.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.io.precision import at_least
from hmr_edu.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from hmr_edu.theta import THETA_SIZE, join_theta, mean_theta, split_theta

NUM_JOINTS = 24
ACTIVATIONS = {"relu": nn.ReLU, "none": nn.Identity}
ROTATION_SIZE = {"axis_angle": 3, "6d": 6}  # numbers for one joint in the state


@dataclass(frozen=True, eq=False)
class RegressionStep:
    """The body of one regression step. Losses use `rotations`; `theta` is for reading.

    With a 6D state theta needs the logarithm of the rotations. Its gradient is bad near pi, where
    the root of every upright person is. So theta is computed only when it is first read.
    """

    camera: Float[Tensor, "batch 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    pose: Float[Tensor, "batch 72"] | None = None

    @classmethod
    def from_theta(cls, theta: Float[Tensor, "batch 85"]) -> RegressionStep:
        """Make a step from theta; its pose becomes rotation matrices."""
        camera, pose, betas = split_theta(theta)
        return cls(camera, axis_angle_to_matrix(pose.unflatten(1, (NUM_JOINTS, 3))), betas, pose)

    @classmethod
    def join(cls, steps: Sequence[RegressionStep]) -> RegressionStep:
        """Join the bodies of several steps into one batch."""
        camera, rotations, betas = (
            torch.cat([getattr(step, name) for step in steps])
            for name in ("camera", "rotations", "betas")
        )
        poses = [step.pose for step in steps if step.pose is not None]
        return cls(camera, rotations, betas, torch.cat(poses) if poses else None)

    @property
    def theta(self) -> Float[Tensor, "batch 85"]:
        """Camera, axis-angle pose and betas, [B, 85]."""
        # Kept by hand: `torch.compile` cannot enter the lock of Python 3.11's `cached_property`.
        kept = self.__dict__
        if "_theta" not in kept:
            pose = self.pose
            if pose is None:
                pose = matrix_to_axis_angle(self.rotations).flatten(1)
            kept["_theta"] = join_theta(self.camera, pose, self.betas)
        return kept["_theta"]


class ThetaRegressor(nn.Module):
    """The iterative regressor: features [B, F] in, one theta out for every step.

    Each step is a perceptron F + 85 -> 1024 -> 1024 -> 85, with ReLU and dropout after both hidden
    layers. Its last layer starts near zero, so training starts from the mean. Public code (SPIN,
    VIBE, CLIFF, mmhuman3d) has no non-linearity between the hidden layers, so its two layers can do
    no more than one; `activation="none"` does the same.

    Raises ValueError on an unknown representation or activation, on less than one step, and when
    the mean has another shape.

    Args:
        feature_dim: numbers in the feature vector of an image, F.
        iterations: regression steps.
        share_weights: one perceptron for all steps, as in every public code base, or one for each;
            3,321,941 or 9,965,823 parameters at 2048 features and 3 steps.
        mean_theta: the theta [85] that the steps start from; `hmr_edu.theta.mean_theta` if None.
        learn_mean: train that theta, as akanazawa/hmr does.
        representation: "axis_angle", or "6d": rotations are then two matrix columns in the state of
            157 numbers (Zhou et al. 2019). Axis-angle has a cut at pi, where the root of a person
            who faces away jumps. The output is the same 85 numbers.
        hidden: units in each hidden layer.
        dropout: share of the hidden units that training leaves out.
        activation: what follows each hidden layer: "relu", or "none" as in SPIN.
    """

    def __init__(
        self,
        feature_dim: int = 2048,
        iterations: int = 3,
        share_weights: bool = True,
        mean_theta: Tensor | None = None,
        learn_mean: bool = False,
        representation: str = "axis_angle",
        hidden: int = 1024,
        dropout: float = 0.5,
        activation: str = "relu",
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        if representation not in ROTATION_SIZE:
            raise ValueError(
                f"representation must be one of {', '.join(ROTATION_SIZE)}, got {representation!r}"
            )
        _check_iterations(iterations)
        self.feature_dim = feature_dim
        self.iterations = iterations
        self.share_weights = share_weights
        self.representation = representation
        self.pose_size = NUM_JOINTS * ROTATION_SIZE[representation]

        state = _initial_state(mean_theta, representation)
        if learn_mean:
            self.mean_state = nn.Parameter(state)
        else:
            self.register_buffer("mean_state", state)
        self.perceptrons = nn.ModuleList(
            _perceptron(feature_dim, len(state), hidden, dropout, activation)
            for _ in range(1 if share_weights else iterations)
        )

    @property
    def output_layers(self) -> list[nn.Module]:
        """The last layer of each perceptron, which gives the correction."""
        return [list(perceptron.children())[-1] for perceptron in self.perceptrons]

    def forward(
        self, features: Float[Tensor, "batch features"], iterations: int | None = None
    ) -> list[Float[Tensor, "batch 85"]]:
        """Return theta after every step, first to last; errors as in `iterate`."""
        return [step.theta for step in self.iterate(features, iterations)]

    def iterate(
        self, features: Float[Tensor, "batch features"], iterations: int | None = None
    ) -> list[RegressionStep]:
        """Return every step with its rotation matrices, which is what to train on.

        `iterations` takes more or fewer steps than the regressor was built for. Raises ValueError
        when there are not `feature_dim` features, and on another number of steps without
        shared weights.

        A network of half precision computes its corrections in half precision. Their sum is
        float32.
        """
        if features.shape[1:] != (self.feature_dim,):
            raise ValueError(
                f"features must be [B, {self.feature_dim}], got {list(features.shape)}"
            )
        iterations = self.iterations if iterations is None else iterations
        _check_iterations(iterations)
        if self.share_weights:
            perceptrons = [self.perceptrons[0]] * iterations
        elif iterations == self.iterations:
            perceptrons = list(self.perceptrons)
        else:
            raise ValueError(
                f"a regressor of {self.iterations} steps with weights of their own cannot take "
                f"{iterations}; share_weights=True can"
            )
        dtype = self.mean_state.dtype
        state = self.mean_state.to(at_least(dtype)).expand(len(features), -1)
        steps = []
        for perceptron in perceptrons:
            state = state + perceptron(torch.cat((features, state), dim=1).to(dtype))
            steps.append(self.read(state))
        return steps

    def read(self, state: Float[Tensor, "batch state"]) -> RegressionStep:
        """Convert a state into its body: camera, rotation matrices, betas."""
        if self.representation == "axis_angle":
            return RegressionStep.from_theta(state)
        camera, columns, betas = state.split((3, self.pose_size, 10), dim=1)
        rotations = rotation_6d_to_matrix(columns.unflatten(1, (NUM_JOINTS, 6)))
        return RegressionStep(camera, rotations, betas)


def _perceptron(
    features: int, state: int, hidden: int, dropout: float, activation: str
) -> nn.Sequential:
    """Build the perceptron of a regression step.

    Args:
        features: numbers in the feature vector.
        state: numbers in the state, which is also the size of the output.
        hidden: units in each hidden layer.
        dropout: share of the hidden units that training leaves out.
        activation: what follows each hidden layer.
    """
    last = nn.Linear(hidden, state)
    # As in SPIN; akanazawa/hmr has a variance scaling of 0.01. Small, not zero: gradients flow.
    nn.init.xavier_uniform_(last.weight, gain=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(features + state, hidden),
        ACTIVATIONS[activation](),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        ACTIVATIONS[activation](),
        nn.Dropout(dropout),
        last,
    )


def _initial_state(theta: Tensor | None, representation: str) -> Float[Tensor, " state"]:
    theta = (
        mean_theta() if theta is None else theta.detach().to(torch.get_default_dtype(), copy=True)
    )
    if theta.shape != (THETA_SIZE,):
        raise ValueError(f"mean_theta must be [{THETA_SIZE}], got {list(theta.shape)}")
    if representation == "axis_angle":
        return theta
    camera, pose, betas = split_theta(theta)
    columns = matrix_to_rotation_6d(axis_angle_to_matrix(pose.unflatten(0, (NUM_JOINTS, 3))))
    return torch.cat((camera, columns.flatten(), betas))


def _check_iterations(iterations: int) -> None:
    if iterations < 1:
        raise ValueError(f"the regressor takes at least 1 step, got {iterations}")
