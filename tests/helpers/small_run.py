"""A training run that takes seconds; runs that are broken off."""

import dataclasses
from pathlib import Path

import pytest

from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import cpu_preset

SMALL = {"scenes": 4, "outfits": 4, "heads": 4}


def small(out: Path, **changes: object) -> TrainConfig:
    """Return the options of a tiny run in `out`, with some of them changed."""
    preset = cpu_preset()
    appearance = dataclasses.replace(preset.data.appearance, **SMALL)
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
