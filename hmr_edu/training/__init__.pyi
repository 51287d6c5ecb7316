from .complete_run import run
from .config import PRESETS, LossConfig, ModelConfig, OptimizerConfig, TrainConfig, cpu_preset
from .loop import Trainer
from .objective import (
    UNMEASURED_JOINTS,
    adversary_loss,
    critic_loss,
    critic_weights,
    fakes,
    supervised_losses,
)
from .optimizers import build_optimizers, learning_rate
from .setup import build_networks, pose_source

__all__ = [
    "PRESETS",
    "UNMEASURED_JOINTS",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "Trainer",
    "adversary_loss",
    "build_networks",
    "build_optimizers",
    "cpu_preset",
    "critic_loss",
    "critic_weights",
    "fakes",
    "learning_rate",
    "pose_source",
    "run",
    "supervised_losses",
]
