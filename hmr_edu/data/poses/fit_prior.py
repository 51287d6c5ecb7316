"""Fit the pose prior: expectation-maximisation on motion capture and its mirror image."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from tqdm import tqdm

import hmr_edu
from hmr_edu.data.poses.mocap import Mocap, load_mocap
from hmr_edu.data.poses.pose_angles import straight_legged
from hmr_edu.data.poses.prior import (
    BODY,
    FORMAT,
    SIZE,
    PosePrior,
    mirror_features,
    pose_to_features,
)
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, check_output
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import sha256
from hmr_edu.keypoints import SMPL_JOINTS

ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)
COMPONENTS = 64
# Each covariance is mixed with the mean covariance, which counts as this many poses.
SHRINKAGE = 100.0
ROUNDS = 30
CONVERGED = 0.02  # nats a pose
SHARE = (0.001, 0.999)  # joint limits: these quantiles of the data,
MARGIN = 4.0  # widened by so many standard deviations of the jitter

# Jitter, degrees: recorded knees and elbows are hinges, collars and hands never move, the spine
# bends as one. A Gaussian of this width is added so that no direction has zero variance.
JITTER = 1.5
JITTER_OF = {"collar": 3.0, "wrist": 4.0, "hand": 3.0, "foot": 3.0}


@dataclass(frozen=True)
class Mixture:
    """The fitted half of a symmetric mixture; `log_likelihood` is the mean of a pose, in nats."""

    weights: Float64[Tensor, " K"]
    means: Float64[Tensor, "K 71"]
    cholesky: Float64[Tensor, "K 71 71"]
    log_likelihood: float
    rounds: int


def jitter() -> Float64[Tensor, " 71"]:
    """Return the standard deviation of the jitter of every feature, in radians."""
    degrees = [
        next((value for part, value in JITTER_OF.items() if part in name), JITTER)
        for name in SMPL_JOINTS[1:]
    ]
    features = torch.tensor(degrees, dtype=torch.float64).repeat_interleave(3)
    return torch.deg2rad(torch.cat([features, torch.full((SIZE - BODY,), JITTER).double()]))


def clip_weights(
    mocap: Mocap, weigh: Literal["root", "clips"] = "root", straight_legs: float | int = 0
) -> Float64[Tensor, " N"]:
    """Weight frames by 1 / sqrt(frames of the clip), or by 1 / frames of the clip.

    With the root a long clip counts more than a short one, but not in proportion to its length;
    without it all clips count the same. Recorded people walk, dance and climb: `straight_legs`, if
    not 0, is the share of the weight that frames with two straight legs get instead of theirs.
    Raises DataError when no frame has, or every one.
    """
    frames = torch.bincount(mocap.clips, minlength=len(mocap.clip_names)).double()
    each = frames[mocap.clips]
    weights = each.rsqrt() if weigh == "root" else each.reciprocal()
    weights = weights / weights.sum()
    if straight_legs:
        straight = straight_legged(mocap.poses)
        share = weights[straight].sum()
        if not 0 < share < 1:
            raise DataError(f"--straight-legs: {int(straight.sum())} of {len(mocap)} poses have")
        wanted = torch.tensor(float(straight_legs)).double()
        weights *= torch.where(straight, wanted / share, (1 - wanted) / (1 - share))
    return weights


def fit_mixture(
    features: Float[Tensor, "N 71"],
    weights: Float[Tensor, " N"],
    components: int = COMPONENTS,
    seed: int = 0,
    progress: bool = False,
    shrinkage: float | int = SHRINKAGE,
) -> Mixture:
    """Fit `components` Gaussians and their mirror images by expectation-maximisation.

    Every pose comes with its mirror image, and component k explains one of the two: with M the
    mirror, p(x) = sum_k w_k / 2 (N(x; k) + N(M x; k)). Covariances are shrunk towards the mean
    covariance of the components (MAP estimation) and are never narrower than the jitter.

    Args:
        features: of the poses; see `pose_to_features`.
        weights: of the poses.
        components: how many Gaussians; their mirror images come on top.
        seed: random seed of the start.
        progress: show a progress bar.
        shrinkage: as so many poses the mean covariance counts.
    """
    x = features.double()
    N = len(x)
    if components < 1 or components > N:
        raise DataError(f"components must be from 1 to the {N} poses, not {components}")
    index, sign = mirror_features()
    both = torch.stack([x, x[:, index] * sign])  # [2, N, 71]
    weights = weights.double() / weights.double().sum() * N
    responsibility = _initial(both, weights, components, seed)
    floor = torch.diag(jitter().square())
    previous = -np.inf
    rounds = 0
    bar = tqdm(total=ROUNDS, desc="fit", unit="round", disable=not progress)
    while rounds < ROUNDS:
        rounds += 1
        # M step: weighted moments of the poses and mirror images that each component explains.
        r = responsibility * weights[None, :, None]
        count = r.sum((0, 1)) + 1e-9
        means = torch.einsum("snk,snf->kf", r, both) / count[:, None]
        scatter = torch.stack(
            [_scatter(both.flatten(0, 1), r[..., k].flatten(), means[k]) for k in range(components)]
        )
        pooled = scatter.sum(0) / N
        pooled = (pooled + pooled[index][:, index] * sign[:, None] * sign) / 2
        covariance = (scatter + shrinkage * pooled) / (count + shrinkage)[:, None, None] + floor
        cholesky = torch.linalg.cholesky(covariance)
        share = (count + 1) / (count + 1).sum()
        # E step: the share of each component in each pose.
        joint = torch.stack([_log_density(side, means, cholesky) for side in both])
        joint = joint + share.log() - np.log(2)
        evidence = torch.logsumexp(joint, dim=(0, 2))
        responsibility = (joint - evidence[None, :, None]).exp()
        log_likelihood = float((evidence * weights).mean())
        bar.update()
        bar.set_postfix(log_likelihood=f"{log_likelihood:.2f}")
        if log_likelihood - previous < CONVERGED:
            break
        previous = log_likelihood
    bar.close()
    return Mixture(share, means, cholesky, log_likelihood, rounds)


def joint_limits(
    features: Float[Tensor, "N 71"],
) -> tuple[Float64[Tensor, " 69"], Float64[Tensor, " 69"]]:
    """Return the range (low, high) of each axis-angle number in the data and its mirror image."""
    index, sign = mirror_features()
    x = torch.cat([features, features[:, index] * sign]).double()[:, :BODY]
    share = torch.tensor(SHARE, dtype=torch.float64)
    low, high = torch.quantile(x, share, dim=0)
    margin = MARGIN * jitter()[:BODY]
    return low - margin, high + margin


def make_prior(mixture: Mixture, features: Float[Tensor, "N 71"]) -> PosePrior:
    """Make the prior of a fitted mixture; joint limits come from the data."""
    low, high = joint_limits(features)
    return PosePrior(mixture.weights, mixture.means, mixture.cholesky, low, high)


def fit_prior(
    mocap: str | Path,
    out: str | Path,
    components: int = COMPONENTS,
    seed: int = 0,
    weigh: Literal["root", "clips"] = "root",
    straight_legs: float | int = 0,
) -> Path:
    """Fit the pose prior to a mocap file; write it, and its provenance beside it (json).

    Raises FileNotFoundError or DataError when the mocap file cannot be used.

    Args:
        mocap: the mocap file.
        out: the file of the prior, .npz.
        components: how many Gaussians; their mirror images come on top.
        seed: random seed of the fit.
        weigh: what clips count; see `clip_weights`.
        straight_legs: share of the weight of people on two straight legs; 0 as recorded.
    """
    start, start_cpu = time.perf_counter(), time.process_time()
    out = Path(out)
    if out.suffix != ".npz":
        raise DataError(f"{out}: a pose prior is written as .npz")
    check_output(out)
    data = load_mocap(mocap)
    features = pose_to_features(data.poses.double())
    weights = clip_weights(data, weigh, straight_legs)
    mixture = fit_mixture(features, weights, components, seed, progress=True)
    low, high = joint_limits(features)
    rows, columns = np.tril_indices(SIZE)
    arrays = {
        "weights": mixture.weights.float(),
        "means": mixture.means.half(),
        "cholesky": mixture.cholesky[:, rows, columns].half(),
        "low": low.float(),
        "high": high.float(),
    }
    with atomic_write(out) as temporary:
        np.savez_compressed(
            temporary, format=np.array(FORMAT), **{k: v.numpy() for k, v in arrays.items()}
        )
    provenance = {
        # CMU asks for it; other recordings have other terms.
        **({"acknowledgement": ACKNOWLEDGEMENT} if "cmu" in Path(mocap).name.lower() else {}),
        "input": {"name": Path(mocap).name, "sha256": sha256(mocap), "poses": len(data)},
        "output": {"name": out.name, "sha256": sha256(out), "bytes": out.stat().st_size},
        "options": {
            "components": components,
            "seed": seed,
            "weights": weigh,
            "straight_legs": straight_legs,
        },
        "fit": {"rounds": mixture.rounds, "log_likelihood_per_pose": mixture.log_likelihood},
        "minutes": round((time.perf_counter() - start) / 60, 2),
        "cpu_minutes": round((time.process_time() - start_cpu) / 60, 2),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "hmr_edu": hmr_edu.__version__,
        },
    }
    write_json(out.with_suffix(".json"), provenance)
    return out


def _initial(both: Tensor, weights: Tensor, components: int, seed: int) -> Tensor:
    """Return hard assignments [2, N, K] from k-means that may mirror a pose; k-means++ starts.

    Args:
        both: features of the poses and of their mirror images.
        weights: of the poses.
        components: how many clusters.
        seed: random seed of the start.
    """
    generator = torch.Generator().manual_seed(seed)
    x = both[0]

    def distance(centre: Tensor) -> Tensor:
        return torch.stack([(side - centre).square().sum(1) for side in both])  # [2, N]

    first = torch.multinomial(weights, 1, generator=generator)
    centres = [x[first[0]]]
    nearest = distance(centres[0]).amin(0)
    while len(centres) < components:
        chance = (nearest * weights).clamp_min(1e-12)
        centres.append(x[torch.multinomial(chance, 1, generator=generator)[0]])
        nearest = torch.minimum(nearest, distance(centres[-1]).amin(0))
    means = torch.stack(centres)
    for _ in range(8):
        distances = torch.stack([torch.cdist(side, means) for side in both])  # [2, N, K]
        side = distances.argmin(0)
        cluster = distances.amin(0).argmin(1)
        side = side.gather(1, cluster[:, None])[:, 0]
        chosen_side = both[side, torch.arange(len(x))]
        total = torch.zeros(components, dtype=x.dtype).index_add_(0, cluster, weights)
        summed = torch.zeros_like(means).index_add_(0, cluster, chosen_side * weights[:, None])
        means = torch.where(total[:, None] > 0, summed / total.clamp_min(1e-9)[:, None], means)
    responsibility = torch.zeros(2, len(x), components, dtype=x.dtype)
    responsibility[side, torch.arange(len(x)), cluster] = 1
    return responsibility


def _scatter(x: Tensor, r: Tensor, mean: Tensor) -> Tensor:
    """Return sum_n r_n (x_n - mean)(x_n - mean)^T over the poses with a share r_n > 1e-6."""
    counts: Bool[Tensor, " n"] = r > 1e-6
    centred = x[counts] - mean
    return centred.T @ (centred * r[counts, None])


def _log_density(x: Tensor, means: Tensor, cholesky: Tensor) -> Tensor:
    """Return log N(x; k) [N, K]."""
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    columns = []
    for mean, L in zip(means, cholesky, strict=True):
        whitened = (x - mean) @ torch.linalg.solve_triangular(L, eye, upper=False).T
        constant = L.diagonal().log().sum() + 0.5 * x.shape[1] * np.log(2 * np.pi)
        columns.append(-0.5 * whitened.square().sum(1) - constant)
    return torch.stack(columns, 1)
