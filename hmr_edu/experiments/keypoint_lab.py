"""The quick laboratory: HMR without pictures, from keypoints that a detector might have found.

Most claims about HMR are about what comes after the encoder. Here the features are 19 noisy 2D
keypoints; regression, body, losses and adversary are the package's. A training takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.encoder.heads import Features
from hmr_edu.experiments.cameras import CameraKind, apply_camera
from hmr_edu.experiments.critics import CriticKind, build_critics
from hmr_edu.experiments.people import People, draw_people, mean_person
from hmr_edu.hmr import Prediction, predict_bodies
from hmr_edu.io.ranges import Many, Range, Seed
from hmr_edu.io.weights import Hidden, Iterations
from hmr_edu.regressor import ThetaRegressor
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.adversarial import Adversary, adversarial_step
from hmr_edu.training.config import LossConfig, OptimizerConfig
from hmr_edu.training.muon import Muon, hidden_matrices
from hmr_edu.training.objective import needs_vertices, supervised_losses
from hmr_edu.training.optimizers import learning_rate, set_learning_rate

TRAIN_SEED, REAL_SEED = 0, 1
# Label images and points of the surface, for the loss terms that read them.
PIXELS, DENSE = 64, 100


@dataclass
class LiftConfig:
    """A training of the regressor alone."""

    # Samples to learn from, drawn from `people` different people, again and again.
    images: Annotated[int, Range(1, 2**53)] = 10_240
    people: Many = 8_000
    batch_size: Annotated[int, Range(1, 65_536)] = 32
    seed: Seed = 0
    # How far off a detected keypoint is: standard deviation in half-crops.
    noise: Annotated[float, Range(0, 100)] = 0.02
    mode: Literal["paired", "unpaired", "2d-only"] = "paired"
    iterations: Iterations = 3
    share_weights: bool = True
    hidden: Hidden = 256
    # False: nothing between the regressor's linear layers, as in SPIN, VIBE and CLIFF.
    relu: bool = True
    loss: LossConfig = field(
        default_factory=lambda: LossConfig(
            keypoints2d=10.0, keypoints3d=10.0, pose=10.0, betas=0.02, adversary=0.2
        )
    )
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            learning_rate=4e-3, critic_learning_rate=1e-3, warmup=50
        )
    )
    critics: CriticKind = "factorized"
    # Units of the critic's hidden layers; the paper's 1024 cost more than all the rest here.
    critic_hidden: Hidden = 128
    critic_relu: bool = True
    # Bodies of motion capture that the critics get to see.
    real_bodies: Many = 10_000
    camera: CameraKind = "direct"
    # 1 / focal length of the people's pictures, in half-crops, from and to.
    inverse_focal: Annotated[tuple[float, float], Range(0, 100, ordered=True)] = (0.02, 0.4)


class Lifter(nn.Module):
    """HMR's regressor and body, with 2D keypoints for features."""

    mean: Tensor
    spread: Tensor

    def __init__(self, config: LiftConfig, people: People) -> None:
        super().__init__()
        self.camera = config.camera
        raw = self._raw(people)
        self.register_buffer("mean", raw.mean(0))
        self.register_buffer("spread", raw.std(0))
        self.regressor = ThetaRegressor(
            raw.shape[1],
            config.iterations,
            config.share_weights,
            mean_theta=mean_person(TRAIN_SEED, config.inverse_focal),
            representation="6d",
            hidden=config.hidden,
            dropout=0.0,
        )
        if not config.relu:
            for perceptron in self.regressor.perceptrons:
                for position in ("1", "4"):
                    perceptron.set_submodule(position, nn.Identity())
        self.body = load_body("lite")

    def _raw(self, people: People) -> Float[Tensor, "people features"]:
        raw = people.detected.flatten(1)
        known_lens = self.camera == "perspective"
        return torch.cat((raw, 1 / people.focal[:, None]), dim=1) if known_lens else raw

    def forward(
        self, people: People, iterations: int | None = None, vertices: bool = False
    ) -> list[Prediction]:
        """Return the bodies of every step, first to last."""
        features = (self._raw(people) - self.mean) / self.spread
        steps = predict_bodies(self.regressor.iterate(features, iterations), self.body, vertices)
        return [apply_camera(self.camera, step, people.box, people.focal) for step in steps]


def real_bodies(count: int) -> tuple[Tensor, Tensor]:
    """Draw bodies of motion capture for the critics: rotations [count, 23, 3, 3] and betas."""
    g = torch.Generator().manual_seed(REAL_SEED)
    pose = load_pose_prior().sample(count, g)
    rotations = axis_angle_to_matrix(pose[:, 3:].unflatten(1, (23, 3)))
    return rotations, torch.randn(count, 10, generator=g)


def train_lifter(config: LiftConfig) -> Lifter:
    """Train a regressor and, where there is an adversary, its critics, taking turns."""
    loss = config.loss
    pictured = loss.silhouette or loss.part_silhouettes or loss.dense
    people = draw_people(
        config.people,
        TRAIN_SEED,
        config.inverse_focal,
        config.noise,
        pixels=PIXELS if pictured else 0,
        dense=DENSE if loss.dense else 0,
    )
    torch.manual_seed(config.seed)
    lifter = Lifter(config, people)
    discriminator, counts = build_critics(config.critics, config.critic_hidden, config.critic_relu)
    real_rotations, real_betas = real_bodies(config.real_bodies)
    optimizers = _optimizers(lifter.regressor, config.optimizer)
    critic_optimizer = torch.optim.Adam(
        discriminator.parameters(), config.optimizer.critic_learning_rate, fused=True
    )
    adversary = None
    if config.loss.adversary > 0 and config.mode != "2d-only":
        adversary = Adversary(discriminator, critic_optimizer, counts)
    g = torch.Generator().manual_seed(config.seed)
    steps = config.images // config.batch_size

    def draw_real_bodies() -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(real_betas), (config.batch_size,), generator=g)
        return real_rotations[rows], real_betas[rows]

    for step in tqdm(range(steps), unit="step", leave=False, disable=None):
        batch = people[torch.randint(len(people), (config.batch_size,), generator=g)]
        labels = batch.labels
        if config.mode != "paired":
            labels = labels.without_labels(theta=True, keypoints3d=True, parts=True)
        predictions = lifter(batch, vertices=needs_vertices(config.loss))
        losses = supervised_losses(
            predictions, Features(batch.detected.flatten(1)), labels, config.loss, lifter.body
        )
        set_learning_rate(optimizers, learning_rate(config.optimizer, step, step / steps))
        adversarial_step(
            lifter,
            optimizers,
            predictions,
            losses,
            config.loss.weights,
            adversary=adversary,
            real_bodies=draw_real_bodies if step % config.optimizer.critic_every == 0 else None,
            clip=config.optimizer.clip,
        )
    return lifter.eval()


def _optimizers(regressor: ThetaRegressor, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Muon for hidden weights, AdamW for the rest; or AdamW alone."""
    matrices = []
    if config.method == "muon":
        matrices = hidden_matrices(regressor, regressor.output_layers)
    hidden = set(matrices)
    rest = [p for p in regressor.parameters() if p not in hidden]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, weight_decay=config.weight_decay, fused=True)
    ]
    if matrices:
        optimizers.append(Muon(matrices, config.learning_rate, weight_decay=config.weight_decay))
    return optimizers
