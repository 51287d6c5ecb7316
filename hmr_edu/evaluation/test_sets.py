"""Held-out test sets: fixed people who are in no training run.

Pictures come from the same generator as in training, with seeds that no run can have. The sets
differ in their poses. `test-prior` draws from the shipped pose prior, as training does.
`test-mocap` shows recorded poses of other people, recorded in another laboratory. `test-mocap-2`
shows the same people after two slips of the conversion were mended: ankles stood too wide, and no
knee was ever straight. `test-everyday` shows people who stand, talk and walk, drawn by the rule of
`standing` from a pool of its own.
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
from hmr_edu.data.poses.standing import Standing
from hmr_edu.data.source import BatchSource
from hmr_edu.data.synthetic.people import Scene, SyntheticConfig, SyntheticPeople
from hmr_edu.io.errors import DataError

# The sets that runs and lessons measure on, and those that are measured on when asked for.
TEST_SETS = ("test-prior", "test-mocap")
ASKED_FOR = ("test-mocap-2", "test-everyday")
# The mocap of the sets: HDM05, on which nothing here is trained.
MOCAP = {"test-mocap": "hdm05_poses.npz", "test-mocap-2": "hdm05_poses_knees.npz"}
# A run's random numbers depend on (seed, batch), two 32-bit words. These seeds have two words
# themselves, the upper one above every batch number. So they can never coincide with a run's.
# Every set of recordings has that of `test-mocap`, so both show the same frames and clothes.
SEEDS = {
    "test-prior": 0xE5A15EED_00000001,
    "test-mocap": 0xE5A15EED_00000002,
    "test-everyday": 0xE5A15EED_00000005,
}
# People in a batch. Fixed, because another size of batch would give other pictures.
BATCH = 50


@dataclass
class InOrder:
    """A pose source without chance: returns its poses one after the other, then again."""

    poses: Float[Tensor, "N 72"]
    position: int = 0

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Return the next `n` poses; the generator is not used."""
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
    """A fixed list of labelled pictures, in batches; iterate over it as often as needed.

    No picture is kept in memory. A picture is made again, exactly the same, whenever it is needed.

    Args:
        name: the set's key in records.
        batches: where the pictures come from.
        body: the body of the people in the pictures.
        source: describes in words where the poses come from.
        images: how many pictures there are.
    """

    __test__ = False  # not a test, despite its name

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
        """Make batch number `index` on the CPU: every device is tested on the same pictures."""
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
    """Make a held-out test set.

    Every recorded pose is shown at most once, and all clips give equally many poses as far as
    possible. Clothes and scenes differ from those in training.

    Raises DataError when the mocap is not found or too small, or `images` is not positive.

    Args:
        name: one of `TEST_SETS` or `ASKED_FOR`, or the path of a mocap file of the user's own.
        body: the body model.
        config: how the people look and are photographed.
        images: how many pictures the set has.
    """
    if images < 1:
        raise DataError(f"{name}: a test set needs at least 1 image, not {images}")
    seed = _seed(name)
    # Clothes and scenes get another seed too. (Torch's seeds are signed, hence the shift.)
    appearance = replace(config.appearance, seed=seed >> 1)
    config = replace(config, batch_size=BATCH, appearance=appearance)
    if name == "test-prior":
        people = SyntheticPeople(body, load_pose_prior(), config, seed)
        return TestSet(name, people, body, "the shipped pose prior", images)
    if name == "test-everyday":
        people = SyntheticPeople(body, Standing(load_pose_prior(), seed), config, seed)
        return TestSet(name, people, body, "people who stand, talk and walk, by rule", images)
    path = _mocap_path(name)
    mocap = load_mocap(path)
    if images > len(mocap):
        raise DataError(f"{path}: has {len(mocap)} poses, ask for at most as many, not {images}")
    poses = InOrder(mocap.poses[spread(mocap, images, seed)])
    source = f"{path.name}, {images:,} of {len(mocap):,} poses"
    people = PeopleInOrder(body, poses, config, seed)
    return TestSet(name if name in MOCAP else path.stem, people, body, source, images)


test_set.__test__ = False  # not a test either  # ty: ignore[missing-attribute]


def find_test_sets() -> tuple[str, ...]:
    """Return the names of the sets that have data: `test-prior`, `test-mocap` if it is found."""
    return TEST_SETS if find_mocap(MOCAP["test-mocap"]) else TEST_SETS[:1]


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
    """Return the seed of a set; sets of recordings have the seed of `test-mocap`."""
    return SEEDS.get(name, SEEDS["test-mocap"])


def _mocap_path(name: str) -> Path:
    """Find the file. Raises DataError saying where it was looked for."""
    if name not in MOCAP:
        if not Path(name).is_file():
            known = ", ".join(TEST_SETS + ASKED_FOR)
            raise DataError(f"no test set {name!r}: take {known} or a mocap file")
        return Path(name)
    path = find_mocap(MOCAP[name])
    if path is None:
        raise DataError(
            f"{name} needs {MOCAP[name]} in the folder $HMR_EDU_MOCAP; or name a mocap file "
            "of your own instead"
        )
    return path
