"""All options of a training run, as dataclasses. The command line is generated from them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, make_dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from hmr_edu.data.augment import AugmentConfig
from hmr_edu.data.detections.noise import DetectionConfig
from hmr_edu.data.source import BatchSource
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.io.ranges import Count, NotNegative, Positive, Range, Seed, Threads
from hmr_edu.io.weights import Dropout, Hidden, Iterations, Width
from hmr_edu.losses import TERMS


@dataclass
class ModelConfig:
    """The network; see `hmr_edu.hmr.HMR`."""

    # The backbone; or "keypoints", which reads 2D keypoints instead of pictures.
    encoder: Literal["resnet18", "resnet50", "efficientnet_lite0", "keypoints"] = "resnet50"
    # Channels of the first stage; 64 is torchvision's. Keypoints get 8 times as many features.
    # EfficientNet-lite0 has widths of its own: only its spatial head follows this one.
    width: Width = 64
    # First layers: "imagenet" reduces the resolution to a quarter at once; "small", for small
    # pictures, keeps more of it.
    stem: Literal["imagenet", "small"] = "imagenet"
    # "average" is the paper's head. "spatial" reads keypoint heat-maps and learns from scratch.
    pooling: Literal["average", "spatial"] = "average"
    # Regression steps.
    iterations: Iterations = 3
    # Use one regressor for all steps, as in the paper, instead of one for each step.
    share_weights: bool = True
    # How the regressor represents rotations; its output is always the 85 numbers of theta.
    representation: Literal["axis_angle", "6d"] = "axis_angle"
    # Units in each of the regressor's two hidden layers.
    hidden: Hidden = 1024
    # Share of the hidden units that training leaves out (dropout).
    dropout: Dropout = 0.5
    # Train the mean theta, as the original TensorFlow code does, instead of keeping it fixed.
    learn_mean: bool = False
    # What follows the regressor's hidden layers; "none" as in SPIN, for weights from there.
    activation: Literal["relu", "none"] = "relu"
    # Predict of each keypoint whether it is visible. Needs pooling "spatial", and a weight of
    # `loss.visibility`.
    confidence: bool = False
    # The body model: "lite", "full", a body file, or a file of SMPL's.
    body: str = "lite"


@dataclass
class LossOptions:
    """Weight of each loss term; 0 leaves a term out and saves its computation.

    Args:
        adversary: The discriminator's verdict on the predicted bodies.
        steps: Regression steps with supervised terms: "all", "last", or a weight for each step,
            such as 0.2 0.3 0.5.
        norm: Distance of 3D keypoints: "l1", or "mse" as in the paper.
    """

    adversary: NotNegative = 1.0
    steps: Literal["all", "last"] | tuple[float, ...] = "all"
    norm: Literal["l1", "mse"] = "l1"

    def __new__(cls, *_: Any, **options: Any) -> LossOptions:
        """Raise TypeError on a term that has no option, because it was entered too late."""
        known = {each.name for each in dataclasses.fields(cls)}
        if late := sorted(options.keys() & TERMS.keys() - known):
            raise TypeError(
                f"the term {late[0]!r} was entered after the options of the losses were made: "
                "make them again by hmr_edu.training.config.make_loss_config()"
            )
        return super().__new__(cls)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every supervised term and of "adversary"; 0 for a term without an option.

        A script may enter a term after these options were made; see `make_loss_config`.
        """
        return {name: getattr(self, name, 0.0) for name in (*TERMS, "adversary")}


