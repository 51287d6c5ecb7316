"""A training run that takes seconds; runs that are broken off."""

import dataclasses
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from helpers.few_looks import few

from hmr_edu.training.complete_run import run
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import cpu_preset


def small(out: Path, **changes: object) -> TrainConfig:
    """Return the options of a tiny run in `out`, with some of them changed."""
    preset = cpu_preset()
    appearance = few(preset.data.appearance)
    config = dataclasses.replace(
        preset,
        out=out,
        name="small",
        images=32,
        minutes=None,
        threads=1,
        checkpoint_every=8,
        sample_every=16,
        log_every=1,
        test_images=0,
        model=dataclasses.replace(preset.model, width=8, hidden=16),
        data=dataclasses.replace(preset.data, image_size=32, batch_size=4, appearance=appearance),
    )
    return dataclasses.replace(config, **changes)


def interrupt_after(config: TrainConfig, steps: int) -> None:
    """Train and stop by force in the middle of a step, as a crash would."""
    trainer = Trainer(config)
    step = trainer.train_step

    def stumble(batch):
        if trainer.step == steps:
            raise InterruptedError
        return step(batch)

    trainer.train_step = stumble
    with pytest.raises(InterruptedError):
        trainer.train()


def begin_or_go_on(out: Path, images: int) -> None:
    """Train a tiny run in `out`, or the rest of it."""
    config = small(out, sample_every=80)
    begun = (config.folder / "config.json").exists()
    run(dataclasses.replace(config, images=images, resume=begun))


def train_in_a_process(out: Path, images: int) -> BaseProcess:
    """Do so in a process of its own, forked from one that has imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hmr_edu.training.complete_run", "hmr_edu.training.presets"])
    process = context.Process(target=begin_or_go_on, args=(out, images))
    process.start()
    return process
