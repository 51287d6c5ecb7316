"""The input of a training step: pictures, and for each the labels that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int64, Shaped, UInt8
from torch import Tensor

from hmr_edu.io.pixels import check_unit
from hmr_edu.masks import MaskLabels

T = TypeVar("T", bound="TensorDataclass")


class TensorDataclass:
    """A dataclass whose tensors, nested ones included, move between devices together."""

    def to(self: T, device: torch.device | str) -> T:
        """Return the same values on another device. Copies from pinned memory do not wait."""
        # Only on the way to a GPU: values that come back are read immediately.
        ahead = torch.device(device).type != "cpu"
        return self._map(lambda tensor: tensor.to(device, non_blocking=ahead))

    def pin_memory(self: T) -> T:
        """Return the same values in pinned memory, which a GPU can read directly.

        `DataLoader` calls this. Raises RuntimeError where there is no GPU.
        """
        return self._map(Tensor.pin_memory)

    def named_tensors(self) -> dict[str, Tensor]:
        """Return all tensors by their names; "a.b" is field `b` of the field `a`."""
        found: dict[str, Tensor] = {}
        for name in (f.name for f in fields(self)):  # type: ignore
            value = getattr(self, name)
            if isinstance(value, Tensor):
                found[name] = value
            elif isinstance(value, TensorDataclass):
                found |= {f"{name}.{inner}": t for inner, t in value.named_tensors().items()}
        return found

    def _map(self: T, function: Callable[[Tensor], Tensor]) -> T:
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore
        tensors = {k: function(v) for k, v in values.items() if isinstance(v, Tensor)}
        nested = {k: v._map(function) for k, v in values.items() if isinstance(v, TensorDataclass)}
        return replace(self, **tensors, **nested)  # type: ignore


@dataclass
class SurfacePoints(TensorDataclass):
    """Points of the body's surface and where pictures show them: dense correspondences.

    A point lies in a face of the body: `weights`, with the sum 1, of its three `vertices`. `places`
    are in crop coordinates, and move with the crop as keypoints do. `confidence` is 0 where a point
    is unknown or not visible: its other values then mean nothing.
    """

    vertices: Int64[Tensor, "batch P 3"]
    weights: Float[Tensor, "batch P 3"]
    places: Float[Tensor, "batch P 2"]
    confidence: Float[Tensor, "batch P"]

    @classmethod
    def unknown(cls, people: int, points: int, device: torch.device | str = "cpu") -> SurfacePoints:
        """Make points of which nothing is known."""
        return cls(
            vertices=torch.zeros(people, points, 3, dtype=torch.int64, device=device),
            weights=torch.zeros(people, points, 3, device=device),
            places=torch.zeros(people, points, 2, device=device),
            confidence=torch.zeros(people, points, device=device),
        )

    def mirrored(self, partner: Int64[Tensor, " V"]) -> SurfacePoints:
        """Return the points of the mirrored pictures; `partner` as of `body.mirror_vertices`."""
        places = self.places * self.places.new_tensor((-1, 1))
        return replace(self, vertices=partner[self.vertices], places=places)

    @staticmethod
    def join(points: Sequence[SurfacePoints]) -> SurfacePoints:
        """Put the points of several batches into one; missing points are unknown."""
        most = max(p.confidence.shape[1] for p in points)

        def widened(p: SurfacePoints) -> SurfacePoints:
            more = most - p.confidence.shape[1]
            extra = SurfacePoints.unknown(len(p.confidence), more, p.confidence.device)
            return SurfacePoints(*_concatenated((p, extra), 1))

        return SurfacePoints(*_concatenated([widened(p) for p in points], 0))


def _concatenated(points: Sequence[SurfacePoints], dim: int) -> list[Tensor]:
    names = [f.name for f in fields(SurfacePoints)]
    return [torch.cat([getattr(p, name) for p in points], dim) for name in names]


@dataclass
class Batch(TensorDataclass):
    """Pictures with labels. A flag that is False marks a missing label: its values mean nothing.

    `images` are RGB in [0, 1]. `keypoints2d` are in crop coordinates [-1, 1]; `visible` is 1 where
    a keypoint is in the picture and not behind an occluder, or where it is annotated. A crop may
    reach beyond its picture: keypoints there are labelled, and not visible.
    `keypoints3d` (metres) and `rotations` are in the camera frame. NaN in `keypoints3d` marks a
    keypoint that is unknown where others are known; NaN in `betas` marks a theta of which only the
    pose is known. `camera` is the weak-perspective camera that explains the keypoints best.
    `parts` is the body part of each pixel, at any resolution: 0 for the background, 1 + joint, or
    `hmr_edu.keypoints.PERSON` where only the person is known. Other people are background. A part
    of a synthetic person that is covered is labelled; one beyond the picture is not.
    `has_silhouette` says that `parts` tells person from background; it is `has_parts` unless given,
    and also True of masks without parts. `dense` are points of the surface, or None where no sample
    has any.

    `ray` is the direction of the crop's centre in the frame of the picture's camera, of length 1:
    (0, 0, 1) in the middle of the picture, NaN where it is unknown; None where no sample has any.
    Off the axis the labels' camera frame is that of a camera which looks along the ray:
    `hmr_edu.camera.axis_to_ray` takes it to the picture's frame.
    """

    images: Float[Tensor, "batch 3 H W"]
    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]
    parts: UInt8[Tensor, "batch rows columns"]
    has_3d: Bool[Tensor, " batch"]
    has_theta: Bool[Tensor, " batch"]
    has_parts: Bool[Tensor, " batch"]
    has_silhouette: Bool[Tensor, " batch"] | None = field(default=None, kw_only=True)
    dense: SurfacePoints | None = field(default=None, kw_only=True)
    ray: Float[Tensor, "batch 3"] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.has_silhouette is None:
            self.has_silhouette = self.has_parts

    def __len__(self) -> int:
        return len(self.betas)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network reads."""
        return (self.images,)

    @property
    def known3d(self) -> Bool[Tensor, "batch 19"]:
        """True where a 3D keypoint is labelled."""
        return self.has_3d[:, None] & ~self.keypoints3d.isnan().any(2)

    @property
    def has_betas(self) -> Bool[Tensor, " batch"]:
        """True where the betas are labelled, and the mesh with them."""
        return self.has_theta & ~self.betas.isnan().any(1)

    @classmethod
    def of_2d(
        cls,
        images: Shaped[Tensor, "batch 3 H W"],
        keypoints2d: Float[Tensor, "batch 19 2"],
        visible: Float[Tensor, "batch 19"],
    ) -> Batch:
        """Make a batch of pictures that have 2D keypoints and no other label.

        Raises ValueError as `hmr_edu.io.pixels.check_unit`, for example on bytes.
        """
        check_unit(images)
        n, device = len(images), images.device
        unknown = torch.zeros(n, dtype=torch.bool, device=device)
        return cls(
            images=images,
            keypoints2d=keypoints2d,
            visible=visible,
            keypoints3d=torch.zeros(n, 19, 3, device=device),
            rotations=torch.eye(3, device=device).expand(n, 24, 3, 3),
            betas=torch.zeros(n, 10, device=device),
            camera=torch.zeros(n, 3, device=device),
            parts=torch.zeros(n, *images.shape[2:], dtype=torch.uint8, device=device),
            has_3d=unknown,
            has_theta=unknown,
            has_parts=unknown,
        )

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """Put several batches of one kind and picture size into one."""
        kind = type(batches[0])
        names = [f.name for f in fields(kind) if f.name not in ("dense", "ray")]
        dense = None
        if any(batch.dense is not None for batch in batches):
            none = (SurfacePoints.unknown(len(b), 0, b.betas.device) for b in batches)
            dense = SurfacePoints.join([b.dense or n for b, n in zip(batches, none, strict=True)])
        ray = None
        if any(batch.ray is not None for batch in batches):
            unknown = (torch.full_like(batch.camera, torch.nan) for batch in batches)
            rays = zip(batches, unknown, strict=True)
            ray = torch.cat([nan if batch.ray is None else batch.ray for batch, nan in rays])
        joined = {k: torch.cat([getattr(batch, k) for batch in batches]) for k in names}
        return kind(**joined, dense=dense, ray=ray)

    def first(self, n: int) -> Batch:
        """Return the first `n` samples."""
        return self.rows(slice(n))

    def rows(self, rows: Tensor | slice) -> Batch:
        """Return the chosen samples."""
        return self._map(lambda tensor: tensor[rows])

    def without_labels(self, *, theta: bool, keypoints3d: bool, parts: bool) -> Batch:
        """Return the same pictures with some kinds of label hidden, as if they were unknown.

        Silhouettes and dense correspondences stay: they are 2D labels, and no loss reads them
        unless it is asked to.
        """
        hidden = {"has_theta": theta, "has_3d": keypoints3d, "has_parts": parts}
        return replace(
            self, **{k: torch.zeros_like(getattr(self, k)) for k, hide in hidden.items() if hide}
        )