def make_loss_config() -> Any:
    """Make the dataclass of all options of the losses.

    It is `LossOptions` with one more option for each term of the registry `hmr_edu.losses.TERMS`.
    The option has the term's name, and the registry's default weight and help. A script that
    enters a term later makes the options again, or the term has the weight 0, for example
    `config.loss = make_loss_config()(**dataclasses.asdict(config.loss), limbs=10.0)`.
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
    """How the network learns; the critics always use Adam."""

    # "adam" is the paper's. "muon" is Muon for the weights of hidden layers and AdamW for the
    # rest: it needs a quarter of the pictures, and a little more time for each.
    method: Literal["adam", "adamw", "muon"] = "adamw"
    # The network's learning rate at its maximum.
    learning_rate: Positive = 1e-4
    # The critics' learning rate.
    critic_learning_rate: NotNegative = 1e-4
    # The regressor's learning rate, as a multiple of the network's. Its first layer gets hundreds
    # of positive features: at the backbone's rate most of its ReLUs die (96 % in one run at
    # 2e-3), and the regressor then predicts the mean pose for everybody.
    regressor_scale: NotNegative = 1.0
    # Weight decay: each step subtracts this share of a weight, times the learning rate.
    weight_decay: NotNegative = 0.0
    # Steps in which the learning rate rises from 0 to its maximum.
    warmup: Annotated[int, Range(0, 2**53)] = 100
    # "cosine": the learning rate falls to zero at the end. "constant": it stays.
    schedule: Literal["cosine", "constant"] = "cosine"
    # Largest gradient norm; larger gradients are scaled down. 0 for no limit.
    clip: NotNegative = 10.0
    # The critics learn on every n-th step.
    critic_every: Count = 1
    # Decay of the exponential moving average of the weights (EMA), such as 0.999: about the last
    # 1 / (1 - decay) steps count. It is what is evaluated and shipped. 0 for the last weights.
    ema: Annotated[float, Range(0, 1, open_high=True)] = 0.0


@dataclass
class TrainConfig:
    """A training run."""

    # Name of the run's folder under `out`.
    name: str = "hmr"
    # Folder in which the runs' folders are made.
    out: Path = Path("runs")
    # Random seed of the first weights, the pictures and their order. The same seed gives the same
    # training.
    seed: Seed = 0
    # Number of pictures to train on.
    images: Annotated[int, Range(1, 2**53)] = 2_000_000
    # Stop after this many minutes, if that is sooner. The learning rate then follows the clock,
    # so two runs differ.
    minutes: Annotated[float | None, Range(0, 5_000_000, open_low=True)] = None
    # Labels of the training pictures. "paired": all labels, with the adversary. "unpaired": 2D
    # keypoints only, with the adversary. "2d-only": 2D keypoints only, without it. Masks and dense
    # points count as 2D labels, for the losses that read them.
    mode: Literal["paired", "unpaired", "2d-only"] = "paired"
    # Sources of poses, each with its share, for example `--poses prior:0.3 standing:0.7`; without
    # shares in equal parts. "prior" (the shipped pose prior), "bent" (the prior with legs drawn up,
    # as in sitting and kicking), "upright" (with straight legs), "unusual" (limbs of several draws,
    # bent farther), the stances "standing" (everyday people on their feet), "seated", "inverted"
    # (handstands, lying, bridges, falling) and "strides" (lunges, kneeling, kicks), mocap files
    # (npz; `hmr-edu mocap import`), or files of priors (`hmr-edu mocap fit-prior`). A source that
    # changes the prior's draws takes another prior as NAME=FILE, as in `standing=prior.npz:0.7`.
    poses: tuple[str, ...] = ("prior",)
    # Data to train on, each with its share of a batch: "synthetic", and data sets of photographs
    # as NAME=PATH, for example `--data coco=/data/coco:0.3 synthetic:0.7`. `hmr-edu data list`
    # names them. (`--sources` is the same option.)
    sources: tuple[str, ...] = ("synthetic",)
    # Keypoints that a person in a photograph must have.
    least_keypoints: Annotated[int, Range(1, 19)] = 6
    # How crops of photographs vary: "none"; "hmr" and "spin" as in their public code; "strong"; or
    # "own", by the options of `augment`.
    augmentation: Literal["none", "hmr", "spin", "strong", "own"] = "hmr"
    # File of weights that the backbone starts from, as torchvision saves them; "" starts at random.
    # "imagenet": those of efficientnet_lite0 in the optional package (`hmr_edu[imagenet]`).
    backbone: str = ""
    # Weights of a whole network to start from: shipped ones by name, or a run's file. They are
    # fitted to more units and another resolution. Tensors that do not fit start at random.
    start: str = ""
    # Continue from the run's last checkpoint.
    resume: bool = False
    # Processes that train together, each on its share of every batch: one for each GPU. On a CPU,
    # more threads are faster than more processes.
    processes: Annotated[int, Range(1, 1024)] = 1
    # Worker processes that pose and rasterise people; 0 does that in the training process.
    workers: Annotated[int, Range(0, 1024)] = 0
    # CPU threads of each training process; 0 divides the cores among the processes.
    threads: Threads = 0
    # Compute the network's bodies with the fast SMPL layer: the same within rounding, sooner on a
    # CPU. It saves a sixth of a step of the networks of keypoints, and nothing beside a backbone.
    fast_body: bool = False
    # "auto" uses a GPU if there is one.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # "auto" uses bf16 if the hardware computes in it; "no" is float32.
    precision: Literal["auto", "no", "bf16"] = "auto"
    # Pictures between two checkpoints.
    checkpoint_every: Count = 10_000
    # Pictures between two samples of the network's predictions, which the report shows.
    sample_every: Count = 50_000
    # Steps between two lines of the log.
    log_every: Count = 20
    # Pictures in each held-out test set; 0 skips the evaluation.
    test_images: Annotated[int, Range(0, 10_000_000)] = 1000

    model: ModelConfig = field(default_factory=ModelConfig)
    data: SyntheticConfig = field(default_factory=SyntheticConfig)
    # Errors of the 2D keypoints, where the encoder reads keypoints.
    detections: DetectionConfig = field(default_factory=DetectionConfig)
    # Data augmentation of photographs, where `augmentation` is "own".
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    @property
    def folder(self) -> Path:
        """The folder of the run's records."""
        return self.out / self.name


def with_source(config: TrainConfig, source: BatchSource | None, processes: int) -> TrainConfig:
    """Return the options of a run that trains on a source of its own, which has its own sizes.

    Args:
        config: the options.
        source: its batch is the share of one process in a step. None: that of the options.
        processes: how many there are.
    """
    if source is None:
        return config
    sizes = {"batch_size": source.batch_size * processes, "image_size": source.image_size}
    data = dataclasses.replace(config.data, **sizes)
    return dataclasses.replace(config, data=data, sources=(type(source).__name__,))


def cpu_computes_in_bf16() -> bool:
    """Return whether the processor has bf16 arithmetic; others emulate it, ten times slower."""
    return torch.cpu._is_avx512_bf16_supported()


def as_record(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as plain nested values for a JSON record."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return plain(dataclasses.asdict(config))
