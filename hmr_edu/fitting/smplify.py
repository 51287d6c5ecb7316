"""Fit a body to 2D evidence: correct a network's theta for one picture.

SMPLify (Bogo et al., ECCV 2016) fits a body to keypoints from a mean pose. Here, as in SPIN, the
fit starts from the network's prediction and stays near it, because 2D evidence says nothing about
depth and the network does. The energy is minus the log of a posterior::

    E(theta) = evidence(x(theta)) + w_pose (-log p(pose)) + w_shape |beta|^2 / 2
               + sum_j angle(R_j, R_j of the start)^2 / (2 stay^2)

The evidence scores the projected keypoints x: by the network's heat-maps, or by annotated
keypoints. If the network also predicts the depths of keypoints, each depth adds a robust squared
distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.camera import fit_weak_perspective, weak_perspective
from hmr_edu.data.poses.prior import PosePrior, load_pose_prior
from hmr_edu.encoder.heads import cell_centres
from hmr_edu.io.precision import at_least_float32
from hmr_edu.keypoints import align_root
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.theta import join_theta, split_theta

# Standard deviation of a keypoint around a heat-map's cell, and around an annotation; crop units.
MAP_SIGMA = 0.12
CLICK_SIGMA = 0.03
# An annotated keypoint farther away than this is treated as a mistake; crop units.
CLICK_OUTLIER = 0.3
# A predicted depth farther away than this is treated as a mistake; metres.
DEPTH_OUTLIER = 0.6
# Likelihood added everywhere, in case the heat-map is wrong. It keeps the logarithm finite.
DOUBT = 1e-3

# Projected keypoints [B, 19, 2] in, minus their log-likelihood [B] out, in nats.
Evidence = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FitOptions:
    """Weights of the energy, and options of the descent. The defaults were chosen on `test-prior`.

    Args:
        pose: weight of the pose prior's negative log density.
        shape: weight of |beta|^2 / 2.
        stay: expected error of the start, in radians for each joint.
        depth: expected error of the predicted depths, in metres.
        steps: steps of Adam.
        rate: Adam's learning rate, in radians, metres and units of beta alike. It falls to 0 along
            half a cosine.
        free_shape: whether the betas may change. Otherwise limbs keep the lengths of the start.
    """

    pose: float | int = 0.05
    shape: float | int = 1.0
    stay: float | int = 0.3
    depth: float | int = 0.2
    steps: int = 60
    rate: float | int = 0.04
    free_shape: bool = True

    def __post_init__(self) -> None:
        if self.steps < 0 or not (self.stay > 0 and self.depth > 0):
            raise ValueError(f"a fit needs steps >= 0, stay > 0 and depth > 0, got {self}")


class Fit(NamedTuple):
    """A fitted theta [B, 85], its energy [B], and the energy [B] of the start."""

    theta: Float[Tensor, "batch 85"]
    energy: Float[Tensor, " batch"]
    start_energy: Float[Tensor, " batch"]


@at_least_float32
def heatmap_evidence(heatmaps: Float[Tensor, "batch 19 height width"]) -> Evidence:
    """Make evidence from a network's heat-maps (logits, over the crop).

    A map is a mixture: each cell holds the keypoint with the cell's probability, up to an error of
    `MAP_SIGMA`. A map with two bright places keeps both, and the body chooses one of them. Their
    mean, which soft-argmax returns, may be no possible place at all.
    """
    probability = heatmaps.detach().flatten(2).softmax(-1).view_as(heatmaps)
    rows, columns = (cell_centres(cells, probability) for cells in heatmaps.shape[-2:])

    def closeness(position: Tensor, cells: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((position[..., None] - cells) / MAP_SIGMA).square())

    @at_least_float32
    def energy(keypoints2d: Tensor) -> Tensor:
        x, y = closeness(keypoints2d[..., 0], columns), closeness(keypoints2d[..., 1], rows)
        likelihood = torch.einsum("bnhw,bnh,bnw->bn", probability.to(x), y, x)
        return -(likelihood + DOUBT).log().sum(1)

    return energy


@at_least_float32
def keypoint_evidence(
    keypoints2d: Float[Tensor, "batch 19 2"], confidence: Float[Tensor, "batch 19"]
) -> Evidence:
    """Make evidence from annotated keypoints (crop units), each with a confidence >= 0.

    Near an annotation the energy is the squared distance over 2 sigma^2; far away it is constant.
    This is the Geman-McClure function of SMPLify (Bogo et al., eq. 2): one wrong annotation does
    not twist the body. Coordinates of confidence 0 may be anything, NaN included.
    """
    annotated = torch.where(confidence[..., None] > 0, keypoints2d, 0.0)

    @at_least_float32
    def energy(projected: Tensor) -> Tensor:
        squared = (projected - annotated).square().sum(-1)
        return (confidence * _robust(squared, CLICK_SIGMA, CLICK_OUTLIER)).sum(1)

    return energy


def _robust(squared: Tensor, sigma: float, outlier: float) -> Tensor:
    """Return half of a squared distance in sigmas, which stops growing beyond `outlier`."""
    return squared / (1 + squared / outlier**2) / (2 * sigma**2)


@at_least_float32
def fit(
    body: SMPL,
    theta: Float[Tensor, "batch 85"],
    evidence: Evidence,
    options: FitOptions | None = None,
    prior: PosePrior | None = None,
    depths: Float[Tensor, "batch 19"] | None = None,
    depth_confidence: Float[Tensor, "batch 19"] | None = None,
) -> Fit:
    """Fit thetas to evidence, each by itself, from the given start.

    The result is the best theta of all steps, the start included, so the energy never rises. Raises
    ValueError when a theta is not finite.

    Args:
        body: the body model.
        theta: the start.
        evidence: scores projected keypoints.
        options: weights and steps; the defaults if None.
        prior: the pose prior; the shipped one if None.
        depths: `Features.depths`, where a network predicts them.
        depth_confidence: weight >= 0 of each depth; 1 if None.
    """
    if not theta.isfinite().all():
        raise ValueError("a fit cannot start from a theta that is NaN or infinite")
    options = options or FitOptions()
    prior = (prior or load_pose_prior()).to(theta.device)
    camera, pose, betas = split_theta(theta.detach())
    start = axis_angle_to_matrix(pose.unflatten(1, (24, 3)))
    # The root is a turn relative to the start: its own axis-angle would be at the cut at pi.
    turn = torch.zeros_like(pose[:, :3])
    free = [part.clone().requires_grad_() for part in (camera, turn, pose[:, 3:], betas)]

    def energy() -> Tensor:
        camera, turn, joints, betas = free
        root = axis_angle_to_matrix(turn) @ start[:, 0]
        R = torch.cat((root[:, None], axis_angle_to_matrix(joints.unflatten(1, (23, 3)))), 1)
        keypoints = body(betas, R, vertices=False).keypoints
        # |R - R_0|^2 / 2 is the angle squared, up to its fourth power.
        moved = (R - start).square().sum((1, 2, 3)) / 2
        depth_energy = 0.0
        if depths is not None:
            depth_error = align_root(keypoints)[..., 2] - depths.detach()
            each = _robust(depth_error.square(), options.depth, DEPTH_OUTLIER)
            depth_energy = (each if depth_confidence is None else depth_confidence * each).sum(1)
        return (
            evidence(weak_perspective(keypoints, camera))
            - options.pose * prior.log_prob(torch.cat((turn, joints), 1))
            + options.shape * betas.square().sum(1) / 2
            + moved / (2 * options.stay**2)
            + depth_energy
        )

    best = [part.detach().clone() for part in free]
    with torch.enable_grad():
        optimizer = torch.optim.Adam(free if options.free_shape else free[:3], lr=options.rate)
        for step in range(options.steps + 1):
            E = energy()
            if step == 0:
                lowest = start_energy = E.detach()
            better = E.detach() < lowest
            lowest = torch.where(better, E.detach(), lowest)
            best = [
                torch.where(better[:, None], current.detach(), best_before)
                for current, best_before in zip(free, best, strict=True)
            ]
            cosine = 0.5 * (1 + math.cos(math.pi * step / max(options.steps, 1)))
            optimizer.param_groups[0]["lr"] = options.rate * cosine
            optimizer.zero_grad()
            E.sum().backward()
            optimizer.step()

    camera, turn, joints, betas = best
    root = matrix_to_axis_angle(axis_angle_to_matrix(turn) @ start[:, 0])
    return Fit(join_theta(camera, torch.cat((root, joints), 1), betas), lowest, start_energy)


@at_least_float32
def fit_to_keypoints(
    body: SMPL,
    starts: Sequence[Float[Tensor, "batch 85"]],
    keypoints2d: Float[Tensor, "batch 19 2"],
    confidence: Float[Tensor, "batch 19"],
    options: FitOptions | None = None,
) -> Fit:
    """Fit to annotated keypoints from several starts; each person keeps the fit of least energy.

    A start may be far from the annotations (a wrong prediction, a mean theta). So its camera is
    first replaced by the one that explains the annotations best, if there is one. SMPLify begins in
    the same way. Raises ValueError as `fit`.

    Args:
        body: the body model.
        starts: thetas to start from.
        keypoints2d: annotated keypoints, in crop units.
        confidence: weight >= 0 of each keypoint.
        options: weights and steps; the defaults if None.
    """
    evidence = keypoint_evidence(keypoints2d, confidence)
    fits = [
        fit(body, _with_best_camera(body, start, keypoints2d, confidence), evidence, options)
        for start in starts
    ]
    best = torch.stack([each.energy for each in fits]).argmin(0)
    people = torch.arange(len(best), device=best.device)
    return Fit(*(torch.stack(parts)[best, people] for parts in zip(*fits, strict=True)))


@torch.no_grad()
def _with_best_camera(
    body: SMPL,
    theta: Float[Tensor, "batch 85"],
    keypoints2d: Float[Tensor, "batch 19 2"],
    confidence: Float[Tensor, "batch 19"],
) -> Float[Tensor, "batch 85"]:
    """Replace each camera by the weak camera that explains the annotations best.

    Args:
        body: the body model.
        theta: whose cameras are replaced.
        keypoints2d: annotated keypoints, in crop units.
        confidence: weight >= 0 of each keypoint.
    """
    camera, pose, betas = split_theta(theta.detach().clone())
    points = body(betas, pose, vertices=False).keypoints
    for i in range(len(theta)):
        # No camera explains a body upside down or a single keypoint: keep the old camera then.
        with suppress(ValueError):
            camera[i] = fit_weak_perspective(points[i], keypoints2d[i], confidence[i])
    return join_theta(camera, pose, betas)
