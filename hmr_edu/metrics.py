"""Measures of the distance between predicted and true bodies, as the field's tables use them.

3D points are [batch, N, 3] in metres and results [batch] in metres. Points of COCO+ and LSP are
first centred on the middle of the hips, as in the field's tables, because HMR does not know where
in the room a person stands. Other sets name their own hips (SMPL's joints: `hips=(1, 2)`);
`hips=None` compares the points as they are. Results are float32 at least, whatever the dtype of the
points and inside autocast too (`hmr_edu.io.precision`).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from hmr_edu.io.precision import at_least_float32, check_tensors, float32_inside, holds
from hmr_edu.keypoints import COCOPLUS, HIPS, align_root
from hmr_edu.rotations import nearest_rotation

HEAD = (COCOPLUS.index("head_top"), COCOPLUS.index("neck"))
TORSO = (COCOPLUS.index("left_shoulder"), COCOPLUS.index("right_hip"))
# Horizontal part of a direction 15 degrees from the vertical.
STEEP = math.sin(math.radians(15))
# The squares of larger numbers overflow in float32, those of smaller ones vanish.
ORDINARY = (1e-15, 1e15)

Hips = tuple[int, int] | None


@at_least_float32
def per_joint_error(
    pred: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"], hips: Hips = HIPS
) -> Float[Tensor, "*batch N"]:
    """Return the distance of each joint from its target, in metres, with hips aligned.

    Raises ValueError on shapes that do not match, and on NaN or infinite points.
    """
    _check(pred, target, 3)
    if hips is not None:
        pred, target = align_root(pred, hips), align_root(target, hips)
    return _norm(pred - target)


@at_least_float32
def mpjpe(
    pred: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"], hips: Hips = HIPS
) -> Float[Tensor, "*batch"]:
    """Return the mean per-joint position error in metres, with hips aligned.

    The field's tables use the 14 joints of LSP. Raises ValueError as `per_joint_error`. Source:
    HMR, section 4.1.
    """
    return per_joint_error(pred, target, hips).mean(-1)


@float32_inside
def procrustes_align(
    pred: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"]
) -> Float[Tensor, "*batch N 3"]:
    """Align `pred` to `target` by the rotation, scale and shift of least squared error.

    A mirror image is not a rotation and is not aligned with its original. Predicted points that all
    coincide land on the centre of the target. Raises ValueError as `per_joint_error`.

    With the covariance U S V^T of centred target and pred: R = U diag(1, 1, d) V^T, where d = det(U
    V^T) reverses the *last* axis, which fits worst, when the best orthogonal matrix is a
    reflection. Source: Umeyama 1991, eq. 40-43.
    """
    _check(pred, target, 3)
    unit = _unit(target, (-2, -1))
    pred, target = pred / _unit(pred, (-2, -1)), target / unit
    middle = target.mean(-2, keepdim=True)
    X, Y = pred - pred.mean(-2, keepdim=True), target - middle
    covariance = Y.mT @ X
    R = nearest_rotation(covariance)
    spread = X.square().sum((-2, -1))
    # Centring leaves rounding errors, in proportion to the coordinates: they are no shape to scale.
    rounding = 4 * torch.finfo(X.dtype).eps * pred.detach().abs().amax((-2, -1))
    flat = spread <= X.shape[-2] * rounding.square()
    # tr(R^T U S V^T) is the sum of the singular values, the last with the sign d.
    fit = (R * covariance).sum((-2, -1))
    scale = torch.where(flat, 0.0, fit / spread.masked_fill(flat, 1.0))
    return unit * (scale[..., None, None] * (X @ R.mT) + middle)


@at_least_float32
def pa_mpjpe(
    pred: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"]
) -> Float[Tensor, "*batch"]:
    """Return the MPJPE after `procrustes_align`, in metres: the error of the pose alone.

    Raises ValueError as `per_joint_error`. Source: HMR, section 4.1 ("reconstruction error").
    """
    return mpjpe(procrustes_align(pred, target), target, hips=None)


@at_least_float32
def pve(
    pred: Float[Tensor, "*batch V 3"], target: Float[Tensor, "*batch V 3"]
) -> Float[Tensor, "*batch"]:
    """Return the per-vertex error in metres: the mean distance of vertices of one topology.

    Nothing is aligned here, because vertices have no hips. Subtract each body's pelvis first
    (`vertices - joints[:, :1]`). Raises ValueError as `per_joint_error`.
    """
    return mpjpe(pred, target, hips=None)


@at_least_float32
def pck(
    pred: Float[Tensor, "*batch N 3"],
    target: Float[Tensor, "*batch N 3"],
    threshold: float = 0.15,
    hips: Hips = HIPS,
) -> Float[Tensor, "*batch"]:
    """Return 3DPCK: the share of joints within a threshold of their target, hips aligned.

    Raises ValueError as `per_joint_error`. Source: Mehta et al., MPI-INF-3DHP (2017).

    Args:
        pred: predicted points.
        target: true points.
        threshold: in metres.
        hips: indices of the two hips; None compares the points as they are.
    """
    within = per_joint_error(pred, target, hips) <= threshold
    return within.to(pred.dtype).mean(-1)


@at_least_float32
def auc(
    pred: Float[Tensor, "*batch N 3"],
    target: Float[Tensor, "*batch N 3"],
    largest: float = 0.15,
    hips: Hips = HIPS,
) -> Float[Tensor, "*batch"]:
    """Return the area under the curve of 3DPCK: its mean over 31 thresholds.

    Raises ValueError as `per_joint_error`. Source: Mehta et al., MPI-INF-3DHP (2017).

    Args:
        pred: predicted points.
        target: true points.
        largest: the largest threshold, in metres; the smallest is 0.
        hips: indices of the two hips; None compares the points as they are.
    """
    errors = per_joint_error(pred, target, hips)
    thresholds = torch.linspace(0, largest, 31, dtype=errors.dtype, device=errors.device)
    return (errors[..., None] <= thresholds).to(pred.dtype).mean((-2, -1))


@at_least_float32
def pck2d(
    pred: Float[Tensor, "*batch N 2"],
    target: Float[Tensor, "*batch N 2"],
    threshold: float | Float[Tensor, "*batch"],
    visibility: Float[Tensor, "*batch N"] | Bool[Tensor, "*batch N"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Return 2D PCK: the share of visible keypoints within a threshold of their target.

    Nothing is aligned. PCKh@0.5 has the threshold `0.5 * head_size(target)`, PCK@0.2 has `0.2 *
    torso_size(target)`. Raises ValueError on shapes that do not match, on NaN among the visible
    keypoints, and for a sample without a visible keypoint.

    Args:
        pred: predicted keypoints.
        target: annotated keypoints.
        threshold: in the unit of the keypoints; one number, or one for each sample.
        visibility: positive where a keypoint is visible; all are visible if None.
    """
    if visibility is None:
        visibility = torch.ones_like(target[..., 0])
    if not pred.shape[:-1] == target.shape[:-1] == visibility.shape:
        raise ValueError(
            f"predicted {list(pred.shape)}, target {list(target.shape)} and visibility "
            f"{list(visibility.shape)} do not belong together"
        )
    visible = visibility > 0
    if not holds(visible.any(-1)):
        raise ValueError("PCK of a sample without a visible keypoint; leave such samples out")
    pred, target = pred.where(visible[..., None], 0.0), target.where(visible[..., None], 0.0)
    _check(pred, target, 2)
    limit = torch.as_tensor(threshold, dtype=pred.dtype, device=pred.device)
    within = (_norm(pred - target) <= limit[..., None]) & visible
    return within.sum(-1) / visible.sum(-1).to(pred.dtype)


