"""The loss terms of the paper (equations 3 to 5) and a few more: one plain function each.

Each term is a mean over the labels that a batch has. Flags mark missing labels. A value in their
place, NaN included, reaches neither the loss nor its gradient. A term without any label is 0
(dividing by such a count is how russoale/hmr2.0#8 got NaN). Losses are computed in float32 at
least: sums of many float16 numbers overflow.

A function measures one regression step; `step_weights` and `per_step` join the steps. `TERMS`, at
the end of this file, is the registry: training, its options, tests and docs read it. A new loss
term is a function and an entry there. The terms of masks and dense correspondences are in
`hmr_edu.weak_mesh`, that of confidences in `hmr_edu.visibility`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn.functional import cross_entropy

from hmr_edu import weak_mesh
from hmr_edu.crop import cell_centres, under_centres
from hmr_edu.io.precision import at_least_float32
from hmr_edu.keypoints import HIPS, PERSON, align_root
from hmr_edu.labelled import LossTerm
from hmr_edu.labelled import known as _known
from hmr_edu.labelled import weighted_mean as _weighted_mean
from hmr_edu.visibility import visibility_of


@at_least_float32
def keypoints2d_loss(
    pred: Float[Tensor, "batch points 2"],
    target: Float[Tensor, "batch points 2"],
    visibility: Bool[Tensor, "batch points"] | Float[Tensor, "batch points"],
) -> Float[Tensor, ""]:
    """Return the L1 distance of visible keypoints: sum v |dx| / (2 sum v) (paper, eq. 3).

    The unit is half the crop. `visibility` is 0/1 or a weight >= 0.
    """
    weight = visibility.to(pred.dtype)[..., None].expand_as(pred)
    return _weighted_mean((pred - _known(target, weight > 0)).abs(), weight)


@at_least_float32
def keypoints3d_loss(
    pred: Float[Tensor, "batch points 3"],
    target: Float[Tensor, "batch points 3"],
    labelled: Bool[Tensor, " batch"],
    visibility: Bool[Tensor, "batch points"] | None = None,
    norm: str = "l1",
) -> Float[Tensor, ""]:
    """Return the distance of keypoints (metres), mid-hips at the origin; mean of x, y and z.

    A sample whose hips are not both known does not count. Raises ValueError on an unknown norm.

    Args:
        pred, target: predicted and true keypoints, LSP or COCO+ order.
        labelled: False where a sample has no 3D label.
        visibility: False where a keypoint is not known; all are known if None.
        norm: "mse" as in the paper, or "l1" as in 4D-Humans, less sensitive to outliers.
    """
    known = _known3d(pred, labelled, visibility)[..., None].expand_as(pred)
    difference = align_root(pred) - align_root(_known(target, known))
    if norm == "l1":
        return _weighted_mean(difference.abs(), known)
    if norm == "mse":
        return _weighted_mean(difference.square(), known)
    raise ValueError(f'norm must be "l1" or "mse", got {norm!r}')


@at_least_float32
def theta_loss(
    rotations: Float[Tensor, "batch joints 3 3"],
    betas: Float[Tensor, "batch 10"],
    target_rotations: Float[Tensor, "batch joints 3 3"],
    target_betas: Float[Tensor, "batch 10"],
    labelled: Bool[Tensor, " batch"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the mean squared errors of rotation matrices and of betas (paper, eq. 5).

    Matrices, because the axis-angles 2 pi - a and -a are one rotation. The single mean of
    akanazawa/hmr is (216 pose + 10 betas) / 226 of the two values returned here.

    Args:
        rotations, betas: the prediction.
        target_rotations, target_betas: the labels.
        labelled: False where a sample has no theta label.
    """
    pose_known = labelled[:, None, None, None].expand_as(rotations)
    betas_known = labelled[:, None].expand_as(betas)
    return (
        _weighted_mean((rotations - _known(target_rotations, pose_known)).square(), pose_known),
        _weighted_mean((betas - _known(target_betas, betas_known)).square(), betas_known),
    )


