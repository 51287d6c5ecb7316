"""Measure the pose prior: likelihoods of unseen people, distances to the nearest draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.data.poses.fit_prior import clip_weights, fit_mixture, jitter, make_prior
from hmr_edu.data.poses.mocap import Mocap, load_mocap
from hmr_edu.data.poses.prior import (
    BODY,
    PosePrior,
    features_to_pose,
    load_pose_prior,
    pose_to_features,
)
from hmr_edu.io.tables import markdown_table, number_cell
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.metrics import mpjpe, pa_mpjpe

FOLDS = 5  # every fifth clip is held out
DRAWS = 20_000
OTHERS = 400  # poses of other people for which the nearest draw is searched
# PA-MPJPE is computed for this many draws nearest in MPJPE, and the smallest one counts.
CANDIDATES = 16


def report(
    cmu: str | Path,
    others: str | Path | None = None,
    prior: str | Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a prior and return "log_prob", "auc", "limits", "joints" and "nearest".

    Likelihoods are in nats for each pose, distances in mm. A second prior is fitted to four fifths
    of the clips of `cmu`, to measure the likelihood of the rest.

    Args:
        cmu: the mocap that the prior was fitted to.
        others: mocap of other people (HDM05), used for measuring only.
        prior: file of the prior; the shipped one if None.
        seed: random seed of the draws and the fit.
    """
    shipped, recorded = load_pose_prior(prior), load_mocap(cmu)
    other = None if others is None else load_mocap(others)
    g = torch.Generator().manual_seed(seed)
    fitted = recorded.clips % FOLDS > 0
    fitted_clips = recorded.select(fitted)
    features = pose_to_features(fitted_clips.poses.double())
    held_prior = make_prior(fit_mixture(features, clip_weights(fitted_clips), seed=seed), features)

    poses = {
        "CMU, fitted to": jittered(recorded.poses[::5], g),
        "draws, as fitted (spread 1, no mixing)": shipped.sample(2000, g, 1.0, 0.0, 0.0),
        "draws, by default": shipped.sample(2000, g),
        "each angle alone, normal as in CMU": _independent(recorded.poses, 2000, g),
        "each angle alone, uniform in the limits": _uniform(shipped, 2000, g),
    }
    held_poses = jittered(recorded.select(~fitted).poses[::3], g)
    log_prob = {name: _spread(shipped.log_prob(pose)) for name, pose in poses.items()}
    log_prob["CMU, clips held out (prior refitted)"] = _spread(held_prior.log_prob(held_poses))
    result: dict[str, Any] = {"log_prob": log_prob}
    outside = {"draws": _outside(shipped, shipped.sample(DRAWS, g))}
    by_joint = {}
    if other is not None:
        others_log_prob = shipped.log_prob(jittered(other.poses[::5], g))
        log_prob["HDM05, other people"] = _spread(others_log_prob)
        result["auc"] = {
            name: _auc(others_log_prob, shipped.log_prob(pose))
            for name, pose in poses.items()
            if "alone" in name
        }
        outside["HDM05"] = _outside(shipped, other.poses)
        by_joint = joints_outside(shipped, other.poses)
        result["nearest"] = nearest_table(shipped, recorded, other, g)
    result["limits"], result["joints"] = outside, by_joint
    return result


