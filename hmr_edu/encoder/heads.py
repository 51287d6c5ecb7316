"""Heads that read feature maps; the spatial head makes HMR trainable without ImageNet weights.

The paper averages the last feature map over the image. With pretrained weights that is fine. From
scratch it learns nothing in minutes, because the network must first turn positions into channels.
The spatial head keeps positions: a heat-map for each keypoint, read by soft-argmax (Sun et al.
2018, "Integral human pose regression"), the depth of the keypoint, and the coarse last map,
flattened instead of averaged. Heat-maps, depths and body parts are also outputs, so that cheap
dense labels can teach them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hmr_edu.crop import cell_centres
from hmr_edu.io.precision import PreciseModule, at_least, float32_inside

NUM_KEYPOINTS = 19  # COCO+
NUM_PARTS = 25  # 24 body parts, and 0 for the background


@dataclass(frozen=True)
class Features:
    """The encoder's output for a batch of images; the regressor reads only `vector`.

    Fields that an encoder or its head does not give are None. `heatmaps` and `parts` are logits:
    the softmax of a heat-map is over its cells, that of parts over the channels. `coordinates` are
    in crop units; `depths` are metres behind the mid-hip, away from the camera. `box` is where the
    encoder of keypoints has seen the person, (x, y, half-side) in the unit of the keypoints: the
    regressor works in the coordinates of that box. `visibility` are logits: of each keypoint being
    in the picture and not hidden.
    """

    vector: Float[Tensor, "batch features"]
    heatmaps: Float[Tensor, "batch keypoints height width"] | None = None
    coordinates: Float[Tensor, "batch keypoints 2"] | None = None
    depths: Float[Tensor, "batch keypoints"] | None = None
    parts: Float[Tensor, "batch parts height width"] | None = None
    box: Float[Tensor, "batch 3"] | None = None
    visibility: Float[Tensor, "batch keypoints"] | None = None

    @property
    def confidence(self) -> Float[Tensor, "batch keypoints"] | None:
        """The probability of each keypoint being visible, in a network that was built to say it."""
        return None if self.visibility is None else self.visibility.sigmoid()


class BatchNorm(PreciseModule, nn.BatchNorm2d):
    """Batch norm in float32 at least: a variance may exceed 65,504, the largest float16."""


class AverageHead(nn.Module):
    """The paper's head: the last map averaged over the image."""

    def __init__(self, stage_channels: Sequence[int]):
        super().__init__()
        self.feature_dim = stage_channels[-1]

    def forward(self, stages: Sequence[Float[Tensor, "batch _ _ _"]]) -> Features:
        """Average the last of the backbone's maps."""
        return Features(vector=stages[-1].mean(dim=(2, 3)))


