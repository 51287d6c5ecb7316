"""Time the network that reads 2D keypoints: poses a second in training, bodies in prediction."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hmr_edu.cli.bench_timing import milliseconds
from hmr_edu.data.source import BatchSource
from hmr_edu.hmr import HMR
from hmr_edu.io.tables import number_cell, text_table
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import PRESETS

KEYPOINT_PRESETS = ("keypoints-quick", "keypoints")
# People who are predicted at once: a live picture, and a file of many.
AT_ONCE = (1, 256)


@dataclass
class Speed:
    """The milliseconds of a call that deals with `people` of them."""

    what: str
    people: int
    milliseconds: float

    @property
    def per_second(self) -> float:
        """People a second."""
        return 1e3 * self.people / self.milliseconds


def keypoint_speeds(seconds: float, device: str = "cpu") -> list[Speed]:
    """Time training steps and predictions of the presets that read keypoints.

    A training step includes making its people, on the CPU. Raises DataError without the device.

    Args:
        seconds: time spent on each measurement.
        device: where the steps are computed.
    """
    speeds = []
    for preset in KEYPOINT_PRESETS:
        config = PRESETS[preset]()
        threads = torch.get_num_threads()
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                dataclasses.replace(config, out=Path(folder), device=device, threads=threads)
            )
        n = config.data.batch_size
        step = milliseconds(training_step(trainer, trainer.source, device), seconds)
        speeds.append(Speed(f"{preset}, training step of {n:,} poses", n, step))
        for people in AT_ONCE:
            time = milliseconds(prediction(trainer.network(), trainer.source, people), seconds)
            speeds.append(Speed(f"{preset}, prediction, batch {people}", people, time))
    return speeds


def training_step(trainer: Trainer, source: BatchSource, device: str) -> Callable[[], None]:
    """Return a call that draws the next batch and trains on it."""

    def step() -> None:
        trainer.train_step(source.finish(source.prepare(trainer.step), device))
        trainer.step += 1

    return step


def prediction(model: HMR, source: BatchSource, people: int) -> Callable[[], object]:
    """Return a call that predicts the bodies of people, without their meshes."""
    batch = source.finish(source.prepare(0), next(model.parameters()).device)
    inputs = [part[:people] for part in batch.inputs]
    model.eval()

    @torch.no_grad()
    def predict() -> object:
        return model(*inputs, vertices=False)

    return predict


def speed_table(speeds: Sequence[Speed]) -> str:
    """Format speeds as text."""
    lines = [["", "ms", "a second"]]
    for speed in speeds:
        lines.append([speed.what, number_cell(speed.milliseconds, 2), f"{speed.per_second:,.0f}"])
    return text_table(lines)
