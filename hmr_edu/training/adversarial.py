"""The adversarial step: network and discriminator take turns (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from hmr_edu.data.synthetic.people import PoseSource
from hmr_edu.discriminator import lsgan_discriminator_loss, lsgan_encoder_loss
from hmr_edu.hmr import Prediction
from hmr_edu.rotations import axis_angle_to_matrix

# Joints whose rotations retargeted mocap does not measure (feet, collars, hands). There they are
# nearly zero, so their critics could tell real bodies from predictions by them alone.
UNMEASURED_JOINTS = (10, 11, 13, 14, 22, 23)

# Rotations [bodies, 23, 3, 3] and betas [bodies, 10].
Bodies = tuple[Tensor, Tensor]


def critic_weights() -> Float[Tensor, "25"]:
    """Return the weights of the 25 critics: 0 for joints that mocap does not measure, else 1."""
    weights = torch.ones(25)
    # The critics leave the root out, so joint j is output j - 1.
    weights[[joint - 1 for joint in UNMEASURED_JOINTS]] = 0
    return weights


def fakes(
    predictions: list[Prediction],
) -> tuple[Float[Tensor, "fakes 23 3 3"], Float[Tensor, "fakes 10"]]:
    """Return the critics' input for the predictions: all steps, without root and camera."""
    rotations = torch.cat([p.rotations[:, 1:] for p in predictions])
    return rotations, torch.cat([p.betas for p in predictions])


def draw_real_bodies(
    poses: PoseSource, number: int, spread: float | int, seed: int, device: torch.device
) -> Bodies:
    """Draw the critics' real bodies: poses of a source, betas of the population times `spread`."""
    g = torch.Generator().manual_seed(seed)
    drawn = poses.sample(number, g).view(number, 24, 3)[:, 1:]
    betas = spread * torch.randn(number, 10, generator=g)
    drawn, betas = (t.to(device, non_blocking=True) for t in (drawn, betas))
    return axis_angle_to_matrix(drawn), betas


@runtime_checkable
class Engine(Protocol):
    """The part of accelerate's `Accelerator` that a step needs."""

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> object:
        """Limit the norm of all gradients together."""

    def unwrap_model(self, model: nn.Module) -> nn.Module:
        """Return the network without its wrapper for several processes."""
        ...


class OneProcess:
    """An `Engine` for one process in full precision."""

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        loss.backward()

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> object:
        """Limit the norm of all gradients together."""
        return clip_grad_norm_(parameters, max_norm)

    def unwrap_model(self, model: nn.Module) -> nn.Module:
        """Return the network itself."""
        return model


@dataclass
class Adversary:
    """The discriminator of a run, its optimiser, and how much each critic counts."""

    discriminator: nn.Module
    optimizer: torch.optim.Optimizer
    weights: Float[Tensor, " critics"] = field(default_factory=critic_weights)


def adversarial_step(
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    predictions: list[Prediction],
    losses: Mapping[str, Float[Tensor, ""]],
    weights: Mapping[str, float],
    *,
    adversary: Adversary | None = None,
    real_bodies: Callable[[], Bodies] | None = None,
    clip: float = 0.0,
    engine: Engine | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Update the network once and, when real bodies are given, the discriminator once.

    Returns the losses, detached: those given, "adversary" (the encoder's LSGAN term) and
    "critics" (the discriminator's own, where it learned).

    Args:
        model: the network; only its gradients are clipped.
        optimizers: the network's; learning rates are set already.
        predictions: the bodies of every regression step, with their graph.
        losses: the supervised terms.
        weights: weight of each term, and of "adversary".
        adversary: None for training without one.
        real_bodies: called after the network's update; None when it is not the critics' turn.
        clip: largest gradient norm; 0 for no limit.
        engine: accelerate's `Accelerator` where there is one.
    """
    engine = engine or OneProcess()
    losses = dict(losses)
    if adversary is not None:
        weight_of_critic = adversary.weights.to(predictions[0].betas.device, non_blocking=True)
        # The critics only score here and do not learn: their weights need no gradients, and
        # the wrapper for several processes, which would wait for these, is left out.
        adversary.discriminator.requires_grad_(False)
        outputs = engine.unwrap_model(adversary.discriminator)(*fakes(predictions))
        losses["adversary"] = lsgan_encoder_loss(outputs, weight_of_critic)
    for optimizer in optimizers:
        optimizer.zero_grad()
    engine.backward(sum(weights[name] * loss for name, loss in losses.items()))  # type: ignore
    if clip:
        engine.clip_grad_norm_(model.parameters(), clip)
    for optimizer in optimizers:
        optimizer.step()

    if adversary is not None and real_bodies is not None:
        adversary.discriminator.requires_grad_(True)
        losses["critics"] = _discriminator_loss(
            adversary.discriminator, real_bodies(), fakes(predictions), weight_of_critic
        )
        adversary.optimizer.zero_grad()
        engine.backward(losses["critics"])
        adversary.optimizer.step()
    return {name: loss.detach() for name, loss in losses.items()}


def _discriminator_loss(
    discriminator: nn.Module, real: Bodies, fake: Bodies, weight_of_critic: Tensor
) -> Float[Tensor, ""]:
    """Return the loss of the discriminator on real and predicted bodies.

    Args:
        discriminator: the network of critics.
        real: real bodies.
        fake: predicted bodies; detached here.
        weight_of_critic: how much each critic counts.
    """
    # Real and predicted bodies in one batch: two batches take longer.
    parts = [torch.cat((r, f.detach())) for r, f in zip(real, fake, strict=True)]
    outputs = discriminator(*parts)
    return lsgan_discriminator_loss(*outputs.split((len(real[1]), len(fake[1]))), weight_of_critic)