@dataclass
class KeypointBatch(Batch):
    """People for a network that reads keypoints: `images` have one pixel, and nobody reads them.

    `detected` is what a detector or an annotator says, in crop coordinates; `confidence` is 0 where
    it says nothing. `keypoints2d` are the true places.
    """

    detected: Float[Tensor, "batch 19 2"]
    confidence: Float[Tensor, "batch 19"]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network reads."""
        return self.detected, self.confidence


@dataclass
class MeshBatch(Batch):
    """A batch with the meshes of its labelled bodies, for the loss terms that need them.

    `sample` are vertices spread over the body, for terms that need no more; `sample_parts` is the
    part (1 + joint) of each.
    """

    vertices: Float[Tensor, "batch V 3"]
    sample: Int64[Tensor, "batch S"]
    sample_parts: Int64[Tensor, "batch S"]

    @classmethod
    def of(
        cls,
        batch: Batch,
        vertices: Float[Tensor, "batch V 3"],
        sample: Int64[Tensor, " S"],
        sample_parts: Int64[Tensor, " S"],
    ) -> MeshBatch:
        """Add the meshes to the labels of a batch of any kind."""
        return cls(
            **{f.name: getattr(batch, f.name) for f in fields(Batch)},
            vertices=vertices,
            sample=sample.expand(len(batch), -1),
            sample_parts=sample_parts.expand(len(batch), -1),
        )

    @cached_property
    def masks(self) -> MaskLabels:
        """What the terms of silhouettes read of `parts`; made once for all regression steps."""
        return MaskLabels.of(self.parts)
