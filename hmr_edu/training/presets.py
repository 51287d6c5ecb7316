"""Presets: complete options of training runs, for a CPU, for a GPU, and the paper's own."""

from __future__ import annotations

import dataclasses

from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.training.config import LossConfig, ModelConfig, OptimizerConfig, TrainConfig

# Poses of the preset `people`: as people are in photographs, some of them rare.
EVERYDAY = (
    *("prior:0.25", "standing:0.33", "bent:0.05", "seated:0.1"),
    *("strides:0.1", "inverted:0.07", "unusual:0.1"),
)


def cpu_preset() -> TrainConfig:
    """Train ten minutes on two CPU cores: 64 pixels, people in a studio, heat-maps."""
    return TrainConfig(
        name="cpu",
        images=300_000,
        # A slow machine then trains on fewer pictures, but takes no longer.
        minutes=9.25,
        device="cpu",
        model=ModelConfig(
            encoder="resnet18",
            width=40,
            stem="small",
            pooling="spatial",
            representation="6d",
            # With weights of its own, each step learns another part of the task; see `steps` below.
            share_weights=False,
            hidden=256,
            dropout=0.0,
        ),
        data=SyntheticConfig(
            image_size=64, batch_size=64, fill=(0.8, 1.0), appearance=APPEARANCES["plain"]
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
            # With equal weights the first step does everything, and the others change nothing.
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
    """Train an hour or two: as `cpu`, with 96 pixels and people as in photographs."""
    config = cpu_preset()
    config.name, config.images, config.minutes = "cpu-long", 450_000, None
    config.model.width = 48
    config.data = SyntheticConfig(image_size=96, batch_size=32, cut=0.15)
    config.optimizer.learning_rate = 1.6e-2
    # The shape of synthetic people is known exactly, unlike that of SPIN's fits. With a weight of
    # 0.02, the predicted shape was no better than the average one.
    config.loss.betas = 0.5
    return config


def people_preset() -> TrainConfig:
    """Train on people who look and stand like people: a night of one CPU core, minutes of a GPU.

    They wear real clothes, stand, sit, stride and fall, in soft light before imperfect cameras, cut
    off and crowded as in photographs. Go on from shipped weights with `--start resnet18`, and give
    backgrounds with `--data.appearance.photos`.
    """
    config = cpu_long_preset()
    config.name, config.images = "people", 2_000_000
    config.poses = EVERYDAY
    config.model.width, config.model.hidden = 64, 512
    config.data = SyntheticConfig(
        image_size=128,
        batch_size=64,
        pitch=14.0,
        roll=10.0,
        turned=0.1,
        boxes=0.5,
        cut_by_border=0.2,
        near_border=0.25,
        off_axis=0.3,
        neighbours=0.33,
        appearance=APPEARANCES["dressed"],
    )
    config.loss.betas = 3.0
    config.optimizer.learning_rate, config.optimizer.ema = 6e-3, 0.999
    config.checkpoint_every, config.sample_every = 20_000, 200_000
    return config


def gpu_preset() -> TrainConfig:
    """Train on a GPU from random weights: ResNet-50 at 224 pixels, heat-maps, Muon.

    Batches are for a card of 80 GB: with 128 pictures (8.8 GB) an H200 was idle for half of the
    time. Use `--data.batch-size 128` or 256 on smaller cards.
    """
    cpu, people = cpu_preset(), people_preset()
    appearance = dataclasses.replace(people.data.appearance, scenes=320, outfits=256)
    return TrainConfig(
        name="gpu",
        workers=14,
        # 28 million parameters; 29 MB when shipped in int8.
        model=dataclasses.replace(
            cpu.model, encoder="resnet50", width=64, stem="imagenet", hidden=512
        ),
        poses=people.poses,
        data=dataclasses.replace(
            people.data, image_size=224, batch_size=512, appearance=appearance
        ),
        loss=people.loss,
        optimizer=dataclasses.replace(cpu.optimizer, learning_rate=2e-2),
    )


def paper_preset() -> TrainConfig:
    """Train as the paper does: its network, losses and optimiser.

    Give it ImageNet weights with `--backbone`. Weights of the terms, Adam and its rates are those
    of akanazawa/hmr: keypoints and theta on the last step, the adversary on every step, squared
    errors in 3D.
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


def keypoints_preset() -> TrainConfig:
    """Train the encoder of 2D keypoints: an hour of one CPU core, or minutes of a GPU."""
    cpu = cpu_preset()
    return TrainConfig(
        name="keypoints",
        images=10_000_000,
        poses=("prior", "prior", "prior", "bent", "upright", "unusual"),
        model=dataclasses.replace(
            cpu.model, encoder="keypoints", width=64, stem="imagenet", pooling="average", hidden=384
        ),
        data=SyntheticConfig(
            image_size=128,
            batch_size=1024,
            cut=0.13,
            pitch=14.0,
            roll=8.0,
            inverse_focal=(0.0, 0.5),
        ),
        loss=LossConfig(
            keypoints2d=3.0,
            keypoints3d=10.0,
            pose=10.0,
            betas=0.1,
            adversary=0.0,
            steps=(0.1, 0.3, 0.6),
        ),
        optimizer=OptimizerConfig(
            method="muon", learning_rate=1e-2, weight_decay=0.02, warmup=100, clip=10.0
        ),
        checkpoint_every=500_000,
        sample_every=2_000_000,
    )


def keypoints_quick_preset() -> TrainConfig:
    """Train the encoder of 2D keypoints for a minute, for lessons: fewer units, fewer people."""
    config = keypoints_preset()
    config.name, config.images = "keypoints-quick", 120_000
    config.poses = ("prior", "prior", "bent", "upright")
    config.model.width, config.model.hidden = 32, 192
    config.data.batch_size = 512
    config.checkpoint_every = config.sample_every = 60_000
    return config


PRESETS = {
    "cpu": cpu_preset,
    "cpu-long": cpu_long_preset,
    "people": people_preset,
    "gpu": gpu_preset,
    "paper": paper_preset,
    "keypoints": keypoints_preset,
    "keypoints-quick": keypoints_quick_preset,
}