def nearest_table(
    prior: PosePrior, recorded: Mocap, other: Mocap, generator: torch.Generator
) -> dict[str, dict[str, float]]:
    """Return the distances of other people's poses to the nearest pose of several sets.

    The root is the true one; MPJPE and PA-MPJPE over the 14 LSP joints, hips aligned.

    Args:
        prior: the prior, whose draws are some of the sets.
        recorded: the mocap that the prior was fitted to.
        other: mocap of other people.
        generator: random numbers.
    """
    body = load_body("lite")
    target = lsp_joints(body, other.poses[:: max(1, len(other) // OTHERS)])
    draws: dict[str, Callable[[], Tensor]] = {
        "the CMU poses themselves": lambda: recorded.poses,
        "CMU and mirror images": lambda: torch.cat([recorded.poses, recorded.mirror().poses]),
    }
    for spread in (1.0, 1.2, 1.5):
        for mix in (0.0, 0.25, 0.5):
            name = f"{DRAWS:,} draws, spread {spread}, mix {mix}"
            draws[name] = lambda s=spread, m=mix: prior.sample(DRAWS, generator, s, m, 0.0)
    return {name: _nearest(target, lsp_joints(body, draw())) for name, draw in draws.items()}


def as_markdown(result: dict[str, Any]) -> str:
    """Format the tables of a report as Markdown."""
    ranked = sorted(result["log_prob"].items(), key=lambda item: -item[1]["median"])
    columns = {"log p, mean": "mean", "median": "median", "5 %": "low"}
    lines = [_markdown("poses", columns, ranked), ""]
    for name, value in result.get("auc", {}).items():
        lines.append(f"- AUC, HDM05 people against `{name}`: {value:.4f}")
    for name, value in result["limits"].items():
        lines.append(f"- poses of {name} with some joint outside the limits: {100 * value:.1f} %")
    for name, (share, degrees) in result["joints"].items():
        lines.append(
            f"- poses of HDM05 with the {name} outside: {100 * share:.1f} %, by {degrees:.0f} "
            "degrees in the median"
        )
    if "nearest" in result:
        columns = {"MPJPE": "mpjpe", "PA-MPJPE": "pa", "PA, 95 %": "pa95"}
        lines += ["", _markdown("nearest of", columns, result["nearest"].items())]
    return "\n".join(lines) + "\n"


def _markdown(
    first: str, columns: dict[str, str], rows: Iterable[tuple[str, dict[str, float]]]
) -> str:
    """Format named rows of numbers as Markdown; `columns` maps titles to keys of a row."""
    cells = ([name, *(number_cell(row[key]) for key in columns.values())] for name, row in rows)
    return markdown_table([first, *columns], cells)


def jittered(pose: Tensor, generator: torch.Generator) -> Tensor:
    """Add the jitter: recorded hinges have no width, so no density describes them without it."""
    features = pose_to_features(pose)
    noise = torch.randn(features.shape, generator=generator) * jitter().float()
    return features_to_pose(features + noise)


def _independent(pose: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Draw every axis-angle number alone, normal with the mean and deviation of the data."""
    noise = torch.randn(n, 72, generator=generator)
    deviation = pose.std(0)
    deviation[3:] = deviation[3:].hypot(jitter()[:BODY].float())
    return pose.mean(0) + noise * deviation


def _uniform(prior: PosePrior, n: int, generator: torch.Generator) -> Tensor:
    """Draw every axis-angle number alone, uniform within the joint limits."""
    body = prior.low + (prior.high - prior.low) * torch.rand(n, BODY, generator=generator)
    return torch.cat([torch.zeros(n, 3), body], 1)


def _spread(value: Tensor) -> dict[str, float]:
    return {
        "mean": float(value.mean()),
        "median": float(value.median()),
        "low": float(value.quantile(0.05)),
    }


def _auc(positive: Tensor, negative: Tensor) -> float:
    """Return the chance that a positive scores above a negative."""
    return float((positive[:, None] > negative[None]).float().mean())


def _outside(prior: PosePrior, pose: Tensor) -> float:
    """Return the share of poses with some joint outside the limits."""
    body = pose[:, 3:]
    return float(((body < prior.low) | (body > prior.high)).any(1).float().mean())


def joints_outside(
    prior: PosePrior, pose: Float[Tensor, "N 72"], least: float = 0.01
) -> dict[str, tuple[float, float]]:
    """Return which joints leave their limits: the share of poses, and the median of the degrees.

    Joints that do so in a smaller share of the poses than `least` are left out.
    """
    body = pose[:, 3:]
    beyond = torch.maximum(prior.low - body, body - prior.high).clamp_min(0)
    farthest = beyond.unflatten(1, (-1, 3)).amax(2).rad2deg()
    found = {}
    for name, degrees in zip(SMPL_JOINTS[1:], farthest.unbind(1), strict=True):
        out = degrees[degrees > 0]
        if len(out) >= least * len(pose) and len(out):
            found[name] = (len(out) / len(pose), float(out.median()))
    return found


def lsp_joints(body: SMPL, pose: Float[Tensor, "N 72"]) -> Float[Tensor, "N 14 3"]:
    """Return the LSP joints of an average body with an upright root, middle of the hips at 0."""
    pose = torch.cat([torch.zeros(len(pose), 3), pose[:, 3:]], 1)
    parts = [
        body(torch.zeros(len(p), 10), p, vertices=False).keypoints[:, :14] for p in pose.split(500)
    ]
    keypoints = torch.cat(parts).detach()
    return keypoints - keypoints[:, 2:4].mean(1, keepdim=True)


def nearest_distances(
    target: Float[Tensor, "N 14 3"], bank: Float[Tensor, "M 14 3"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return MPJPE and PA-MPJPE of each target to the nearest of the bank, in metres."""
    smallest, smallest_pa = [], []
    for pose in target:
        distance = (bank - pose).square().sum(-1).sqrt().mean(-1)
        best = bank[distance.topk(min(CANDIDATES, len(bank)), largest=False).indices]
        repeated = pose.expand(len(best), -1, -1)
        smallest.append(mpjpe(best, repeated).min())
        smallest_pa.append(pa_mpjpe(best, repeated).min())
    return torch.stack(smallest), torch.stack(smallest_pa)


def _nearest(target: Float[Tensor, "N 14 3"], bank: Float[Tensor, "M 14 3"]) -> dict[str, float]:
    """Return mean distances from each target to the nearest of the bank, in mm."""
    smallest, smallest_pa = (d.double().numpy() for d in nearest_distances(target, bank))
    return {
        "mpjpe": 1e3 * float(np.mean(smallest)),
        "pa": 1e3 * float(np.mean(smallest_pa)),
        "pa95": 1e3 * float(np.quantile(smallest_pa, 0.95)),
    }
