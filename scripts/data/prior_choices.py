"""Fit the pose prior with other choices, and measure each on clips that were held out.

    python scripts/data/prior_choices.py

prints two tables. The first has the log density of every fifth clip under priors fitted to the
others, by the number of components and the strength of the shrinkage. The second has the distance
of one subject's poses to the nearest draw of a prior fitted without this subject, by how often an
arm comes from another draw. The mocap file is the one that the shipped prior was fitted to, with
the same weights; it lies in $HMR_EDU_MOCAP. The fits take several minutes.
"""

from __future__ import annotations

import argparse

import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.fit_prior import clip_weights, fit_mixture, make_prior
from hmr_edu.data.poses.mocap import Mocap, find_mocap, load_mocap
from hmr_edu.data.poses.prior import PosePrior, pose_to_features
from hmr_edu.data.poses.prior_report import (
    FOLDS,
    OTHERS,
    jittered,
    lsp_joints,
    nearest_distances,
)
from hmr_edu.io.tables import markdown_table

# Components, as many mirror images, and the shrinkage.
CHOICES = ((32, 100), (64, 50), (64, 100), (64, 200), (64, 500))
MIXES = (0.0, 0.25, 0.5)
# What clips count, and people on two straight legs: as in the shipped prior.
WEIGH, STRAIGHT_LEGS = "clips", 0.3


def main() -> None:
    """Read the options, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--poses", default="cmu_poses_knees.npz", help="found by its name")
    parser.add_argument("--subject", default="cmu_05", help="how the clips held out begin")
    parser.add_argument("--draws", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    path = find_mocap(args.poses)
    if path is None:
        parser.error(f"no {args.poses}: set $HMR_EDU_MOCAP to its folder")
    recorded = load_mocap(path)
    rows = []
    for components, shrinkage in CHOICES:
        value = held_out(recorded, components, shrinkage, args.seed)
        rows.append([str(components), str(shrinkage), f"{value:.1f}"])
    print(markdown_table(["components", "shrinkage", "log p, held out"], rows), flush=True)
    of_subject = torch.tensor([name.startswith(args.subject) for name in recorded.clip_names])
    chosen = of_subject[recorded.clips]
    prior = fit(recorded.select(~chosen), 64, 100, args.seed)
    print("\n" + mix_table(prior, recorded.select(chosen), args.draws, args.seed))


def fit(mocap: Mocap, components: int, shrinkage: float, seed: int) -> PosePrior:
    """Fit a prior."""
    features = pose_to_features(mocap.poses.double())
    weights = clip_weights(mocap, WEIGH, STRAIGHT_LEGS)
    return make_prior(
        fit_mixture(features, weights, components, seed, shrinkage=shrinkage), features
    )


def held_out(mocap: Mocap, components: int, shrinkage: float, seed: int) -> float:
    """Return the mean log density of every fifth clip under a prior fitted to the others."""
    kept = mocap.clips % FOLDS > 0
    prior = fit(mocap.select(kept), components, shrinkage, seed)
    poses = jittered(mocap.select(~kept).poses, torch.Generator().manual_seed(seed))
    return float(prior.log_prob(poses).mean())


def mix_table(prior: PosePrior, subject: Mocap, draws: int, seed: int) -> str:
    """Return the distances of a subject's poses to the nearest draw, for each `mix`."""
    body = load_body("lite")
    target = lsp_joints(body, subject.poses[:: max(1, len(subject) // OTHERS)])
    rows = []
    for mix in MIXES:
        g = torch.Generator().manual_seed(seed)
        drawn = lsp_joints(body, prior.sample(draws, g, mix=mix, recline=0.0))
        _, pa = nearest_distances(target, drawn)
        cells = (pa.mean(), pa.quantile(0.95))
        rows.append([str(mix), *(f"{1000 * float(cell):.1f}" for cell in cells)])
    return markdown_table(["mix", "nearest draw, PA-MPJPE", "PA, 95 %"], rows)


if __name__ == "__main__":
    main()