@at_least_float32
def mesh_loss(
    pred: Float[Tensor, "batch vertices 3"],
    target: Float[Tensor, "batch vertices 3"],
    labelled: Bool[Tensor, " batch"],
    roots: tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch 3"]] | None = None,
) -> Float[Tensor, ""]:
    """Return the L1 distance of the vertices in metres, mean of x, y and z; not used by HMR.

    Source of the term: 'weak mesh supervision', as nkolot/GraphCMR and SPIN use it.

    Args:
        pred, target: predicted and true vertices.
        labelled: False where a sample has no theta label.
        roots: pelvis of `pred` and of `target`; if given, each mesh is moved to its own.
    """
    known = labelled[:, None, None].expand_as(pred)
    target = _known(target, known)
    if roots is not None:
        pred = pred - roots[0][:, None]
        target = target - _known(roots[1], labelled[:, None])[:, None]
    return _weighted_mean((pred - target).abs(), known)


@at_least_float32
def heatmap_loss(
    logits: Float[Tensor, "batch points height width"],
    target: Float[Tensor, "batch points 2"],
    visibility: Bool[Tensor, "batch points"] | Float[Tensor, "batch points"],
    sigma: float = 1.0,
) -> Float[Tensor, ""]:
    """Return the KL divergence from a Gaussian around the keypoint to softmax(logits).

    The unit is nats for each keypoint. Keypoints outside the crop do not count.

    Args:
        logits: predicted heat-maps.
        target, visibility: true keypoints in crop units; 0/1 or a weight >= 0 for each.
        sigma: of the Gaussian, in cells of the map.
    """
    height, width = logits.shape[-2:]
    inside = (target.abs() <= 1).all(dim=-1)  # False where NaN
    target = _known(target, inside[..., None])
    log_x = _log_gaussian(target[..., 0], width, sigma)
    log_y = _log_gaussian(target[..., 1], height, sigma)
    x, y = log_x.exp(), log_y.exp()
    # sum q log q - sum q log p, with q the Gaussian, a product of its two axes.
    log_target = (x * log_x).sum(-1) + (y * log_y).sum(-1)
    log_pred = logits.flatten(-2).log_softmax(-1).view_as(logits)
    divergence = log_target - (log_pred * y[..., None] * x[..., None, :]).sum(dim=(-2, -1))
    return _weighted_mean(divergence, visibility * inside)


@at_least_float32
def depth_loss(
    pred: Float[Tensor, "batch points"],
    target: Float[Tensor, "batch points 3"],
    labelled: Bool[Tensor, " batch"],
    visibility: Bool[Tensor, "batch points"] | None = None,
) -> Float[Tensor, ""]:
    """Return the L1 distance of `Features.depths` to the depths behind the mid-hip, in metres.

    `target` holds keypoints in the camera frame (z away from the camera), LSP or COCO+ order.
    `visibility` is as for `keypoints3d_loss`.
    """
    known = _known3d(pred, labelled, visibility)
    depth = align_root(_known(target, known[..., None]))[..., 2]
    return _weighted_mean((pred - depth).abs(), known)


