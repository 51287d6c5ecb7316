"""What a run trains on: synthetic people, data sets of photographs, or a mixture with shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.augment import AUGMENTATIONS
from hmr_edu.data.detections.people import DetectedPeople
from hmr_edu.data.photos.data_sets import DATA_SETS, open_data_set
from hmr_edu.data.photos.source import AnnotatedPhotos
from hmr_edu.data.source import BatchSource, Mixture
from hmr_edu.data.synthetic.people import PoseSource, SyntheticPeople, mean_pose
from hmr_edu.io.errors import DataError
from hmr_edu.theta import join_theta
from hmr_edu.training.config import TrainConfig

SYNTHETIC = "synthetic"
# Vertices of SMPL's own body, whose betas the data sets hold.
SMPL_VERTICES = 6890
# The paper's first camera: a person fills nine tenths of the crop.
FIRST_CAMERA = (0.9, 0.0, 0.0)


class SourceName(NamedTuple):
    """One part of `--data`: the data set, its place on the disk, and its share of a batch."""

    name: str
    path: str
    share: float


def parse_sources(words: Sequence[str]) -> list[SourceName]:
    """Read the words of `--data`: NAME=PATH:SHARE, or synthetic:SHARE; a share may be left out.

    Raises DataError that names the word which cannot be used.
    """
    if not words:
        raise DataError("--data: nothing to train on; name data sets, or synthetic")
    return [_parse(word) for word in words]


def split_share(word: str, option: str) -> tuple[str, float]:
    """Split WORD:SHARE into both; the share is 1 where there is none.

    Raises DataError that names the option when the share is not positive.
    """
    rest, colon, last = word.rpartition(":")
    try:
        share = float(last) if colon else 1.0
    except ValueError:  # a colon of a path
        return word, 1.0
    if not 0 < share < float("inf"):
        raise DataError(f"{option} {word}: a share is a positive number, not {share:g}")
    return rest if colon else word, share


def _parse(word: str) -> SourceName:
    rest, share = split_share(word, "--data")
    name, equals, path = rest.partition("=")
    known = [SYNTHETIC, *DATA_SETS]
    if name not in known:
        raise DataError(
            f"--data {word}: no data set is called {name!r:.60}; {', '.join(known)} are"
        )
    if bool(equals and path) == (name == SYNTHETIC):
        wanted = SYNTHETIC if name == SYNTHETIC else f"{name}=PATH"
        raise DataError(f"--data {word}: write {wanted}, with a share such as :0.5 if you like")
    return SourceName(name, path, share)


def build_source(config: TrainConfig, poses: PoseSource, batch_size: int) -> BatchSource:
    """Build what the options describe; `batch_size` is the share of one process in a step.

    Raises DataError or FileNotFoundError that names the data set which cannot be used.
    """
    body, named = load_body(config.model.body), parse_sources(config.sources)
    if len(named) == 1:
        return _build(named[0], config, body, poses, batch_size)

    def maker(source: SourceName):
        return lambda count: _build(source, config, body, poses, count)

    try:
        return Mixture.of_shares(batch_size, [(s.share, maker(s)) for s in named])
    except ValueError as error:
        raise DataError(f"--data: {error}") from None


def _build(
    source: SourceName, config: TrainConfig, body: SMPL, poses: PoseSource, batch_size: int
) -> BatchSource:
    """Build one source."""
    reads_keypoints = config.model.encoder == "keypoints"
    if source.name == SYNTHETIC:
        data = dataclasses.replace(config.data, batch_size=batch_size)
        if reads_keypoints:
            return DetectedPeople(body, poses, data, config.detections, config.seed)
        return SyntheticPeople(body, poses, data, config.seed)
    if reads_keypoints:
        raise DataError(f"--data {source.name}: an encoder of keypoints trains on synthetic people")
    try:
        return AnnotatedPhotos(
            open_data_set(source.name, source.path),
            batch_size,
            config.data.image_size,
            config.seed,
            AUGMENTATIONS.get(config.augmentation, config.augment),
            betas=len(body.v_template) == SMPL_VERTICES,
            least=config.least_keypoints,
        )
    except DataError as error:
        raise DataError(f"--data {source.name}={source.path}: {error}") from None


def first_theta(source: BatchSource, poses: PoseSource, seed: int) -> Float[Tensor, "85"]:
    """Return the theta that regression starts from: the source's mean, or that of the poses."""
    theta = source.mean_theta()
    if theta is not None:
        return theta
    pose = mean_pose(poses, 1024, torch.Generator().manual_seed(seed))
    return join_theta(torch.tensor(FIRST_CAMERA), pose, torch.zeros(10))
