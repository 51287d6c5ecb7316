"""Fitting a body to 2D evidence: a network's theta, corrected for one picture.

SMPLify (Bogo et al., ECCV 2016) fits a body to keypoints from nothing; here, as in SPIN, the fit
starts from a network's answer and stays near it, because 2D says nothing of depth and the network
does. The energy is minus the log of a posterior::

    E(theta) = evidence(x(theta)) + w_pose (-log p(pose)) + w_shape |beta|^2 / 2
               + sum_j angle(R_j, R_j of the start)^2 / (2 stay^2)

The evidence is what the picture says of the projected keypoints x: the network's heat-maps, or
keypoints that somebody marked. Where the network guesses their depths as well, each of them adds
a robust squared distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.body import SMPL
from hmr_edu.camera import fit_weak_perspective, weak_perspective
from hmr_edu.data.poses.prior import PosePrior, load_pose_prior
from hmr_edu.encoder.heads import cell_centres
from hmr_edu.fitting.flip_test import run_flip_test
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.keypoints import align_root
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.theta import join_theta, split_theta

# How far a keypoint may lie from where a heat-map's cell, or a person, says that it is; crop units.
MAP_SIGMA = 0.12
CLICK_SIGMA = 0.03
# From this distance on a marked keypoint is taken for a mistake; crop units.
CLICK_OUTLIER = 0.3
# From this distance on a guessed depth is taken for a mistake; metres.
DEPTH_OUTLIER = 0.6
# The share of a heat-map's word that is not trusted at all: keeps its logarithm finite.
DOUBT = 1e-3

# Projected keypoints [B, 19, 2] in, minus their log-likelihood [B] out, in nats.
Evidence = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FitOptions:
    """What the fit weighs, and how it descends. The defaults were chosen on `test-prior`.

    pose: weight of the pose prior's negative log density. shape: of |beta|^2 / 2. stay: how far,
    in radians a joint, the start is believed to be off; depth: the same of guessed depths, in
    metres. steps, rate: of Adam, whose rate falls to 0 along half a cosine; rate is in radians,
    metres and units of beta alike.
    """

    pose: float | int = 0.05
    shape: float | int = 1.0
    stay: float | int = 0.3
    depth: float | int = 0.2
    steps: int = 60
    rate: float | int = 0.04

    def __post_init__(self) -> None:
        if self.steps < 0 or not (self.stay > 0 and self.depth > 0):
            raise ValueError(f"a fit needs steps >= 0, stay > 0 and depth > 0, got {self}")


class Fit(NamedTuple):
    """A fitted theta [B, 85], its energy [B], and the energy [B] that the start had."""

    theta: Float[Tensor, "batch 85"]
    energy: Float[Tensor, " batch"]
    start_energy: Float[Tensor, " batch"]


def heatmap_evidence(heatmaps: Float[Tensor, "batch 19 height width"]) -> Evidence:
    """Make evidence of a network's heat-maps (logits, over the crop).

    A map is a mixture: with the probability of each cell the keypoint is there, give or take
    `MAP_SIGMA`. A map with two bright places stays a map with two places, of which the body
    chooses one; their mean, which soft-argmax reads off, may be no place at all.
    """
    probability = heatmaps.detach().flatten(2).softmax(-1).view_as(heatmaps)
    rows, columns = (cell_centres(cells, probability) for cells in heatmaps.shape[-2:])

    def near(place: Tensor, cells: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((place[..., None] - cells) / MAP_SIGMA).square())

    def energy(keypoints2d: Tensor) -> Tensor:
        x, y = near(keypoints2d[..., 0], columns), near(keypoints2d[..., 1], rows)
        likelihood = torch.einsum("bnhw,bnh,bnw->bn", probability, y, x)
        return -(likelihood + DOUBT).log().sum(1)

    return energy


def keypoint_evidence(
    keypoints2d: Float[Tensor, "batch 19 2"], confidence: Float[Tensor, "batch 19"]
) -> Evidence:
    """Make evidence of marked keypoints (crop units), each trusted by a weight >= 0.

    Squared distance over 2 sigma^2 when near, constant when far: the Geman-McClure function of
    SMPLify (Bogo et al., eq. 2), so that one wrong click does not twist the body. Coordinates
    of weight 0 may be anything, NaN included.
    """
    marked = torch.where(confidence[..., None] > 0, keypoints2d, 0.0)

    def energy(projected: Tensor) -> Tensor:
        squared = (projected - marked).square().sum(-1)
        return (confidence * _robust(squared, CLICK_SIGMA, CLICK_OUTLIER)).sum(1)

    return energy


def _robust(squared: Tensor, sigma: float, outlier: float) -> Tensor:
    """Half of a squared distance in sigmas, which stops growing beyond `outlier`."""
    return squared / (1 + squared / outlier**2) / (2 * sigma**2)


def fit(
    body: SMPL,
    theta: Float[Tensor, "batch 85"],
    evidence: Evidence,
    options: FitOptions | None = None,
    prior: PosePrior | None = None,
    depths: Float[Tensor, "batch 19"] | None = None,
) -> Fit:
    """Fit thetas to evidence, each by itself, from the given start.

    What is returned is the best theta seen on the way, the start among them: the energy never
    rises. `prior` is the shipped one by default; `depths` are `Features.depths`, where a network
    guesses them. Raises ValueError when a theta is not finite.
    """
    if not theta.isfinite().all():
        raise ValueError("a fit cannot start from a theta that is NaN or infinite")
    options = options or FitOptions()
    prior = (prior or load_pose_prior()).to(theta.device)
    camera, pose, betas = split_theta(theta.detach())
    start = axis_angle_to_matrix(pose.unflatten(1, (24, 3)))
    # The root turns from where it starts: as an axis-angle it would sit on the cut at pi.
    turn = torch.zeros_like(pose[:, :3])
    free = [part.clone().requires_grad_() for part in (camera, turn, pose[:, 3:], betas)]

    def energy() -> Tensor:
        camera, turn, joints, betas = free
        root = axis_angle_to_matrix(turn) @ start[:, 0]
        R = torch.cat((root[:, None], axis_angle_to_matrix(joints.unflatten(1, (23, 3)))), 1)
        keypoints = body(betas, R, vertices=False).keypoints
        # |R - R_0|^2 / 2 is the angle squared, up to its fourth power.
        moved = (R - start).square().sum((1, 2, 3)) / 2
        guessed = 0.0
        if depths is not None:
            off = align_root(keypoints)[..., 2] - depths.detach()
            guessed = _robust(off.square(), options.depth, DEPTH_OUTLIER).sum(1)
        return (
            evidence(weak_perspective(keypoints, camera))
            - options.pose * prior.log_prob(torch.cat((turn, joints), 1))
            + options.shape * betas.square().sum(1) / 2
            + moved / (2 * options.stay**2)
            + guessed
        )

    best = [part.detach().clone() for part in free]
    with torch.enable_grad():
        optimizer = torch.optim.Adam(free, lr=options.rate)
        for step in range(options.steps + 1):
            E = energy()
            if step == 0:
                lowest = start_energy = E.detach()
            better = E.detach() < lowest
            lowest = torch.where(better, E.detach(), lowest)
            best = [
                torch.where(better[:, None], now.detach(), before)
                for now, before in zip(free, best, strict=True)
            ]
            cosine = 0.5 * (1 + math.cos(math.pi * step / max(options.steps, 1)))
            optimizer.param_groups[0]["lr"] = options.rate * cosine
            optimizer.zero_grad()
            E.sum().backward()
            optimizer.step()

    camera, turn, joints, betas = best
    root = matrix_to_axis_angle(axis_angle_to_matrix(turn) @ start[:, 0])
    return Fit(join_theta(camera, torch.cat((root, joints), 1), betas), lowest, start_energy)


def fit_to_keypoints(
    body: SMPL,
    starts: Sequence[Float[Tensor, "batch 85"]],
    keypoints2d: Float[Tensor, "batch 19 2"],
    confidence: Float[Tensor, "batch 19"],
    options: FitOptions | None = None,
) -> Fit:
    """Fit to marked keypoints from several starts; everybody keeps the fit of least energy.

    A start may lie far from the marks (a network's answer that failed, a mean theta): first its
    camera becomes the one that explains the marks best, where there is one. SMPLify begins like
    that, too. Raises ValueError as `fit`.
    """
    evidence = keypoint_evidence(keypoints2d, confidence)
    fits = [
        fit(body, _aimed(body, start, keypoints2d, confidence), evidence, options)
        for start in starts
    ]
    best = torch.stack([one.energy for one in fits]).argmin(0)
    who = torch.arange(len(best), device=best.device)
    return Fit(*(torch.stack(parts)[best, who] for parts in zip(*fits, strict=True)))


@torch.no_grad()
def _aimed(
    body: SMPL,
    theta: Float[Tensor, "batch 85"],
    keypoints2d: Float[Tensor, "batch 19 2"],
    confidence: Float[Tensor, "batch 19"],
) -> Float[Tensor, "batch 85"]:
    """Give everybody the weak camera that explains the marks best, in closed form."""
    camera, pose, betas = split_theta(theta.detach().clone())
    points = body(betas, pose, vertices=False).keypoints
    for i in range(len(theta)):
        # No camera explains a body upside down, or a single mark: that person keeps the old one.
        with suppress(ValueError):
            camera[i] = fit_weak_perspective(points[i], keypoints2d[i], confidence[i])
    return join_theta(camera, pose, betas)


class Refined(nn.Module):
    """A network that looks twice, and fits the body to what it saw of keypoints: one step more.

    Takes the place of an `HMR`. Raises DataError on a network without heat-maps.
    """

    def __init__(self, model: HMR, options: FitOptions | None = None) -> None:
        super().__init__()
        self.model, self.fit_options = model, options
        self.body, self.prior = model.body, load_pose_prior()
        self.regressor = model.regressor
        self.image_size, self.options = model.image_size, model.options
        self.training = model.training

    def forward(
        self, images: Float[Tensor, "batch 3 H W"], vertices: bool = True
    ) -> list[Prediction]:
        """Return the bodies of every regression step, and after them the fitted ones."""
        # A fit follows gradients, also for callers who want none.
        with torch.inference_mode(False), torch.no_grad():
            look = run_flip_test(self.model, images.clone(), vertices)
            evidence = heatmap_evidence(look.heatmaps)
            fitted = fit(
                self.model.body, look.theta, evidence, self.fit_options, self.prior, look.depths
            )
            last = self.model.detail(fitted.theta)
        return [*look.steps, last if vertices else last._replace(vertices=None)]
