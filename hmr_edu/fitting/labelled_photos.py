"""Annotated photographs with bodies for labels: those that a network lifts from the keypoints.

SPIN (Kolotouros et al., ICCV 2019) labels photographs with bodies that are fitted to their 2D
keypoints, in the loop of the training. Here the network of keypoints gives them, a thousand times
faster than a fit. Not every such body is right. So it is trusted only where it explains the
keypoints, and where there are enough of them; the others keep their 2D keypoints as the only label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.crop import visible_box
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.source import AnnotatedPhotos
from hmr_edu.fitting.flip_test import lift
from hmr_edu.hmr import HMR
from hmr_edu.rotations import matrix_to_axis_angle

# People lifted at once.
CHUNK = 512


class Labels(NamedTuple):
    """The lifted bodies of people, in the camera frame, and which of them are trusted."""

    keypoints3d: Float[Tensor, "people 19 3"]
    pose: Float[Tensor, "people 72"]
    betas: Float[Tensor, "people 10"]
    error: Float[Tensor, " people"]
    trusted: Bool[Tensor, " people"]


@torch.no_grad()
def label_people(
    lifter: HMR, people: Sequence[AnnotatedPerson], most_error: float = 0.06, least: int = 8
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
        pose=torch.cat([matrix_to_axis_angle(p.rotations).flatten(1) for p in lifted]),
        # Of another body's shape nothing is known.
        betas=torch.cat([p.betas if lifter.shape_known else p.betas * torch.nan for p in lifted]),
        error=error,
        trusted=(error <= most_error) & (known.sum(1) >= least),
    )


class LabelledPhotos(AnnotatedPhotos):
    """A `BatchSource` of annotated photographs, of which the trusted have a theta and 3D keypoints.

    `trusted` is their share.

    Args:
        photos: the photographs; their labels in 3D, if there are any, are replaced.
        lifter: the network of keypoints that labels them.
        most_error, least: as for `label_people`.
    """

    def __init__(
        self, photos: AnnotatedPhotos, lifter: HMR, most_error: float = 0.06, least: int = 8
    ) -> None:
        labels = label_people(lifter, photos.people, most_error, least)
        unknown = ~labels.trusted[:, None]
        people = replace(
            photos.people,
            keypoints3d=labels.keypoints3d.masked_fill(unknown[:, None], torch.nan).numpy(),
            pose=labels.pose.masked_fill(unknown, torch.nan).numpy(),
            betas=labels.betas.masked_fill(unknown, torch.nan).numpy(),
        )
        super().__init__(
            people, photos.batch_size, photos.image_size, photos.seed, photos.augment, betas=True
        )
        self.trusted = float(labels.trusted.float().mean())