class SpatialHead(nn.Module):
    """Keypoint heat-maps, depths and body parts from three maps of the backbone, and a vector.

    The last three maps are added up at the resolution of the first of them, as in a feature pyramid
    (Lin et al. 2017): stride 4 behind the "small" stem, 8 behind the "imagenet" stem. The vector
    holds, for each keypoint, (x, y), depth, peak and local features at its place, and then
    the flattened last map.

    Raises ValueError on a backbone of fewer than three maps.

    Args:
        stage_channels: channels of the backbone's maps, of at least three.
        last_map: cells along each side of the last map.
        hidden: channels of the feature pyramid.
        squeezed: channels to which the last map is reduced.
        local: local features of each keypoint.
        keypoints: how many keypoints there are.
        parts: how many body parts there are, background included.
        confidence: whether to say of each keypoint whether it is visible; two small layers read
            what the vector holds of the keypoints. The peak of a heat-map does not say it: a
            softmax has one also where nothing is.
    """

    def __init__(
        self,
        stage_channels: Sequence[int],
        last_map: int,
        hidden: int = 96,
        squeezed: int = 32,
        local: int = 16,
        keypoints: int = NUM_KEYPOINTS,
        parts: int = NUM_PARTS,
        confidence: bool = False,
    ):
        super().__init__()
        if len(stage_channels) < 3:
            raise ValueError(
                f"a spatial head reads three maps, the backbone's stage_channels are "
                f'{list(stage_channels)}: return more maps, or take the pooling "average"'
            )
        self.lateral = nn.ModuleList(nn.Conv2d(c, hidden, 1) for c in stage_channels[-3:])
        self.mix = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, bias=False), BatchNorm(hidden), nn.ReLU()
        )
        self.map_channels = (keypoints, keypoints, parts)
        self.maps = nn.Conv2d(hidden, sum(self.map_channels), 1)
        self.local = nn.Sequential(nn.Conv2d(hidden, local, 1, bias=False), BatchNorm(local))
        self.squeeze = nn.Sequential(
            nn.Conv2d(stage_channels[-1], squeezed, 1, bias=False),
            # No ReLU: hundreds of features that are never negative would push the regressor's
            # units the same way, and kill many of them.
            BatchNorm(squeezed),
            nn.Flatten(),
        )
        # The vector: numbers of the keypoints, then a last map of so many channels and cells.
        self.of_keypoints = (4 + local) * keypoints
        self.squeezed, self.last_map = squeezed, last_map
        self.feature_dim = self.of_keypoints + squeezed * last_map**2
        self.confidence = None
        if confidence:
            # The other weights of a network begin the same with and without it.
            with torch.random.fork_rng(devices=[]):
                self.confidence = nn.Sequential(
                    nn.Linear(self.of_keypoints, 64), nn.ReLU(), nn.Linear(64, keypoints)
                )

    def forward(self, stages: Sequence[Float[Tensor, "batch _ _ _"]]) -> Features:
        """Read the backbone's maps, finest first."""
        fine, middle, coarse = (
            lateral(stage) for lateral, stage in zip(self.lateral, stages[-3:], strict=True)
        )
        pyramid = fine + _resize_like(middle + _resize_like(coarse, middle), fine)
        mixed = self.mix(pyramid)
        maps = self.maps(mixed)
        # Under autocast half precision would round positions to 1/256 of the crop.
        # From here on each map is read by itself, so each is contiguous in memory.
        maps = maps.to(at_least(maps.dtype), memory_format=torch.contiguous_format)
        heatmaps, depth_maps, parts = maps.split(self.map_channels, dim=1)

        probability = heatmaps.flatten(2).softmax(-1).view_as(heatmaps)
        coordinates = soft_argmax(probability)
        depths = (probability * depth_maps).sum(dim=(2, 3))
        # 1 for a single bright cell, 1 / cells for an even map.
        peak = probability.amax(dim=(2, 3))

        # What the picture shows at the keypoint: the mean of the local map under its heat-map.
        local = self.local(mixed).to(probability.dtype)
        local = (probability.flatten(2) @ local.flatten(2).mT).flatten(1)
        squeezed = self.squeeze(stages[-1])
        of_keypoints = torch.cat((coordinates.flatten(1), depths, peak, local), dim=1)
        vector = torch.cat((of_keypoints, squeezed), dim=1)
        visibility = None if self.confidence is None else self.confidence(of_keypoints)
        return Features(vector, heatmaps, coordinates, depths, parts, visibility=visibility)


@float32_inside
def soft_argmax(
    probability: Float[Tensor, "*batch height width"],
) -> Float[Tensor, "*batch 2"]:
    """Return the mean position (x, y) of a probability map, in crop units; differentiable.

    An even map gives the centre: the position has little meaning until the map is sharp.
    """
    height, width = probability.shape[-2:]
    x = (probability.sum(-2) * cell_centres(width, probability)).sum(-1)
    y = (probability.sum(-1) * cell_centres(height, probability)).sum(-1)
    return torch.stack((x, y), dim=-1)


def _resize_like(
    coarse: Float[Tensor, "batch channels _ _"], fine: Float[Tensor, "batch _ height width"]
) -> Float[Tensor, "batch channels height width"]:
    return interpolate(coarse, size=fine.shape[-2:], mode="nearest")
