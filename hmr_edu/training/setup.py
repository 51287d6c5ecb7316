"""What a training run is made of: poses, scenes, networks, and the precision they compute in."""

from __future__ import annotations

import dataclasses

import torch
from torch.utils.data import Dataset

from hmr_edu.data.mocap import load_mocap
from hmr_edu.data.pose_prior import load_pose_prior
from hmr_edu.data.synthetic import PoseSource, Scene, SyntheticPeople
from hmr_edu.discriminator import Discriminator
from hmr_edu.hmr import HMR, transfer
from hmr_edu.training.config import TrainConfig, cpu_computes_in_bf16


def pose_source(name: str) -> PoseSource:
    """The shipped pose prior ("prior"), or the poses of a mocap file."""
    return load_pose_prior() if name == "prior" else load_mocap(name)


class Scenes(Dataset):
    """Batches of geometry by number, for PyTorch's worker processes."""

    def __init__(self, people: SyntheticPeople) -> None:
        self.people = people

    def __getitem__(self, index: int) -> Scene:
        return self.people.scene(index)


def build_networks(config: TrainConfig, people: SyntheticPeople) -> tuple[HMR, Discriminator]:
    """Network and critics as they are before training; the same for the same seed.

    Raises what `ResNet.load` and `transfer` raise when the given weights cannot be used.
    """
    torch.manual_seed(config.seed)
    model = HMR(
        image_size=config.data.image_size,
        mean_theta=people.mean_theta(),
        **dataclasses.asdict(config.model),
    )
    if config.trunk:
        model.encoder.trunk.load(config.trunk)
    if config.start:
        transfer(model, config.start)
    return model, Discriminator()


def precision(config: TrainConfig) -> str:
    """bf16 where the hardware computes in it; elsewhere it is an emulation, ten times slower."""
    if config.precision != "auto":
        return config.precision
    if config.device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if cpu_computes_in_bf16() else "no"
