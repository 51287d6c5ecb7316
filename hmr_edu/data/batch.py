"""What a training step is given: pictures, and for each what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


@dataclass
class Batch:
    """Pictures with labels. A sample whose flag is False has no such label: its values are junk.

    images in [0, 1], RGB; keypoints2d in crop coordinates [-1, 1]; visible 1 where a keypoint
    is in the picture and not behind an occluder; keypoints3d and rotations in the camera frame,
    metres; camera is the weak-perspective camera that explains the keypoints best.
    parts: body part of each pixel, 0 background, 1 + joint otherwise.
    """

    images: Float[Tensor, "batch 3 H W"]
    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]
    parts: UInt8[Tensor, "batch H W"]
    has_3d: Bool[Tensor, " batch"]
    has_theta: Bool[Tensor, " batch"]
    has_parts: Bool[Tensor, " batch"]

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def first(self, n: int) -> Batch:
        """The first `n` samples."""
        return Batch(**{f.name: getattr(self, f.name)[:n] for f in fields(self)})

    def without_labels(self, *, theta: bool, keypoints3d: bool, parts: bool) -> Batch:
        """The same pictures with some kinds of label withheld, as if nobody had made them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for flag, hide in (("has_theta", theta), ("has_3d", keypoints3d), ("has_parts", parts)):
            if hide:
                values[flag] = torch.zeros_like(values[flag])
        return Batch(**values)
