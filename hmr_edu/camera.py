"""Cameras: weak perspective, full perspective, their difference, and crops of a picture.

Points are in the camera frame, in metres: x right, y down, z away from the camera. Image points are
in crop coordinates: [-1, 1] over the square crop, x right, y down. The unit is half the side of the
crop, "half-crop"; focal lengths have the same unit. All functions compute in float32 at least, and
return the dtype they are given (`hmr_edu.io.precision`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import torch
from jaxtyping import Bool, Float, Real, Shaped
from torch import Tensor

from hmr_edu.io.precision import at_least, at_least_float32, float32_inside, holds

# Pixels of any number type, and cameras: what `as_floats` takes.
Pixels = Real[Tensor, "*batch 2"] | Real[np.ndarray, "*batch 2"] | Sequence


def as_floats(values: Real[Tensor, "..."] | Real[np.ndarray, "..."] | Sequence) -> Tensor:
    """Return numbers of any type as a floating tensor; one that floats is returned itself.

    A fraction would be lost beside whole numbers, and small whole numbers (uint8) overflow.
    """
    tensor = torch.as_tensor(values)
    return tensor if tensor.is_floating_point() else tensor.to(at_least(torch.get_default_dtype()))


@float32_inside
def weak_perspective(
    points: Float[Tensor, "*batch N 3"], camera: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch N 2"]:
    """Project points [..., N, 3] with cameras (s, tx, ty): x = s (X_xy + t).

    s is in half-crops a metre, t in metres. Depth is ignored. Source: HMR, section 3.1.
    """
    return camera[..., None, :1] * (points[..., :2] + camera[..., None, 1:])


@float32_inside
def perspective(
    points: Float[Tensor, "*batch N 3"],
    translation: Float[Tensor, "*#batch 3"],
    focal: Float[Tensor, "*#batch"],
) -> Float[Tensor, "*batch N 2"]:
    """Project points [..., N, 3] through a pinhole: x = f (X + tx) / (Z + tz), y likewise.

    `translation` (metres) moves the points into the frame of the pinhole, `focal` is in
    half-crops. Raises ValueError when a point is not in front of the pinhole.
    """
    moved = points + translation[..., None, :]
    depth = moved[..., 2:]
    if not holds(~(depth <= 0)):
        raise ValueError(
            f"{int((depth <= 0).sum())} points lie behind the camera (nearest depth "
            f"{float(depth.min()):.3g} m): move the body away with translation z"
        )
    return focal[..., None, None] * moved[..., :2] / depth


@float32_inside
def translation_from_weak(
    camera: Float[Tensor, "*batch 3"], focal: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 3"]:
    """Return the translation for a pinhole that sees what a weak camera (s, tx, ty) sees.

    It is (tx, ty, f / s): points at the body's own depth, Z = 0, land in the same place. Raises
    ValueError when a scale is not positive. Source: SPIN, whose f / (res / 2) is our f.
    """
    scale, xy = camera[..., :1], camera[..., 1:]
    if not holds(scale > 0):
        raise ValueError(f"a camera needs a positive scale, got {float(scale.min()):.3g}")
    return torch.cat((xy, focal.expand(camera.shape[:-1])[..., None] / scale), dim=-1)


@float32_inside
def weak_from_perspective(
    translation: Float[Tensor, "*batch 3"], focal: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 3"]:
    """Return the weak camera (f / tz, tx, ty); the inverse of `translation_from_weak`.

    Raises ValueError when a body's origin is not in front of the pinhole.
    """
    xy, depth = translation[..., :2], translation[..., 2:]
    if not holds(depth > 0):
        raise ValueError(f"translation z must be positive, got {float(depth.min()):.3g} m")
    return torch.cat((focal.expand(translation.shape[:-1])[..., None] / depth, xy), dim=-1)


@float32_inside
def fit_weak_perspective(
    points3d: Real[Tensor, "*batch N 3"],
    keypoints2d: Real[Tensor, "*batch N 2"],
    visibility: Float[Tensor, "*batch N"] | Bool[Tensor, "*batch N"] | None = None,
) -> Float[Tensor, "*batch 3"]:
    """Return the camera (s, tx, ty) that best explains keypoints2d, in closed form.

    It minimises sum_i v_i |s (X_i + t) - x_i|^2, where v is the visibility (all ones by default):
    linear regression on centred points. Raises ValueError where no camera exists: with fewer than
    two different visible points, or when the best scale is not positive.
    """
    points3d, keypoints2d = as_floats(points3d), as_floats(keypoints2d)
    v = torch.ones_like(points3d[..., 0]) if visibility is None else visibility.to(points3d.dtype)
    # A hidden keypoint's coordinates may be anything, NaN included; zero times NaN is NaN.
    visible = (v > 0)[..., None]
    X, x = points3d[..., :2].where(visible, 0.0), keypoints2d.where(visible, 0.0)
    v = v[..., None]
    total = v.sum(-2).clamp_min(torch.finfo(v.dtype).tiny)
    X_mean, x_mean = (v * X).sum(-2) / total, (v * x).sum(-2) / total
    dX, dx = X - X_mean[..., None, :], x - x_mean[..., None, :]
    spread = (v * dX * dX).sum((-2, -1))
    fit = (v * dX * dx).sum((-2, -1))
    good = (spread > 0) & (fit > 0)
    if not holds(good):
        first = good.logical_not().flatten().nonzero()[0].item()
        raise ValueError(
            f"no weak-perspective camera explains sample {first}: it needs two different visible "
            "points, and keypoints that are not a mirror image or upside down (y points down)"
        )
    s = (fit / spread)[..., None]
    return torch.cat((s, x_mean / s - X_mean), dim=-1)


@at_least_float32
def weak_perspective_error(
    points: Real[Tensor, "N 3"],
    distances: Real[Tensor, " D"],
    focal: int | float | Real[Tensor, " D"],
) -> Float[Tensor, " D"]:
    """Return the error of weak perspective for points photographed from several distances.

    The origin of the points is put on the optical axis at each distance (metres) and seen by a
    pinhole. The result is the mean distance, in half-crops, between that image and the image of the
    best weak camera: the error that HMR cannot avoid. Divided by the scale (focal / distance) it is
    in metres at the body. Raises ValueError when a point would lie behind the camera.

    Args:
        points: the body, in metres.
        distances: from the camera to the origin of the points, in metres.
        focal: in half-crops: one number for a fixed lens, or `scale * distances` for a crop that
            follows the person, as HMR's crops do.
    """
    points, distances = as_floats(points), as_floats(distances)
    focal = torch.as_tensor(focal, dtype=distances.dtype, device=distances.device)
    translation = torch.nn.functional.pad(distances[:, None], (2, 0))
    points = points.to(distances).expand(len(distances), -1, -1)
    image = perspective(points, translation, focal.expand_as(distances))
    camera = fit_weak_perspective(points, image)
    return (weak_perspective(points, camera) - image).norm(dim=-1).mean(-1)


@float32_inside
def axis_to_ray(ray: Real[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the smallest rotation that takes the optical axis to the ray (x, y, 1).

    A crop beside the picture's axis shows what a camera sees that looks at the crop's centre. What
    a network says of the crop is in the frame of that camera: R X, with this R, is in the
    picture's, and R times the root's rotation is the root's there. The ray of a pixel u is
    (u - c) / f, with the focal length f and the principal point c, in pixels. CLIFF (Li et al.
    2022) tells the network where the crop is, for the same reason; this is geometry alone.
    """
    x, y = as_floats(ray).unbind(-1)
    length = (1 + x * x + y * y).sqrt()
    a, b, c = x / length, y / length, 1 / length
    rows = (
        torch.stack((1 - a * a / (1 + c), -a * b / (1 + c), a), -1),
        torch.stack((-a * b / (1 + c), 1 - b * b / (1 + c), b), -1),
        torch.stack((-a, -b, c), -1),
    )
    return torch.stack(rows, -2)


