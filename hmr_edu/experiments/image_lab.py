"""The slow laboratory: the whole network, from nothing, on pictures smaller than any preset's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.evaluation.held_out import predict
from hmr_edu.evaluation.scores import Truth
from hmr_edu.evaluation.test_sets import test_set
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import cpu_preset


def picture_config() -> TrainConfig:
    """Return the preset `cpu`, at 48 pixels, with a thin backbone and few pictures."""
    config = cpu_preset()
    config.name, config.images, config.device = "experiment", 16_000, "auto"
    config.minutes = None  # the clock would make two runs differ
    config.data.image_size, config.data.batch_size = 48, 32
    config.optimizer.learning_rate = 1.6e-2
    config.model.width = 24
    # No pictures of progress, and nothing to go on from: a run takes minutes.
    config.sample_every = config.checkpoint_every = 2**31
    return config


def train_pictures(config: TrainConfig) -> HMR:
    """Train a network; what the run would leave behind is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        config.out = Path(folder)
        trainer = Trainer(config)
        trainer.train()
        return trainer.trained().eval()


def test_pictures(
    model: HMR, data: SyntheticConfig, people: int, iterations: int
) -> tuple[list[Prediction], Truth]:
    """Return what the network says of held-out people, step by step, and the truth."""
    model.regressor.iterations = iterations
    with torch.no_grad():
        predictions = predict(model, test_set("test-prior", model.body, data, people))
    return predictions.steps, predictions.truth


test_pictures.__test__ = False  # pytest need not look  # ty: ignore[missing-attribute]
