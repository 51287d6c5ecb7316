"""Time the parts of a training step: each by what the step costs more with it than without."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from hmr_edu.cli.bench_timing import milliseconds
from hmr_edu.data.batch import Batch
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.io.errors import DataError
from hmr_edu.io.tables import number_cell, text_table
from hmr_edu.training.loop import Trainer
from hmr_edu.training.objective import needs_vertices
from hmr_edu.training.presets import PRESETS

OPTIMISERS = "optimisers (the same for any batch)"


@dataclass
class StepShares:
    """The milliseconds of a training step with `batch` pictures, part by part."""

    batch: int
    milliseconds: dict[str, float]

    def at(self, batch: int) -> StepShares:
        """Scale the parts to another number of pictures: calculated, not measured."""
        factor = batch / self.batch
        scaled = {k: t if k == OPTIMISERS else factor * t for k, t in self.milliseconds.items()}
        return StepShares(batch, scaled)

    @property
    def beside_backbone(self) -> float:
        """Share of the step outside the backbone, in [0, 1]."""
        return 1 - self.milliseconds["backbone"] / sum(self.milliseconds.values())

    def __str__(self) -> str:
        """Format the parts as a table, with the share outside the backbone below it."""
        total = sum(self.milliseconds.values())
        rows = [["", "ms", "%"]]
        for name, time in self.milliseconds.items():
            rows.append([name, number_cell(time, 2), number_cell(time / total, factor=100)])
        rest = f"everything but the backbone: {100 * self.beside_backbone:.1f} %"
        return f"{text_table(rows)}\n{rest}"


def step_shares(
    preset: str, seconds: float, batch: int | None = None, device: str = "cpu"
) -> StepShares:
    """Time the parts of a preset's training step, forward and backward.

    Poses and rasterisation are computed on the CPU in any case; with a GPU, workers do it at the
    same time. Raises KeyError on an unknown preset, DataError when there is no such device.

    Args:
        preset: name of the preset.
        seconds: time spent on each measurement.
        batch: pictures in the step; the preset's own number if None.
        device: where the step is computed.
    """
    config = PRESETS[preset]()
    batch = batch or config.data.batch_size
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            dataclasses.replace(
                config,
                out=Path(folder),
                device=device,
                threads=torch.get_num_threads(),
                data=dataclasses.replace(config.data, batch_size=batch),
            )
        )
    scene = trainer.source.prepare(0)
    people = trainer.source.finish(scene, device)
    if not isinstance(trainer.network().encoder, Encoder):
        raise DataError("the bench measures encoders of pictures")
    parts = network_parts(trainer, people, seconds)
    network = sum(parts.values())
    without, with_critics = (_step(trainer, people, seconds, each) for each in (False, True))
    # After a step, which leaves gradients: without these an optimiser does nothing.
    optimisers = milliseconds(lambda: [o.step() for o in trainer.optimizers], seconds)
    return StepShares(
        batch,
        parts
        | {
            "losses": max(0.0, without - network - optimisers),
            "critics": max(0.0, with_critics - without),
            OPTIMISERS: optimisers,
            "pose and rasterise": milliseconds(lambda: trainer.source.prepare(0), seconds),
            "dress and photograph": milliseconds(
                lambda: trainer.source.finish(scene, device), seconds
            ),
        },
    )


def network_parts(trainer: Trainer, people: Batch, seconds: float) -> dict[str, float]:
    """Time backbone, head, and regressor with body, forward and backward, in the step's precision.

    What comes after a part is a sum, whose gradients cost next to nothing.
    """
    network = trainer.network()
    encoder = network.encoder
    assert isinstance(encoder, Encoder)
    images = people.images.contiguous(memory_format=torch.channels_last)
    vertices = needs_vertices(trainer.config.loss)

    def backbone() -> list[torch.Tensor]:
        return list(encoder.backbone(images))

    def whole_encoder() -> list[torch.Tensor]:
        return _learned(vars(encoder(images)).values())

    def everything() -> list[torch.Tensor]:
        steps, features = network(*people.inputs, vertices=vertices, return_features=True)
        return _learned(value for part in (vars(features).values(), *steps) for value in part)

    times = []
    for call in (backbone, whole_encoder, everything):

        def forward_and_backward(call=call) -> None:
            network.zero_grad()
            with trainer.accelerator.autocast():
                loss = sum(value.float().mean() for value in call())
            assert isinstance(loss, torch.Tensor)
            loss.backward()

        times.append(milliseconds(forward_and_backward, seconds))
    return {
        "backbone": times[0],
        "head": max(0.0, times[1] - times[0]),
        "regressor and body": max(0.0, times[2] - times[1]),
    }


def _learned(values: Iterable[object]) -> list[torch.Tensor]:
    """Return the tensors that have a gradient."""
    return [value for value in values if isinstance(value, torch.Tensor) and value.requires_grad]


def _step(trainer: Trainer, people: Batch, seconds: float, critics: bool) -> float:
    """Time whole steps, with the critics or without, in milliseconds each."""
    loss, turn = trainer.config.loss, trainer.config.optimizer.critic_every
    trainer.config.loss = loss if critics else dataclasses.replace(loss, adversary=0.0)

    def steps() -> None:
        # The critics learn on every n-th step only.
        for _ in range(turn):
            trainer.train_step(people)
            trainer.step += 1

    time = milliseconds(steps, seconds) / turn
    trainer.config.loss = loss
    return time