@dataclass(frozen=True, init=False)
class CropBox:
    """A square cut out of a picture: centre and side, in pixels of the picture.

    Pixels are counted from 0 at their centres, so the left edge of the picture is at x = -0.5. The
    box may be fractional and may reach beyond the picture. Numbers of any type become floats.
    Raises ValueError unless the side is positive and all numbers are finite.
    """

    x: float
    y: float
    size: float

    def __init__(self, x: SupportsFloat, y: SupportsFloat, size: SupportsFloat) -> None:
        for name, value in (("x", x), ("y", y), ("size", size)):
            object.__setattr__(self, name, _as_float(value))
        if not all(map(math.isfinite, (self.x, self.y, self.size))) or self.size <= 0:
            raise ValueError(f"not a box: centre ({self.x}, {self.y}), side {self.size}")

    @classmethod
    def around_box(
        cls,
        x0: SupportsFloat,
        y0: SupportsFloat,
        x1: SupportsFloat,
        y1: SupportsFloat,
        padding: int | float = 1.0,
    ) -> CropBox:
        """Return the square around a rectangle.

        The rectangle is given by pixel edges: (0, 0, W, H) is the whole picture. Raises ValueError
        unless x0 < x1 and y0 < y1.

        Args:
            x0: left edge.
            y0: upper edge.
            x1: right edge.
            y1: lower edge.
            padding: side of the square, in longer sides of the rectangle.
        """
        left, top, right, bottom = map(_as_float, (x0, y0, x1, y1))
        if not (left < right and top < bottom):
            raise ValueError(f"a box needs x0 < x1 and y0 < y1, got {(x0, y0, x1, y1)}")
        side = padding * max(right - left, bottom - top)
        return cls((left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5, side)

    @classmethod
    @float32_inside
    def around_keypoints(
        cls,
        keypoints: Real[Tensor, "N 2"] | Real[np.ndarray, "N 2"] | Sequence,
        visibility: Shaped[Tensor, " N"] | Shaped[np.ndarray, " N"] | Sequence | None = None,
        padding: int | float = 1.2,
    ) -> CropBox:
        """Return the square around the visible keypoints.

        Raises ValueError when fewer than two different keypoints are visible.

        Args:
            keypoints: in pixels.
            visibility: positive where a keypoint is visible; all are visible if None.
            padding: side of the square, in larger extents of the keypoints.
        """
        points = as_floats(keypoints)
        if visibility is not None:
            points = points[torch.as_tensor(visibility) > 0]
        if len(points) == 0:
            raise ValueError("no keypoint is visible, so there is nothing to put a box around")
        low, high = points.amin(0), points.amax(0)
        x, y = ((low + high) / 2).tolist()
        return cls(x, y, padding * float((high - low).max()))

    @float32_inside
    def to_crop(self, pixels: Pixels) -> Float[Tensor, "*batch 2"]:
        """Convert pixels of the picture, of any number type, into crop coordinates [-1, 1]."""
        pixels = as_floats(pixels)
        return (pixels - pixels.new_tensor((self.x, self.y))) * (2 / self.size)

    @float32_inside
    def to_image(self, crop: Pixels) -> Float[Tensor, "*batch 2"]:
        """Convert crop coordinates into pixels of the picture; the inverse of `to_crop`."""
        crop = as_floats(crop)
        return crop * (self.size / 2) + crop.new_tensor((self.x, self.y))

    @float32_inside
    def full_camera(
        self, camera: Real[Tensor, "*batch 3"], width: int, height: int
    ) -> Float[Tensor, "*batch 4"]:
        """Convert cameras of the crop into (sx, sy, tx, ty) of the whole picture.

        X lands at (sx (X + tx), sy (Y + ty)), in [-1, 1] over the width and the height. That is
        exactly the same pixel as through the crop. Source: VIBE, `convert_crop_cam_to_orig_img`.
        """
        camera = as_floats(camera)
        picture = camera.new_tensor((width, height))
        scale = camera[..., :1] * self.size / picture
        return torch.cat((scale, camera[..., 1:] + self._offset(picture) / scale), dim=-1)

    @float32_inside
    def full_translation(
        self,
        camera: Real[Tensor, "*batch 3"],
        width: int,
        height: int,
        focal: int | float | Float[Tensor, "*#batch"],
    ) -> Float[Tensor, "*batch 3"]:
        """Return the translation (metres) that puts the body before the whole picture's pinhole.

        The body's origin lands on the same pixel, at the same scale, as through the camera of the
        crop. The rest of the body gets its perspective. The rotation is kept: near the border of a
        wide picture the crop sees the body slightly rotated, which is ignored here (`axis_to_ray`
        corrects it). Raises ValueError when a scale is not positive. Source: SPIN and 4D-Humans,
        `cam_crop_to_full`.

        Args:
            camera: (s, tx, ty) of the crop.
            width: of the picture, in pixels.
            height: of the picture, in pixels.
            focal: focal length of the picture in pixels; its axis passes through the picture's
                centre.
        """
        camera = as_floats(camera)
        focal = torch.as_tensor(focal, dtype=camera.dtype, device=camera.device)
        translation = translation_from_weak(camera, focal / (self.size / 2))
        # From the crop's axis to the picture's, at the body's depth.
        picture = camera.new_tensor((width, height))
        metres = self._offset(picture) * picture / (self.size * camera[..., :1])
        return torch.cat((translation[..., :2] + metres, translation[..., 2:]), dim=-1)

    def _offset(self, picture: Float[Tensor, " 2"]) -> Float[Tensor, " 2"]:
        """Return the box's centre in [-1, 1] over the width and the height of the picture."""
        return (2 * picture.new_tensor((self.x, self.y)) + 1) / picture - 1


def _as_float(value: SupportsFloat) -> float:
    """Return a number as a float; raise ValueError when it is none, or beyond all floats."""
    try:
        return float(value)
    except (TypeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"a box has numbers, not {value!r:.60} ({error})") from None
