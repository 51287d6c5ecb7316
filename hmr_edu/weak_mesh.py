"""Weak mesh supervision: masks, part maps and dense correspondences teach the mesh, without 3D.

HMR's description names "weak mesh supervision", and the paper leaves it out. A renderer with a
gradient (OpenDR; Neural 3D Mesh Renderer; SoftRas) would compare pictures of the mesh with masks.
The terms here need none: they compare points, in crop coordinates.

- **Silhouette**: a chamfer distance in two directions. *Coverage*: each point of the mask has a
  projected vertex nearby. *Overflow*: each projected vertex lies in the mask, or as near to it as
  possible. A renderer's gradient exists only where an outline crosses pixels; these distances pull
  from any distance. Hidden vertices take part, for they project into the mask as well.
- **Part silhouettes**: the same, but a point of the mask must be near a vertex of its own part,
  on the visible side or behind it. Overflow stays that of the whole mask: an arm behind the back
  is not in its part's pixels, and rightly so.
- **Dense correspondences**: a point of the surface and its place in the picture, as DensePose
  annotates them. The L1 distance is that of keypoints.

Which point is nearest is searched without a graph, and the distance to it is then computed anew. So
memory for the gradient grows with points plus vertices, and not with their product.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from hmr_edu.camera import weak_perspective
from hmr_edu.io.precision import at_least_float32
from hmr_edu.keypoints import PERSON, SMPL_JOINTS
from hmr_edu.labelled import known, weighted_mean
from hmr_edu.masks import MaskLabels

# Vertices of the body that are compared with masks, spread evenly: 5 cm apart on the body.
VERTICES = 512
# The background and the parts, in label images.
NUM_LABELS = 1 + len(SMPL_JOINTS)
# What a vertex of the right part is nearer by in the search, as a squared distance: more than any
# distance of places within `FARTHEST` half-crops.
BONUS, FARTHEST = 100.0, 4.0
# Numbers in the largest array of the search. What needs more is done in parts.
LARGEST = 2**22


@at_least_float32
def silhouette_loss(
    pred: Float[Tensor, "batch V 2"],
    masks: MaskLabels,
    labelled: Bool[Tensor, " batch"],
    vertex_parts: Int64[Tensor, "batch V"] | None = None,
) -> Float[Tensor, ""]:
    """Return coverage + overflow, the mean distances between a mask and projected vertices.

    The unit is half the crop. A perfect body costs coverage about half the distance between its
    vertices in the picture, and no overflow. Vertices outside the crop have no overflow: what is
    there is not known.

    Args:
        pred: projected vertices.
        masks: the masks.
        labelled: False where a sample has no mask.
        vertex_parts: the part (1 + joint) of each vertex. If given, a point of the mask must be
            near a vertex of its own part, unless its part is unknown (`PERSON`).
    """
    labelled = labelled & masks.shown
    nearest, found = _nearest(pred.detach(), masks, vertex_parts)
    at = pred.gather(1, nearest[..., None].expand(-1, -1, 2))
    covered = (at - masks.points).norm(dim=-1)
    coverage = weighted_mean(covered, labelled[:, None] & found)

    height, width = masks.nearest.shape[1:3]
    inside = (pred.detach().abs() <= 1).all(-1)  # False where NaN
    size = pred.new_tensor((width, height))
    cell = ((known(pred.detach(), inside[..., None]) + 1) * size / 2).long()
    cell = torch.minimum(cell, size.long() - 1)
    rows = torch.arange(len(pred), device=pred.device)[:, None]
    centre = masks.nearest[rows, cell[..., 1], cell[..., 0]]
    # To the border of the nearest cell, which is a square: 0 in the mask itself.
    off = ((pred - centre).abs() - 1 / size).clamp_min(0).norm(dim=-1)
    overflow = weighted_mean(torch.where(inside, off, 0.0), labelled[:, None].expand(off.shape))
    return coverage + overflow


@at_least_float32
def dense_loss(
    pred: Float[Tensor, "batch V 2"],
    vertices: Int64[Tensor, "batch P 3"],
    weights: Float[Tensor, "batch P 3"],
    places: Float[Tensor, "batch P 2"],
    confidence: Float[Tensor, "batch P"],
) -> Float[Tensor, ""]:
    """Return the L1 distance of points of the surface from their places, as for keypoints.

    The unit is half the crop. What has no confidence does not count, whatever stands in its place.

    Args:
        pred: projected vertices of the whole body.
        vertices, weights: the face's vertices, and how much of each makes the point.
        places: where the points are, in crop coordinates.
        confidence: 0 where a point is unknown, or a weight > 0.
    """
    labelled = confidence > 0
    corner = torch.where(labelled[..., None], vertices, 0)
    rows = torch.arange(len(pred), device=pred.device)[:, None, None]
    weight = known(weights, labelled[..., None])
    points = (pred[rows, corner] * weight[..., None]).sum(2)
    weight = confidence.to(pred.dtype)[..., None].expand_as(points)
    return weighted_mean((points - known(places, labelled[..., None])).abs(), weight)


def silhouette_of(prediction: Any, batch: Any, _: Any) -> Float[Tensor, ""]:
    """Return the term "silhouette" of the registry."""
    projected = weak_perspective(_sampled(prediction, batch), prediction.camera)
    return silhouette_loss(projected, batch.masks, batch.has_silhouette)


def part_silhouettes_of(prediction: Any, batch: Any, _: Any) -> Float[Tensor, ""]:
    """Return the term "part_silhouettes" of the registry."""
    projected = weak_perspective(_sampled(prediction, batch), prediction.camera)
    return silhouette_loss(projected, batch.masks, batch.has_parts, batch.sample_parts)


def dense_of(prediction: Any, batch: Any, _: Any) -> Float[Tensor, ""]:
    """Return the term "dense" of the registry."""
    projected = weak_perspective(prediction.vertices, prediction.camera)
    dense = batch.dense
    if dense is None:
        return weighted_mean(projected, torch.zeros_like(projected))
    return dense_loss(projected, dense.vertices, dense.weights, dense.places, dense.confidence)


def _sampled(prediction: Any, batch: Any) -> Float[Tensor, "batch V 3"]:
    return prediction.vertices.gather(1, batch.sample[..., None].expand(-1, -1, 3))


@torch.no_grad()
def _nearest(
    pred: Float[Tensor, "batch V 2"],
    masks: MaskLabels,
    vertex_parts: Int64[Tensor, "batch V"] | None,
) -> tuple[Int64[Tensor, "batch K"], Bool[Tensor, "batch K"]]:
    """Return the allowed vertex nearest to each point of the masks, and whether there is one.

    As one matrix product: |v|^2 - 2 p v is least for the nearest v. One more column for each part
    takes `BONUS` off where the parts agree.
    """
    pred = pred.clamp(-FARTHEST, FARTHEST)
    a = torch.cat((-2 * masks.points, torch.ones_like(masks.points[..., :1])), dim=2)
    b = torch.cat((pred, pred.square().sum(2, keepdim=True)), dim=2)
    if vertex_parts is not None:
        # Column 0 is nobody's: for points of unknown part all vertices are alike.
        own = torch.where(masks.parts < NUM_LABELS, masks.parts, 0)
        a = torch.cat((a, -BONUS * one_hot(own, NUM_LABELS)), dim=2)
        b = torch.cat((b, one_hot(vertex_parts, NUM_LABELS).to(b.dtype)), dim=2)
    size = max(1, LARGEST // max(1, a.shape[1] * b.shape[1]))
    parts = zip(a.split(size), b.split(size), strict=True)
    nearest = torch.cat([torch.bmm(x, y.mT).argmin(2) for x, y in parts])
    found = torch.ones_like(nearest, dtype=torch.bool)
    if vertex_parts is not None:
        found = (masks.parts == vertex_parts.gather(1, nearest)) | (masks.parts == PERSON)
    return nearest, found