@at_least_float32
def head_size(keypoints: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch"]:
    """Return the distance from neck to top of the head, in COCO+ or LSP order (MPII's PCKh)."""
    return _length(keypoints, HEAD)


@at_least_float32
def torso_size(keypoints: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch"]:
    """Return the distance from left shoulder to right hip, in COCO+ or LSP order (LSP's PCK)."""
    return _length(keypoints, TORSO)


@at_least_float32
def facing_error(
    root_pred: Float[Tensor, "*batch 3 3"], root_true: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch"]:
    """Return the angle in radians, 0 to pi, between the directions that two bodies face.

    A body faces along the third column of its root rotation, the image of its +Z axis in the camera
    frame. Only the horizontal part of it counts, (x, z) for a level camera: a body that leans has
    not turned. If one of the two faces within 15 degrees of straight up or down (a person lying
    down), the horizontal part has no meaning, and the angle between the whole directions is
    returned.
    """
    pred, true = root_pred[..., 2], root_true[..., 2]
    level_pred, level_true = pred[..., ::2], true[..., ::2]
    steep = torch.minimum(level_pred.norm(dim=-1), level_true.norm(dim=-1)) < STEEP
    return torch.where(steep, _angle(pred, true), _angle(level_pred, level_true))


def _angle(a: Float[Tensor, "*batch D"], b: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
    """Return the angle between two vectors of any length; accurate from 0 to pi (Kahan)."""
    a, b = normalize(a, dim=-1), normalize(b, dim=-1)
    return 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))


def _length(
    keypoints: Float[Tensor, "*batch N D"], ends: tuple[int, int]
) -> Float[Tensor, "*batch"]:
    return _norm(keypoints[..., ends[0], :] - keypoints[..., ends[1], :])


def _norm(vectors: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
    """Return the length of vectors, however long or short."""
    unit = _unit(vectors, (-1,))
    return (vectors / unit).norm(dim=-1) * unit[..., 0]


def _unit(points: Float[Tensor, "*batch"], dims: tuple[int, ...]) -> Float[Tensor, "*unit"]:
    """Return a unit in which squares neither overflow nor vanish: 1 for ordinary numbers."""
    largest = points.detach().abs().amax(dims, keepdim=True)
    ordinary = (largest == 0) | ((largest > ORDINARY[0]) & (largest < ORDINARY[1]))
    return torch.where(ordinary, 1.0, largest)


def _check(pred: Tensor, target: Tensor, dimensions: int) -> None:
    """Raise ValueError on points whose error would be a wrong or meaningless number.

    Raises TypeError on points that are no tensors.
    """
    check_tensors(pred=pred, target=target)
    wanted = f"both must be [batch, points, {dimensions}]"
    if pred.shape != target.shape or pred.ndim < 2 or pred.shape[-1] != dimensions:
        raise ValueError(f"predicted {list(pred.shape)} against {list(target.shape)}: {wanted}")
    if pred.shape[-2] == 0:
        raise ValueError(f"there is not a single point in {list(pred.shape)}: {wanted}")
    for name, points in (("predicted", pred), ("target", target)):
        finite = torch.isfinite(points)
        if not holds(finite):
            bad = points.numel() - int(finite.sum())
            raise ValueError(f"{bad} of {points.numel()} {name} coordinates are NaN or infinite")
