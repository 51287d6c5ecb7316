"""Annotated photographs as a source of training batches: 2D keypoints, and what else is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from hmr_edu.camera import fit_weak_perspective
from hmr_edu.data.augment import (
    AugmentConfig,
    Labels,
    OwnDraws,
    Placement,
    cut_out,
    draw_placement,
    place_labels,
    repaint,
)
from hmr_edu.data.batch import Batch, TensorDataclass
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.crops import check_crop
from hmr_edu.data.photos.outlines import draw_outline
from hmr_edu.data.photos.pictures import check_size, read_photo
from hmr_edu.data.photos.table import PeopleTable
from hmr_edu.data.source import batch_seed
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import HIPS
from hmr_edu.rotations import axis_angle_to_matrix

# People who are tried in the place of one whose picture is damaged.
ATTEMPTS = 20
# Damaged pictures that are told by name; the others are counted.
TOLD = 10


@dataclass
class Crops(TensorDataclass):
    """Crops of people as bytes, with their labels in crop coordinates and the camera frame.

    NaN marks an unknown number. `problems` says, in one line each, which pictures were skipped.
    """

    pixels: UInt8[Tensor, "batch 3 H W"]
    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    pose: Float[Tensor, "batch 72"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]
    masks: UInt8[Tensor, "batch H W"]
    has_mask: Bool[Tensor, " batch"]
    seeds: Int64[Tensor, " batch"]
    problems: tuple[str, ...] = ()


class AnnotatedPhotos:
    """A `BatchSource` of annotated people; a reader of a data set returns these.

    Everybody comes once in each round, in an order that differs from round to round. Pictures are
    read when they are needed. One that cannot be read is skipped: somebody else takes its place,
    the first of them are told, and all are counted in `skipped`.

    Raises DataError when there are no people.

    Args:
        people: a table, `open_data_set` returns one, or people from `read_annotations`.
        batch_size: people in a batch.
        image_size: pixels along each side of a crop.
        seed: random seed of the order and of the augmentation.
        augment: how the crops vary.
        betas: whether the betas of the data set are those of the body that is trained on.
        least: keypoints that a person must have to be drawn.
    """

    def __init__(
        self,
        people: PeopleTable | Sequence[AnnotatedPerson],
        batch_size: int,
        image_size: int,
        seed: int = 0,
        augment: AugmentConfig | None = None,
        betas: bool = False,
        least: int = 0,
    ) -> None:
        if not len(people):
            raise DataError("a source of photographs needs at least one annotated person")
        self.people = people if isinstance(people, PeopleTable) else PeopleTable.of(people)
        # Row numbers, not a smaller table: that would be a copy in every process.
        self.chosen = np.flatnonzero((self.people.visible > 0).sum(1) >= least)
        if not len(self.chosen):
            raise DataError(f"nobody of {len(people)} people has {least} keypoints")
        self.batch_size, self.image_size, self.seed = batch_size, image_size, seed
        self.augment = augment or AugmentConfig()
        self.betas = betas
        self.skipped = 0
        self._order: tuple[int, Tensor] | None = None

    def rows(self, index: int) -> list[int]:
        """Return which people batch `index` shows, if all their pictures can be read."""
        first = index * self.batch_size
        return [self._row(place) for place in range(first, first + self.batch_size)]

    def _row(self, place: int) -> int:
        """Return who has a place in the endless line of people."""
        round_, number = divmod(place, len(self.chosen))
        if self._order is None or self._order[0] != round_:
            g = torch.Generator().manual_seed(batch_seed(self.seed, round_))
            self._order = round_, torch.randperm(len(self.chosen), generator=g)
        return int(self.chosen[self._order[1][number]])

    def prepare(self, index: int) -> Crops:
        """Read and crop the people of batch `index`.

        Raises DataError that names a file when many pictures in a row cannot be used.
        """
        first, rows = index * self.batch_size, self.rows(index)
        seeds = [batch_seed(self.seed + 2, first + k) for k in range(self.batch_size)]
        chosen, pixels, placements, problems = [], [], [], []
        for row, seed in zip(rows, seeds, strict=True):
            row, crop, placement, trouble = self._read(row, seed)
            chosen.append(row)
            pixels.append(crop)
            placements.append(placement)
            problems += trouble
        known = self.people.tensors(chosen)
        labels = place_labels(Labels(*(known[name] for name in Labels._fields)), placements)
        return Crops(
            torch.stack(pixels),
            *labels,
            known["betas"],
            _cameras(labels),
            *self._masks(chosen, placements),
            torch.tensor(seeds),
            tuple(problems),
        )

    def _read(self, first: int, seed: int) -> tuple[int, Tensor, Placement, list[str]]:
        """Cut out a person, or, when the picture is damaged, somebody else."""
        generator, problems = torch.Generator().manual_seed(seed), []
        for row in self._candidates(first, generator):
            person = self.people[row]
            placement = draw_placement(
                person.crop, person.keypoints2d, person.visible, self.augment, generator
            )
            try:
                if size := self.people.size(row):
                    check_size(person.path, size, "the data set")
                photo = read_photo(person.path)
                check_crop(photo, person)
                return row, cut_out(photo, placement, self.image_size), placement, problems
            except (DataError, FileNotFoundError) as error:
                problems.append(str(error))
            except ValueError as error:
                problems.append(f"{person.path}: {error}")
        raise DataError(
            f"{len(problems)} pictures in a row cannot be used; the last: {problems[-1]}"
        )

    def _masks(
        self, rows: Sequence[int], placements: Sequence[Placement]
    ) -> tuple[UInt8[Tensor, "batch H W"], Bool[Tensor, " batch"]]:
        """Return the masks of people, and who has one."""
        masks = torch.zeros(len(rows), self.image_size, self.image_size, dtype=torch.uint8)
        has_mask = torch.zeros(len(rows), dtype=torch.bool)
        for k, (row, placement) in enumerate(zip(rows, placements, strict=True)):
            outline = self.people.outline(row)
            if outline is not None:
                masks[k] = draw_outline(outline, placement, self.image_size)
                has_mask[k] = True
        return masks, has_mask

    def _candidates(self, first: int, generator: torch.Generator) -> Iterator[int]:
        yield first
        for _ in range(ATTEMPTS - 1):
            yield int(self.chosen[torch.randint(len(self.chosen), (), generator=generator)])

    def finish(self, prepared: Crops, device: torch.device | str = "cpu") -> Batch:
        """Return the batch on `device`."""
        self._tell(prepared.problems)
        crops = prepared.to(device)
        images = repaint(
            crops.pixels.float() / 255, self.augment, OwnDraws(prepared.seeds.tolist(), device)
        )
        batch = Batch.of_2d(images, crops.keypoints2d, crops.visible)
        has_theta = crops.pose.isfinite().all(1)
        has_3d = crops.keypoints3d[:, list(HIPS)].isfinite().flatten(1).all(1)
        batch.rotations = _known_rotations(crops.pose, has_theta)
        batch.keypoints3d, batch.has_3d, batch.has_theta = crops.keypoints3d, has_3d, has_theta
        batch.betas = crops.betas if self.betas else torch.full_like(crops.betas, torch.nan)
        batch.camera = crops.camera
        batch.parts, batch.has_silhouette = crops.masks, crops.has_mask
        return batch

    def _tell(self, problems: Sequence[str]) -> None:
        """Say which pictures were skipped."""
        for problem in problems:
            self.skipped += 1
            if self.skipped <= TOLD:
                tqdm.write(f"skipped: {problem}", file=sys.stderr)
            if self.skipped == TOLD:
                tqdm.write("skipped: more are counted, not told", file=sys.stderr)

    def mean_theta(self) -> None:
        """Return None: the poses of the people in photographs are no fair draw of poses."""


def _known_rotations(
    pose: Float[Tensor, "batch 72"], known: Tensor
) -> Float[Tensor, "batch 24 3 3"]:
    """Return rotation matrices; the identity where the pose is not known."""
    return axis_angle_to_matrix(pose.masked_fill(~known[:, None], 0.0).unflatten(1, (24, 3)))


def _cameras(labels: Labels) -> Float[Tensor, "batch 3"]:
    """Return the cameras that explain the 2D keypoints best; zeros where none does."""
    known = (labels.visible > 0) & labels.keypoints3d.isfinite().all(2)
    camera = torch.zeros(len(known), 3)
    for row in known.any(1).nonzero()[:, 0].tolist():
        with suppress(ValueError):
            camera[row] = fit_weak_perspective(
                labels.keypoints3d[row], labels.keypoints2d[row], known[row]
            )
    return camera
