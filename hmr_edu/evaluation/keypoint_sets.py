"""Held-out test sets for networks that read keypoints: the people of the picture sets.

The people, their poses and their cameras are those of `hmr_edu.evaluation.test_sets`, so numbers
can be compared with those of pictures. The network gets their true 2D keypoints, the same with
noise, or some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hmr_edu.body import SMPL
from hmr_edu.data.batch import KeypointBatch
from hmr_edu.data.detections.people import Detected, as_batch, put_in_box
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.evaluation.test_sets import SEEDS, TestSet, test_set

# Pixels of pictures that nobody looks at.
SMALL = 8


@dataclass(frozen=True)
class Given:
    """What the network is given of the true 2D keypoints.

    Args:
        noise: standard deviation of x and of y, as a share of the longer side of the box.
        missing: share of the keypoints that are missing, at random.
    """

    noise: float = 0.0
    missing: float = 0.0


# What is added to a set's name for each way of giving keypoints.
GIVEN = {"": Given(), ", 3 % noise": Given(noise=0.03), ", 30 % missing": Given(missing=0.3)}


class KeypointsOfPictures:
    """A `BatchSource`: the people of pictures, of which the network gets keypoints alone.

    Args:
        pictures: where the people come from.
        given: what the network gets of them.
        image_size: that of the network.
        seed: of the noise.
    """

    def __init__(self, pictures: SyntheticPeople, given: Given, image_size: int, seed: int) -> None:
        self.pictures, self.given, self.seed = pictures, given, seed
        self.batch_size, self.image_size = pictures.batch_size, image_size

    def prepare(self, index: int) -> Detected:
        """Draw the people of batch `index`, and what is given of their keypoints."""
        scene = self.pictures.prepare(index)
        g = torch.Generator().manual_seed(batch_seed(self.seed, index))
        true = scene.keypoints2d
        side = (true.amax(1) - true.amin(1)).amax(1)[:, None, None]
        noise = torch.randn(true.shape, generator=g)
        known = torch.rand(true.shape[:2], generator=g) >= self.given.missing
        return put_in_box(
            Detected(
                detected=true + self.given.noise * side * noise,
                confidence=known.float(),
                keypoints2d=true,
                keypoints3d=scene.keypoints3d,
                rotations=scene.rotations,
                betas=scene.betas,
                camera=scene.camera,
            )
        )

    def finish(self, prepared: Detected, device: torch.device | str = "cpu") -> KeypointBatch:
        """Return the batch on `device`."""
        return as_batch(prepared.to(device))

    def mean_theta(self) -> None:
        """Return None: nothing is trained on a test set."""


def keypoint_sets(pictures: TestSet, image_size: int) -> list[TestSet]:
    """Return the sets of keypoints of a set of pictures, one for each entry of `GIVEN`."""
    people = pictures.batches
    assert isinstance(people, SyntheticPeople)
    seed = SEEDS.get(pictures.name, SEEDS["test-mocap"]) + 2
    return [
        TestSet(
            pictures.name + addition,
            KeypointsOfPictures(people, given, image_size, seed),
            pictures.body,
            pictures.source,
            pictures.images,
        )
        for addition, given in GIVEN.items()
    ]


def sets_for(
    encoder: str,
    names: Sequence[str],
    body: SMPL,
    config: SyntheticConfig,
    images: int,
) -> list[TestSet]:
    """Return the held-out sets for a network of this encoder. Raises DataError as `test_set`.

    Args:
        encoder: the name of the network's encoder.
        names: of the sets, or paths of mocap files.
        body: the body model.
        config: how the people of pictures look; people of whom only the keypoints are seen have
            the default cameras.
        images: how many people each set has.
    """
    if encoder != "keypoints":
        return [test_set(name, body, config, images) for name in names]
    unseen = SyntheticConfig(image_size=SMALL, appearance=APPEARANCES["plain"])
    pictures = [test_set(name, body, unseen, images) for name in names]
    return [s for each in pictures for s in keypoint_sets(each, config.image_size)]
