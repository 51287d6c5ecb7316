"""Annotated photographs with bodies for labels: those that a network lifts from the keypoints.

SPIN (Kolotouros et al., ICCV 2019) labels photographs with bodies that are fitted to their 2D
keypoints, in the loop of the training. Here the network of keypoints gives them, a thousand times
faster than a fit. Not every such body is right. So it is trusted only where it explains the
keypoints, and where there are enough of them; the others keep their 2D keypoints as the only label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hmr_edu.crop import visible_box
from hmr_edu.data.batch import Batch, TensorDataclass
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.source import AnnotatedPhotos, Crops
from hmr_edu.fitting.flip_test import lift
from hmr_edu.hmr import HMR

# People lifted at once.
CHUNK = 512


@dataclass
class Labels(TensorDataclass):
    """The lifted bodies of people, in the coordinates of their crops, and which are trusted."""

    keypoints3d: Float[Tensor, "people 19 3"]
    rotations: Float[Tensor, "people 24 3 3"]
    betas: Float[Tensor, "people 10"]
    camera: Float[Tensor, "people 3"]
    error: Float[Tensor, " people"]
    trusted: Bool[Tensor, " people"]

    def rows(self, rows: Int64[Tensor, " n"]) -> Labels:
        """Return the labels of some people."""
        return self._map(lambda tensor: tensor[rows])


@dataclass
class LabelledCrops(TensorDataclass):
    """Crops of people, with the labels of their bodies."""

    crops: Crops
    labels: Labels


@torch.no_grad()
def label_people(
    lifter: HMR, people: list[AnnotatedPerson], most_error: float = 0.06, least: int = 8
) -> Labels:
    """Lift the annotated keypoints of people, and decide which bodies to trust.

    `error` is the mean distance of the annotated keypoints from the body's, in half-sides of the
    box around them.

    Args:
        lifter: a network of keypoints.
        people: from `read_annotations`.
        most_error: the largest error of a trusted body.
        least: keypoints that a trusted body needs.
    """
    keypoints2d = torch.stack([person.crop.to_crop(person.keypoints2d) for person in people])
    visible = torch.stack([person.visible for person in people])
    lifted = [
        lift(lifter, *chunk, vertices=False)[-1]
        for chunk in zip(keypoints2d.split(CHUNK), visible.split(CHUNK), strict=True)
    ]
    projected = torch.cat([p.keypoints2d for p in lifted])
    known = visible > 0
    half = visible_box(keypoints2d, visible)[:, 2]
    distance = (projected - keypoints2d).norm(dim=2).where(known, 0.0)
    error = distance.sum(1) / known.sum(1).clamp_min(1) / half
    return Labels(
        keypoints3d=torch.cat([p.keypoints3d for p in lifted]),
        rotations=torch.cat([p.rotations for p in lifted]),
        # Of another body's shape nothing is known.
        betas=torch.cat([p.betas if lifter.shape_known else p.betas * torch.nan for p in lifted]),
        camera=torch.cat([p.camera for p in lifted]),
        error=error,
        trusted=(error <= most_error) & (known.sum(1) >= least),
    )


class LabelledPhotos:
    """A `BatchSource` of annotated photographs, of which the trusted have a theta and 3D keypoints.

    Args:
        photos: the photographs.
        lifter: the network of keypoints that labels them.
        most_error, least: as for `label_people`.
    """

    def __init__(
        self, photos: AnnotatedPhotos, lifter: HMR, most_error: float = 0.06, least: int = 8
    ) -> None:
        self.photos = photos
        self.batch_size, self.image_size = photos.batch_size, photos.image_size
        self.labels = label_people(lifter, photos.people, most_error, least)

    @property
    def trusted(self) -> float:
        """The share of people whose body is trusted."""
        return float(self.labels.trusted.float().mean())

    def prepare(self, index: int) -> LabelledCrops:
        """Read and crop the people of batch `index`; errors as `AnnotatedPhotos.prepare`."""
        rows = torch.tensor(self.photos.rows(index))
        return LabelledCrops(self.photos.prepare(index), self.labels.rows(rows))

    def finish(self, prepared: LabelledCrops, device: torch.device | str = "cpu") -> Batch:
        """Return the batch on `device`; the flags `has_3d` and `has_theta` say who is trusted."""
        batch = self.photos.finish(prepared.crops, device)
        labels = prepared.labels.to(device)
        return replace(
            batch,
            keypoints3d=labels.keypoints3d,
            rotations=labels.rotations,
            betas=labels.betas,
            camera=labels.camera,
            has_3d=labels.trusted,
            has_theta=labels.trusted,
        )

    def mean_theta(self) -> None:
        """Return None: the pose of people in annotated photographs is no fair draw of poses."""
