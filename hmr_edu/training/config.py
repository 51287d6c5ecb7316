"""Every option of a training run, as dataclasses; the command line is made from them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, make_dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.io.ranges import Count, NotNegative, Positive, Range
from hmr_edu.losses import TERMS


@dataclass
class ModelConfig:
    """The network; see `hmr_edu.hmr.HMR`."""

    # The backbone.
    encoder: Literal["resnet18", "resnet50"] = "resnet50"
    # Channels of the first stage; 64 is torchvision's.
    width: Count = 64
    # "imagenet": a quarter of the resolution at once. "small", for small pictures, keeps more.
    stem: Literal["imagenet", "small"] = "imagenet"
    # "average": the paper's head. "spatial": keeps places; learns from scratch.
    pooling: Literal["average", "spatial"] = "average"
    # Regression steps.
    iterations: Count = 3
    # One regressor for all steps, as in the paper, or one for each.
    share_weights: bool = True
    # What the regressor adds up inside; theta out is always the 85 numbers.
    representation: Literal["axis_angle", "6d"] = "axis_angle"
    # Units in each of the regressor's two hidden layers.
    hidden: Count = 1024
    # Share of the hidden units that are left out in training.
    dropout: Annotated[float, Range(0, 1, open_high=True)] = 0.5
    # Train the mean theta (the TensorFlow original does) instead of keeping it.
    learn_mean: bool = False
    # "lite", "full" or a body file.
    body: str = "lite"


@dataclass
class LossOptions:
    """Weight of each loss term; 0 leaves a term out (and its computation).

    Args:
        adversary: What the discriminator says of the predicted bodies.
        steps: Regression steps with supervised terms: "all", "last", or a weight for each step,
            such as 0.2 0.3 0.5.
        norm: Distance of 3D keypoints: "l1", or "mse" as in the paper.
    """

    adversary: NotNegative = 1.0
    steps: Literal["all", "last"] | tuple[float, ...] = "all"
    norm: Literal["l1", "mse"] = "l1"

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every supervised term and of "adversary"."""
        return {name: getattr(self, name) for name in (*TERMS, "adversary")}


def make_loss_config() -> Any:
    """Make the dataclass of all options of the losses.

    It is `LossOptions` and, for each term of the registry `hmr_edu.losses.TERMS`, an option of
    the term's name, with the registry's default weight and help. 0 leaves a term out.
    """
    weights = [(name, NotNegative, field(default=term.weight)) for name, term in TERMS.items()]
    helps = "\n".join(f"    {name}: {term.help}" for name, term in TERMS.items())
    return make_dataclass(
        "LossConfig",
        weights,
        bases=(LossOptions,),
        namespace={
            # The command line takes its help from here.
            "__doc__": f"{cleandoc(LossOptions.__doc__ or '')}\n{helps}\n",
            "__module__": __name__,
        },
    )


LossConfig: Any = make_loss_config()


@dataclass
class OptimizerConfig:
    """How the network learns; the critics learn by Adam."""

    # "adam" is the paper's. "muon" is Muon for the weights of hidden layers and AdamW for the
    # rest: it learns from a quarter of the pictures, for a little more time each.
    method: Literal["adam", "adamw", "muon"] = "adamw"
    # The network's highest learning rate.
    learning_rate: Positive = 1e-4
    # The critics' learning rate.
    critic_learning_rate: NotNegative = 1e-4
    # The regressor's learning rate in units of the network's. Its first layer sees hundreds of
    # positive features: at the backbone's rate most of its ReLUs die (96 % in one run at 2e-3),
    # and what is left can only say the mean pose.
    regressor_scale: NotNegative = 1.0
    # Share of each weight that is taken off at a step, in units of the learning rate.
    weight_decay: NotNegative = 0.0
    # Steps over which the learning rate rises to its value.
    warmup: Annotated[int, Range(0)] = 100
    # "cosine" falls to zero at the end, "constant" stays.
    schedule: Literal["cosine", "constant"] = "cosine"
    # Largest gradient norm; 0 for no limit.
    clip: NotNegative = 10.0
    # The critics learn on every n-th step.
    critic_every: Count = 1


@dataclass
class TrainConfig:
    """A training run."""

    # Folder name under `out`.
    name: str = "hmr"
    # Where runs' folders go.
    out: Path = Path("runs")
    # Of the weights, the pictures and their order: the same seed learns the same.
    seed: Annotated[int, Range(0)] = 0
    # How many pictures to learn from.
    images: Count = 2_000_000
    # Stop after this many minutes if that is sooner: the schedule then follows the clock,
    # so two runs differ.
    minutes: Annotated[float | None, Range(0, open_low=True)] = None
    # What is known of the training pictures: everything; 2D keypoints only, with the
    # adversary; 2D keypoints and nothing else.
    mode: Literal["paired", "unpaired", "2d-only"] = "paired"
    # Where poses come from, in equal parts: "prior" (shipped), "bent" (its draws with the legs
    # drawn up as in sitting and kicking), mocap files (npz).
    poses: tuple[str, ...] = ("prior",)
    # Weights the backbone starts from, as torchvision saves them; "" starts from nothing.
    backbone: str = ""
    # Weights to go on from, shipped by name or a run's file; what does not fit, at another
    # resolution say, starts anew.
    start: str = ""
    # Go on from the run's last checkpoint.
    resume: bool = False
    # Processes that train together, each on its share of every batch: one for each GPU.
    # (On a CPU threads are quicker.)
    processes: Count = 1
    # Processes that pose and rasterise; 0 does it in the training process.
    workers: Annotated[int, Range(0)] = 0
    # CPU threads of each training process; 0 shares the cores among them.
    threads: Annotated[int, Range(0)] = 0
    # "auto": a GPU where there is one.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # "auto": bf16 where the hardware has it.
    precision: Literal["auto", "no", "bf16"] = "auto"
    # Images between checkpoints.
    checkpoint_every: Count = 10_000
    # Images between pictures of progress.
    sample_every: Count = 50_000
    # Steps between lines of the log.
    log_every: Count = 20
    # Pictures in each held-out test set; 0 skips the evaluation.
    test_images: Annotated[int, Range(0)] = 1000

    model: ModelConfig = field(default_factory=ModelConfig)
    data: SyntheticConfig = field(default_factory=SyntheticConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    @property
    def folder(self) -> Path:
        """Where the run's records go."""
        return self.out / self.name


def cpu_computes_in_bf16() -> bool:
    """True on a processor with bf16 arithmetic; others emulate it, ten times slower."""
    return torch.cpu._is_avx512_bf16_supported()


def as_record(config: TrainConfig) -> dict:
    """The configuration as plain nested values for a JSON record."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return plain(dataclasses.asdict(config))
