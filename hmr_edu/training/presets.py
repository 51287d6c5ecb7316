"""Complete training runs: `cpu` learns in minutes on a laptop, `paper` is the paper's network."""

from __future__ import annotations

import dataclasses

from hmr_edu.data.synthetic.appearance import LEVELS, AppearanceConfig
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.training.config import LossConfig, ModelConfig, OptimizerConfig, TrainConfig


def cpu_preset() -> TrainConfig:
    """Ten minutes on two CPU cores: 64 pixels, people in a studio, a head that keeps places."""
    return TrainConfig(
        name="cpu",
        images=300_000,
        # A slow machine sees fewer pictures, and no machine takes all evening.
        minutes=9.25,
        device="cpu",
        model=ModelConfig(
            encoder="resnet18",
            width=40,
            stem="small",
            pooling="spatial",
            representation="6d",
            # A step with weights of its own has a job of its own; see the losses' `steps`.
            share_weights=False,
            hidden=256,
            dropout=0.0,
        ),
        data=SyntheticConfig(
            image_size=64, batch_size=64, fill=(0.8, 1.0), appearance=LEVELS["plain"]
        ),
        loss=LossConfig(
            keypoints2d=10.0,
            keypoints3d=10.0,
            pose=10.0,
            betas=0.02,
            adversary=0.01,
            # Dense labels teach the backbone faster than 85 numbers do.
            heatmaps=5.0,
            depths=15.0,
            parts=5.0,
            # Graded alike, the first step does everything and the others are idle.
            steps=(0.1, 0.3, 0.6),
        ),
        optimizer=OptimizerConfig(
            method="muon",
            learning_rate=2.2e-2,
            regressor_scale=0.25,
            weight_decay=0.02,
            warmup=100,
            clip=10.0,
            critic_every=4,
        ),
    )


def cpu_long_preset() -> TrainConfig:
    """An hour or two: as `cpu` at 96 pixels, with all that photographs do to people."""
    config = cpu_preset()
    config.name, config.images, config.minutes = "cpu-long", 450_000, None
    config.model.width = 48
    config.data = SyntheticConfig(image_size=96, batch_size=32, cut=0.15)
    config.optimizer.learning_rate = 1.6e-2
    # Bodies that are learnt from synthetic people are known exactly, unlike SPIN's fits: with
    # 0.02 the shape of the shipped weights is no better than the average one.
    config.loss.betas = 0.5
    return config


def gpu_preset() -> TrainConfig:
    """For a GPU: ResNet-50 at 224 pixels, and the head and optimiser that learn from nothing.

    Batches for an 80 GB card: with 128 pictures (8.8 GB) an H200 was idle for half of the time.
    Take `--data.batch-size 128` or 256 on smaller ones.
    """
    cpu = cpu_preset()
    return TrainConfig(
        name="gpu",
        workers=14,
        # 28 million parameters: 29 MB when shipped.
        model=dataclasses.replace(
            cpu.model, encoder="resnet50", width=64, stem="imagenet", hidden=512
        ),
        # As the shipped weights were made, whose card says why.
        poses=("prior", "prior", "bent"),
        data=SyntheticConfig(
            batch_size=512,
            cut=0.15,
            pitch=14.0,
            roll=10.0,
            appearance=AppearanceConfig(scenes=320, outfits=256, heads=96, clutter=0.5),
        ),
        loss=cpu_long_preset().loss,
        optimizer=dataclasses.replace(cpu.optimizer, learning_rate=2e-2),
    )


def paper_preset() -> TrainConfig:
    """The paper's network, losses and optimiser; give it ImageNet weights with `--backbone`.

    Weights of the terms, Adam and its rates are those of akanazawa/hmr: keypoints and theta on
    the last step, the adversary on every step, squared errors in 3D.
    """
    return TrainConfig(
        name="paper",
        workers=14,
        loss=LossConfig(
            keypoints2d=60.0,
            # 60 * 0.5 * MSE; the mean over 216 rotation entries and 10 betas is split into two.
            keypoints3d=30.0,
            pose=30.0 * 216 / 226,
            betas=30.0 * 10 / 226,
            adversary=1.0,
            steps="last",
            norm="mse",
        ),
        optimizer=OptimizerConfig(
            method="adam",
            learning_rate=1e-5,
            critic_learning_rate=1e-4,
            warmup=0,
            schedule="constant",
            clip=0.0,
        ),
    )


PRESETS = {
    "cpu": cpu_preset,
    "cpu-long": cpu_long_preset,
    "gpu": gpu_preset,
    "paper": paper_preset,
}
