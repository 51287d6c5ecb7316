"""A training run that takes seconds."""

import dataclasses
from pathlib import Path

from hmr_edu.training.config import TrainConfig
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