@at_least_float32
def parts_loss(
    logits: Float[Tensor, "batch parts height width"],
    target: Integer[Tensor, "batch image_height image_width"],
    labelled: Bool[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the body part at the centre of each cell.

    `target` is a label image of the same crop, at any resolution. Labels below 0 do not count, nor
    does `hmr_edu.keypoints.PERSON`: somebody's pixel of which the part is not known.
    """
    target = under_centres(target, *logits.shape[-2:]).long()
    known = labelled[:, None, None] & (target >= 0) & (target != PERSON)
    entropy = cross_entropy(logits, torch.where(known, target, 0), reduction="none")
    return _weighted_mean(entropy, known)


def step_weights(steps: str | Sequence[float | int], iterations: int) -> list[float]:
    """Return the weight of each regression step in the loss.

    "all": 1 / iterations each, so the total does not grow with the number of steps. "last": only
    the last, as in public code and in the paper, which says that supervising every step
    "overshoots". A list is used as given. Raises ValueError on another word, a wrong length, or
    weights that are negative, not finite or all zero.
    """
    if isinstance(steps, str):
        if steps == "all":
            return [1 / iterations] * iterations
        if steps == "last":
            return [0.0] * (iterations - 1) + [1.0]
        raise ValueError(f'step weights are "all", "last" or a list of numbers, got {steps!r}')
    weights = [float(weight) for weight in steps]
    if len(weights) != iterations:
        raise ValueError(f"{iterations} steps need {iterations} weights, got {len(weights)}")
    if not any(weights) or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ValueError(f"step weights must be finite, >= 0 and not all 0, got {weights}")
    return weights


@at_least_float32
def per_step(
    losses: Sequence[Float[Tensor, ""]], weights: Sequence[float | int]
) -> Float[Tensor, ""]:
    """Return the weighted sum of one loss term over the regression steps.

    Steps of weight 0 are left out: 0 times inf would be NaN. Raises ValueError when numbers differ.
    """
    if len(losses) != len(weights):
        raise ValueError(f"{len(losses)} losses need {len(losses)} weights, got {len(weights)}")
    terms = [weight * loss for weight, loss in zip(weights, losses, strict=True) if weight]
    return torch.stack(terms).sum()


def _known3d(
    pred: Tensor, labelled: Bool[Tensor, " batch"], visibility: Bool[Tensor, "batch points"] | None
) -> Bool[Tensor, "batch points"]:
    """Return which keypoints count: none of a sample whose hips are not both known."""
    known = labelled[:, None].expand(pred.shape[:2])
    if visibility is None:
        return known
    return known & visibility & visibility[:, list(HIPS)].all(dim=1)[:, None]


def _log_gaussian(centre: Float[Tensor, "*n"], cells: int, sigma: float) -> Float[Tensor, "*n c"]:
    """Return the log-probability of cells on one axis, Gaussian around `centre` (crop units)."""
    offset = cell_centres(cells, centre) - centre[..., None]
    return (-0.5 * (offset * cells / (2 * sigma)).square()).log_softmax(-1)


def _theta_losses(p: Any, batch: Any, known: Any) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    return theta_loss(p.rotations, p.betas, batch.rotations, batch.betas, known)


TERMS: dict[str, LossTerm] = {
    "keypoints2d": LossTerm(
        lambda p, batch, c: keypoints2d_loss(p.keypoints2d, batch.keypoints2d, batch.visible),
        60.0,
        "L1 of the visible projected keypoints, in half-crops.",
    ),
    "keypoints3d": LossTerm(
        lambda p, b, c: keypoints3d_loss(p.keypoints3d, b.keypoints3d, b.has_3d, b.known3d, c.norm),
        60.0,
        "Distance of the 3D keypoints from the middle of the hips, in metres; see `norm`.",
    ),
    "pose": LossTerm(
        lambda p, batch, c: _theta_losses(p, batch, batch.has_theta)[0],
        60.0,
        "Squared error of the joints' rotation matrices.",
    ),
    "betas": LossTerm(
        lambda p, batch, c: _theta_losses(p, batch, batch.has_betas)[1],
        0.06,
        "Squared error of the shape coefficients.",
    ),
    "mesh": LossTerm(
        lambda p, batch, c: mesh_loss(p.vertices, batch.vertices, batch.has_betas),
        0.0,
        "L1 of the vertices, in metres.",
        needs="vertices",
    ),
    "silhouette": LossTerm(
        weak_mesh.silhouette_of,
        0.0,
        "Distance between the mask and the projected body, both ways, in half-crops.",
        needs="vertices",
    ),
    "part_silhouettes": LossTerm(
        weak_mesh.part_silhouettes_of,
        0.0,
        "The same, and each part of the mask is near its own part of the body, in half-crops.",
        needs="vertices",
    ),
    "dense": LossTerm(
        weak_mesh.dense_of,
        0.0,
        "L1 of projected points of the surface (dense correspondences), in half-crops.",
        needs="vertices",
    ),
    "heatmaps": LossTerm(
        lambda f, batch, c: heatmap_loss(f.heatmaps, batch.keypoints2d, batch.visible),
        0.0,
        'Keypoint heat-maps of the spatial head (pooling "spatial" only, as the next two).',
        per_step=False,
        needs="heatmaps",
    ),
    "depths": LossTerm(
        lambda f, batch, c: depth_loss(f.depths, batch.keypoints3d, batch.has_3d, batch.known3d),
        0.0,
        "Keypoint depths behind the pelvis from the spatial head, in metres.",
        per_step=False,
        needs="depths",
    ),
    "parts": LossTerm(
        lambda f, batch, c: parts_loss(f.parts, batch.parts, batch.has_parts),
        0.0,
        "Body part at each place of the spatial head's map.",
        per_step=False,
        needs="parts",
    ),
    "visibility": LossTerm(
        visibility_of,
        0.0,
        "Whether each keypoint is visible, in nats; needs `--model.confidence`.",
        per_step=False,
        needs="visibility",
    ),
}
