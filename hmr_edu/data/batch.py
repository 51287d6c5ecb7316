"""What a training step is given: pictures, and for each what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

M = TypeVar("M", bound="TensorDataclass")


class TensorDataclass:
    """A dataclass whose tensors, and theirs in turn, go from one memory to another together."""

    def to(self: M, device: torch.device | str) -> M:
        """The same values on another device. From pinned memory nothing waits for the copy."""
        # Only on the way there: numbers that come back are read at once.
        ahead = torch.device(device).type != "cpu"
        return self._each(lambda tensor: tensor.to(device, non_blocking=ahead))

    def pin_memory(self: M) -> M:
        """The same values where a GPU fetches them by itself; PyTorch's `DataLoader` asks for it.

        Raises RuntimeError where there is no GPU.
        """
        return self._each(Tensor.pin_memory)

    def _each(self: M, function: Callable[[Tensor], Tensor]) -> M:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {k: function(v) for k, v in values.items() if isinstance(v, Tensor)}
        inside = {k: v._each(function) for k, v in values.items() if isinstance(v, TensorDataclass)}
        return replace(self, **moved, **inside)


@dataclass
class Batch(TensorDataclass):
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
