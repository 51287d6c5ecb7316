from .adversarial import (
    UNMEASURED_JOINTS,
    Adversary,
    adversarial_step,
    critic_weights,
    fakes,
)
from .complete_run import run
from .config import LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from .loop import Trainer
from .objective import supervised_losses
from .optimizers import build_optimizers, learning_rate
from .presets import PRESETS, cpu_preset
from .setup import build_networks, pose_source

__all__ = [
    "PRESETS",
    "UNMEASURED_JOINTS",
    "Adversary",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "Trainer",
    "adversarial_step",
    "build_networks",
    "build_optimizers",
    "cpu_preset",
    "critic_weights",
    "fakes",
    "learning_rate",
    "pose_source",
    "run",
    "supervised_losses",
]
