"""Annotated photographs as a source of training batches, with 2D keypoints as their only label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.data.batch import Batch, TensorDataclass
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.crops import crop_person
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.data.source import batch_seed
from hmr_edu.io.errors import DataError


@dataclass
class Crops(TensorDataclass):
    """Crops of people as bytes, with their keypoints in crop coordinates."""

    pixels: UInt8[Tensor, "batch 3 H W"]
    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]


class AnnotatedPhotos:
    """A `BatchSource` of annotated people; a reader of a data set is a function that returns these.

    A batch is drawn with replacement from all people. Pictures are read when they are needed.
    Raises DataError when there are no people.

    Args:
        people: from `read_annotations`, or the reader of another data set.
        batch_size: people in a batch.
        image_size: pixels along each side of a crop.
        seed: random seed of the draws.
    """

    def __init__(
        self, people: Sequence[AnnotatedPerson], batch_size: int, image_size: int, seed: int = 0
    ) -> None:
        if not people:
            raise DataError("a source of photographs needs at least one annotated person")
        self.people, self.batch_size = list(people), batch_size
        self.image_size, self.seed = image_size, seed

    def rows(self, index: int) -> list[int]:
        """Return which people batch `index` shows."""
        g = torch.Generator().manual_seed(batch_seed(self.seed, index))
        return torch.randint(len(self.people), (self.batch_size,), generator=g).tolist()

    def prepare(self, index: int) -> Crops:
        """Read and crop the people of batch `index`.

        Raises DataError that names the file when a picture cannot be read or cropped.
        """
        people = [self.people[row] for row in self.rows(index)]
        return Crops(
            torch.stack([crop_person(read_photo(p.path), p, self.image_size) for p in people]),
            torch.stack([person.crop.to_crop(person.keypoints2d) for person in people]),
            torch.stack([person.visible for person in people]),
        )

    def finish(self, prepared: Crops, device: torch.device | str = "cpu") -> Batch:
        """Return the batch on `device`."""
        crops = prepared.to(device)
        return Batch.of_2d(crops.pixels.float() / 255, crops.keypoints2d, crops.visible)

    def mean_theta(self) -> None:
        """Return None: the thetas of people in photographs are unknown."""
