"""From 2D keypoints to a feature vector: an encoder without an appearance gap.

A detector or a person has already found the keypoints, so nothing of clothes, light or background
reaches the network. Martinez et al. 2017, "A simple yet effective baseline for 3d human pose
estimation", lift 2D to 3D joints with such a residual perceptron. Here its features go to HMR's
regressor, so the answer is a body.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.crop import into_box, visible_box
from hmr_edu.encoder.heads import NUM_KEYPOINTS, Features
from hmr_edu.io.precision import holds

# Numbers of a keypoint: x, y, confidence.
INPUTS = 3 * NUM_KEYPOINTS
# Features for each unit of `width`, as many as ResNet-18 has.
EXPANSION = 8


class ResidualBlock(nn.Module):
    """Two linear layers beside a shortcut; the norm comes first, as in a transformer."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, features),
            nn.ReLU(),
            nn.Linear(features, features),
        )

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Add the residual to the shortcut."""
        return x + self.layers(x)


class KeypointEncoder(nn.Module):
    """The encoder: COCO+ keypoints with confidences in, `Features` out.

    The keypoints may have any unit: they are put into the box around those that have a confidence.
    So where and how large a person is in the picture makes no difference. `Features.box` says which
    box it was.

    Args:
        width: the features are 8 times as many, as those of a ResNet-18 of this width.
        blocks: residual blocks.
    """

    def __init__(self, width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.feature_dim = EXPANSION * width
        self.first = nn.Linear(INPUTS, self.feature_dim)
        self.blocks = nn.Sequential(*(ResidualBlock(self.feature_dim) for _ in range(blocks)))
        self.last = nn.Sequential(nn.LayerNorm(self.feature_dim), nn.ReLU())

    def forward(self, keypoints2d: Tensor, confidence: Tensor) -> Features:
        """Encode keypoints [B, 19, 2], x right and y down, with confidences [B, 19].

        A keypoint of confidence 0 is missing; its place may be anything, NaN included. Raises
        ValueError on other shapes and, on the CPU, on a confidence outside [0, 1] or a place that
        is not finite.
        """
        _check_keypoints(keypoints2d, confidence)
        box = visible_box(keypoints2d, confidence)
        known = (confidence > 0)[..., None]
        places = torch.where(known, into_box(keypoints2d.to(box), box), 0.0)
        numbers = torch.cat([places, confidence[..., None].to(box)], dim=2).flatten(1)
        features = self.last(self.blocks(self.first(numbers.to(self.first.weight.dtype))))
        return Features(vector=features, box=box)


def _check_keypoints(keypoints2d: Tensor, confidence: Tensor) -> None:
    n = len(keypoints2d)
    shapes = (n, NUM_KEYPOINTS, 2), (n, NUM_KEYPOINTS)
    if (keypoints2d.shape, confidence.shape) != shapes:
        raise ValueError(
            f"keypoints2d must be [B, {NUM_KEYPOINTS}, 2] and confidence [B, {NUM_KEYPOINTS}], got "
            f"{list(keypoints2d.shape)} and {list(confidence.shape)}"
        )
    if not (keypoints2d.is_floating_point() and confidence.is_floating_point()):
        types = f"{keypoints2d.dtype} and {confidence.dtype}"
        raise ValueError(f"keypoints2d and confidence must be floating, got {types}")
    # On a GPU, reading a value back would make the program wait for all work queued so far.
    if keypoints2d.device.type == "cpu":
        if not holds((confidence >= 0) & (confidence <= 1)):  # also of NaN
            raise ValueError("a confidence must be in [0, 1]")
        if not holds(keypoints2d.isfinite().all(2) | (confidence == 0)):
            raise ValueError("a keypoint with a confidence has a place that is NaN or infinite")
