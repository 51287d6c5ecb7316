"""People as a 2D keypoint detector sees them: their keypoints, each a little off, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.data.batch import Batch, SurfacePoints
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.people import Scene, SyntheticConfig, SyntheticPeople
from hmr_edu.experiments.cameras import box_of

CHUNK = 250
# How far off a detected box is: standard deviation of its sides, in units of its size.
BOX_NOISE = 0.05
KEYPOINTS = ("keypoints2d", "keypoints3d", "rotations", "betas", "camera")


@dataclass
class People:
    """What is known of people (pictures left out), and what a detector says of them."""

    labels: Batch
    detected: Float[Tensor, "people 19 2"]
    box: Float[Tensor, "people 4"]
    focal: Float[Tensor, " people"]

    def __len__(self) -> int:
        return len(self.detected)

    def __getitem__(self, rows: Tensor | slice) -> People:
        return People(self.labels.rows(rows), self.detected[rows], self.box[rows], self.focal[rows])


@lru_cache(maxsize=6)
def draw_people(
    count: int,
    seed: int,
    inverse_focal: tuple[float, float],
    noise: float,
    pixels: int = 0,
    dense: int = 0,
) -> People:
    """Draw people from the shipped pose prior, with a camera each.

    Args:
        count: how many.
        seed: of the draws.
        inverse_focal: 1 / focal length, from and to.
        noise: standard deviation of the detected keypoints, in half-crops.
        pixels: along each side of the label images of parts; 0 for none.
        dense: points of each one's surface with known places.
    """
    source = _source(seed, inverse_focal, pixels, dense)
    scenes = [source.prepare(k) for k in range(-(-count // CHUNK))]

    def all_of(name: str) -> Tensor:
        return torch.cat([getattr(scene, name) for scene in scenes])[:count]

    known = {name: all_of(name) for name in KEYPOINTS}
    everybody = torch.ones(count, dtype=torch.bool)
    labels = Batch(
        images=torch.empty(count, 3, 0, 0),
        visible=torch.ones(count, 19),
        parts=_parts(scenes)[:count] if pixels else torch.empty(count, 0, 0, dtype=torch.uint8),
        has_3d=everybody,
        has_theta=everybody,
        has_parts=everybody if pixels else ~everybody,
        dense=_points(scenes, count),
        **known,
    )
    g = torch.Generator().manual_seed(batch_seed(seed, 2**32))
    detected = labels.keypoints2d + noise * torch.randn(count, 19, 2, generator=g)
    box = box_of(labels.keypoints2d)
    side = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    box = box + BOX_NOISE * side * torch.randn(count, 4, generator=g)
    return People(labels, detected, box, all_of("focal"))


@lru_cache(maxsize=6)
def mean_person(seed: int, inverse_focal: tuple[float, float]) -> Float[Tensor, "85"]:
    """Return where regression starts: their mean camera, pose and shape, facing us."""
    return _source(seed, inverse_focal).mean_theta(batches=2)


def _source(
    seed: int, inverse_focal: tuple[float, float], pixels: int = 0, dense: int = 0
) -> SyntheticPeople:
    data = SyntheticConfig(
        # Eight pixels where nobody will look at them.
        image_size=pixels or 8,
        batch_size=CHUNK,
        inverse_focal=inverse_focal,
        dense=dense,
    )
    return SyntheticPeople(load_body("lite"), load_pose_prior(), data, seed)


def _parts(scenes: list[Scene]) -> UInt8[Tensor, "people rows columns"]:
    return torch.cat([scene.pixels.plane(scene.pixels.part) for scene in scenes])


def _points(scenes: list[Scene], count: int) -> SurfacePoints | None:
    points = [scene.dense for scene in scenes if scene.dense is not None]
    return SurfacePoints.join(points)._map(lambda values: values[:count]) if points else None
