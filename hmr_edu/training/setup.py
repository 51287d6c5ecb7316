"""The parts of a training run: poses, networks, and the weights they start from."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.data.poses.bent_legs import BentLegs
from hmr_edu.data.poses.inverted import Inverted
from hmr_edu.data.poses.mocap import find_mocap, load_mocap
from hmr_edu.data.poses.prior import PosePrior, is_pose_prior, load_pose_prior
from hmr_edu.data.poses.seated import Seated
from hmr_edu.data.poses.stance import choose
from hmr_edu.data.poses.standing import Standing
from hmr_edu.data.poses.strides import Strides
from hmr_edu.data.poses.varied import Unusual, Upright
from hmr_edu.data.source import BatchSource
from hmr_edu.data.synthetic.people import PoseSource
from hmr_edu.discriminator import Discriminator
from hmr_edu.encoder.efficientnet_lite import package_weights
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.sources import first_theta, split_share
from hmr_edu.training.start import copied_share, transfer

# Sources that make new poses of the prior's.
MADE: dict[str, Callable[[PosePrior], PoseSource]] = {
    "bent": BentLegs,
    "upright": Upright,
    "unusual": Unusual,
    "standing": Standing,
    "seated": Seated,
    "inverted": Inverted,
    "strides": Strides,
}
# The value of --backbone for weights of an installed package.
IMAGENET = "imagenet"


# Words of `--poses` that are no files.
POSES = ("prior", *MADE)


class PoseName(NamedTuple):
    """One part of `--poses`: a source that makes poses, or a file, or both; and its share.

    Args:
        name: "prior", one of `MADE`, or "" where there is a file alone.
        path: the file; "" for the shipped prior.
        share: of the poses, relative to that of the other parts.
    """

    name: str
    path: str
    share: float


class Mixed:
    """Pose sources with shares: each pose comes from one of them, at random.

    Args:
        sources: where poses come from.
        shares: of the sources, relative to each other; equal parts if None.
    """

    def __init__(
        self, sources: Sequence[PoseSource], shares: Sequence[float] | None = None
    ) -> None:
        self.sources = sources
        equal = shares is None or len(set(shares)) == 1
        self.shares = None if equal else list(shares)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw `n` poses; the draws depend on the generator alone."""
        if self.shares is None:
            which = torch.randint(len(self.sources), (n,), generator=generator)
        else:
            which = choose(n, generator, self.shares)
        poses = torch.empty(n, 72)
        for index, source in enumerate(self.sources):
            rows = which == index
            poses[rows] = source.sample(int(rows.sum()), generator)
        return poses


def pose_source(*words: str) -> PoseSource:
    """Return the pose source of one or several words, mixed by their shares.

    A word is "prior" (the shipped pose prior), one of `MADE`, which change its draws, a mocap file,
    or the file of a prior (`hmr-edu mocap fit-prior`). `NAME=FILE` changes the draws of the prior
    in a file, and `WORD:SHARE` gives a share. The mirror image of mocap is used too. A file is
    looked for under its name, then by `find_mocap`. Raises as `load_mocap` and `load_pose_prior`,
    and DataError when a word cannot be read.
    """
    if not words:
        raise DataError('no poses to train on: name "prior", "bent", mocap files, or several')
    names = parse_poses(words)
    sources = [_source(name) for name in names]
    return sources[0] if len(sources) == 1 else Mixed(sources, [name.share for name in names])


def parse_poses(words: Sequence[str]) -> list[PoseName]:
    """Read the words of `--poses`: NAME, FILE or NAME=FILE, each with :SHARE if you like.

    Raises DataError that names the word which cannot be used.
    """
    return [_parse_pose(word) for word in words]


def _parse_pose(word: str) -> PoseName:
    rest, share = split_share(word, "--poses")
    name, equals, path = rest.partition("=")
    if name not in POSES:  # a file, whose name may hold an equals sign
        return PoseName("", rest, share)
    if equals and (not path or name == "prior"):
        raise DataError(f"--poses {word}: write {name}, the file of a prior, or standing=FILE")
    return PoseName(name, path, share)


def _source(name: PoseName) -> PoseSource:
    if name.name in MADE:
        return _made(name.name, str(_found(name.path)) if name.path else "")
    if name.name == "prior":
        return load_pose_prior()
    path = _found(name.path)
    return load_pose_prior(path) if is_pose_prior(path) else load_mocap(path).both_ways()


@lru_cache(maxsize=8)
def _made(name: str, path: str) -> PoseSource:
    """Make a source once: stances keep the poses that they draw first."""
    return MADE[name](load_pose_prior(path or None))


def _found(name: str) -> Path:
    path = Path(name)
    return path if path.exists() else find_mocap(name) or path


def build_networks(
    config: TrainConfig, source: BatchSource, say: bool = False
) -> tuple[HMR, Discriminator]:
    """Build the network and the discriminator of a run; the same seed gives the same weights.

    `say` prints how much of the network comes from `config.start`, unless all of it does. Raises as
    `Backbone.load` and `transfer` when given weights cannot be used.
    """
    torch.manual_seed(config.seed)
    model = HMR(
        image_size=source.image_size,
        mean_theta=first_theta(source, pose_source(*config.poses), config.seed),
        **dataclasses.asdict(config.model),
    )
    if config.fast_body:
        model.body = load_body(config.model.body, fast=True)
    if config.backbone and isinstance(model.encoder, Encoder):
        model.encoder.backbone.load(backbone_file(config))
    if config.start:
        share = copied_share(model, transfer(model, config.start))
        if say and share < 1:
            print(
                f"{share:.1%} of the network's numbers come from {config.start}, the others begin "
                "at random",
                file=sys.stderr,
            )
    return model, Discriminator()


def backbone_file(config: TrainConfig) -> Path:
    """Return the file of weights that the backbone starts from.

    Raises DataError where "imagenet" is asked for and its package is not there.
    """
    if config.backbone != IMAGENET:
        return Path(config.backbone)
    if config.model.encoder != "efficientnet_lite0":
        raise DataError(
            f"--backbone {IMAGENET}: no package has weights of {config.model.encoder}; give a file"
        )
    return package_weights()
