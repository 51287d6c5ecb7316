"""Held-out test sets: fixed people whom no training run sees.

Pictures come from the same generator as the training's, with seeds that no run can have. What
differs is where the poses come from: `test-prior` draws from the shipped pose prior, as training
does; `test-mocap` shows recorded poses of other people, made in another laboratory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.data.batch import Batch
from hmr_edu.data.poses.mocap import Mocap, find_mocap, load_mocap
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.source import BatchSource
from hmr_edu.data.synthetic.people import Scene, SyntheticConfig, SyntheticPeople
from hmr_edu.io.errors import DataError

TEST_SETS = ("test-prior", "test-mocap")
# What `test-mocap` is made of: HDM05, on which nothing here is trained.
TEST_MOCAP = "hdm05_poses.npz"
# A run's random numbers follow from (seed, batch), two 32-bit words. A seed of two words of its
# own, the upper one above every batch number, can therefore never meet those of a run.
SEEDS = {"test-prior": 0xE5A15EED_00000001, "test-mocap": 0xE5A15EED_00000002}
# People in a batch. Fixed, because a batch is drawn as one: another size, other pictures.
BATCH = 50


@dataclass
class InOrder:
    """A pose source without chance: hands out its poses one after the other, then again."""

    poses: Float[Tensor, "N 72"]
    position: int = 0

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Return the next `n` poses; the generator is not touched."""
        index = torch.arange(self.position, self.position + n) % len(self.poses)
        self.position += n
        return self.poses[index]


class PeopleInOrder(SyntheticPeople):
    """Synthetic people whose poses come in order: batch k holds poses k * BATCH and on."""

    poses: InOrder

    def prepare(self, index: int) -> Scene:
        """Prepare batch `index`, whatever was prepared before."""
        self.poses.position = index * self.batch_size
        return super().prepare(index)


class TestSet:
    """A fixed list of labelled pictures, in batches; `for batch in test_set` as often as wanted.

    Nothing is kept in memory: a picture is drawn again, the same to the bit, whenever it is asked
    for.

    Args:
        name: the set's key in records.
        batches: where the pictures come from.
        body: the body of the people in the pictures.
        source: says in words where the poses come from.
        images: how many pictures there are.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    def __init__(
        self, name: str, batches: BatchSource, body: SMPL, source: str, images: int
    ) -> None:
        self.name, self.batches, self.body = name, batches, body
        self.source, self.images = source, images

    @property
    def image_size(self) -> int:
        """Pixels along each side."""
        return self.batches.image_size

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.images // self.batches.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Batch:
        """Draw batch number `index`, on the CPU: every device is tested on the same pictures."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} batches, there is no number {index}")
        batch = self.batches.finish(self.batches.prepare(index))
        return batch.first(self.images - index * self.batches.batch_size)


def test_set(
    name: str,
    body: SMPL,
    config: SyntheticConfig,
    images: int = 1000,  # noqa: PT028
) -> TestSet:
    """Make a held-out test set of `images` pictures, seen as `config` says.

    `name` is "test-prior", "test-mocap", or the path of a mocap file of the user's own. Every
    recorded pose is shown at most once, and the clips give equally many, as far as they have
    them. Clothes and scenes are other draws than in training.

    Raises DataError when the mocap is not found or too small, or `images` is not positive.
    """
    if images < 1:
        raise DataError(f"{name}: a test set needs at least 1 image, not {images}")
    seed = _seed(name)
    # The banks of clothes and scenes are painted anew too. (Torch's seeds are signed.)
    appearance = replace(config.appearance, seed=seed >> 1)
    config = replace(config, batch_size=BATCH, appearance=appearance)
    if name == "test-prior":
        people = SyntheticPeople(body, load_pose_prior(), config, seed)
        return TestSet(name, people, body, "the shipped pose prior", images)
    path = _mocap_path(name)
    mocap = load_mocap(path)
    if images > len(mocap):
        raise DataError(f"{path}: has {len(mocap)} poses, ask for at most as many, not {images}")
    poses = InOrder(mocap.poses[spread(mocap, images, seed)])
    source = f"{path.name}, {images:,} of {len(mocap):,} poses"
    people = PeopleInOrder(body, poses, config, seed)
    return TestSet(name if name in TEST_SETS else path.stem, people, body, source, images)


test_set.__test__ = False  # nor is this one


def find_test_sets(body: SMPL, config: SyntheticConfig, images: int = 1000) -> list[TestSet]:
    """Make the test sets there is data for: `test-prior`, and `test-mocap` where it is found."""
    names = TEST_SETS if find_mocap(TEST_MOCAP) else TEST_SETS[:1]
    return [test_set(name, body, config, images) for name in names]


def spread(mocap: Mocap, n: int, seed: int) -> Int64[Tensor, " n"]:
    """Choose `n` different poses, as evenly from the clips as their lengths allow.

    Every clip gives one pose, then every clip that has another gives a second, and so on.
    Returns indices in random order; there must be `n` poses.
    """
    rng = np.random.default_rng(seed)
    clips, order = mocap.clips.numpy(), rng.permutation(len(mocap))
    turn = np.empty(len(mocap), int)
    for clip in np.unique(clips):
        frames = order[clips[order] == clip]
        turn[frames] = np.arange(len(frames))
    chosen = order[np.argsort(turn[order], kind="stable")][:n]
    return torch.from_numpy(rng.permutation(chosen))


def _seed(name: str) -> int:
    """Return the set's seed; a mocap file of the user's own is seen as HDM05 is."""
    return SEEDS.get(name, SEEDS["test-mocap"])


def _mocap_path(name: str) -> Path:
    """Find the file. Raises DataError saying where it was looked for."""
    if name != "test-mocap":
        if not Path(name).is_file():
            raise DataError(f"no test set {name!r}: take {', '.join(TEST_SETS)} or a mocap file")
        return Path(name)
    path = find_mocap(TEST_MOCAP)
    if path is None:
        raise DataError(
            f"test-mocap needs {TEST_MOCAP} in the folder $HMR_EDU_MOCAP; or name a mocap file "
            "of your own instead"
        )
    return path
