"""Compare pose priors: straight knees, and how well they cover people they were not fitted to.

    hmr-edu mocap fit-prior --poses cmu_poses_knees.npz --weights clips --out clips.npz
    python scripts/data/compare_priors.py clips.npz

prints a row for the shipped prior and for each file. The other people are those of a mocap file
(HDM05, in $HMR_EDU_MOCAP). The columns are as in `hmr-edu mocap report`. A second table has the
motions of which the nearest draw of the last prior is farthest, and nearest.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.data.poses.mocap import Mocap, find_mocap, load_mocap
from hmr_edu.data.poses.pose_angles import STRAIGHT, pose_angles
from hmr_edu.data.poses.prior import PosePrior, load_pose_prior
from hmr_edu.data.poses.prior_report import DRAWS, OTHERS, jittered, lsp_joints, nearest_distances
from hmr_edu.io.tables import markdown_table

SHOWN = 3  # motions at either end
LEAST = 5  # poses of a motion that is shown


def main() -> None:
    """Read the options, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("priors", nargs="*", type=Path, help="files of `hmr-edu mocap fit-prior`")
    parser.add_argument("--others", default="hdm05_poses_knees.npz", help="mocap of other people")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    path = find_mocap(args.others)
    if path is None:
        parser.error(f"no {args.others}: set $HMR_EDU_MOCAP to its folder")
    other = load_mocap(path)
    chosen = torch.arange(0, len(other), max(1, len(other) // OTHERS))
    rows, pa = [], torch.zeros(0)
    for file in (None, *args.priors):
        g = torch.Generator().manual_seed(args.seed)
        row, pa = measure(load_pose_prior(file), other, chosen, args.draws, g)
        rows.append(["shipped" if file is None else file.stem, *row])
    titles = [f"knees < {STRAIGHT}°, %", "nearest draw, MPJPE", "PA-MPJPE", "PA, 95 %"]
    print(markdown_table(["prior", *titles, "log p, median"], rows))
    names = [motion(other.clip_names[clip]) for clip in other.clips[chosen].tolist()]
    print("\n" + markdown_table(["motion", "poses", "nearest draw, PA-MPJPE"], ranked(names, pa)))


def measure(
    prior: PosePrior, other: Mocap, chosen: Tensor, draws: int, g: torch.Generator
) -> tuple[list[str], Tensor]:
    """Return the cells of a prior's row, and PA-MPJPE (mm) of each chosen pose's nearest draw."""
    body, drawn = load_body("lite"), prior.sample(draws, g, recline=0.0)
    straight = float((pose_angles(drawn)["knee"] < STRAIGHT).float().mean())
    target, bank = lsp_joints(body, other.poses[chosen]), lsp_joints(body, drawn)
    distance, pa = (1000 * d for d in nearest_distances(target, bank))
    likely = prior.log_prob(jittered(other.poses[::5], g)).median()
    cells = [distance.mean(), pa.mean(), pa.quantile(0.95), likely]
    return [f"{100 * straight:.0f}", *(f"{float(cell):.1f}" for cell in cells)], pa


def motion(clip: str) -> str:
    """Return the motion that a clip of HDM05 shows: hdm_bd_kickLFront1Reps_003 is kickLFront."""
    return re.sub(r"^hdm_[a-z]+_|\d*Reps?.*$|\d*Steps?.*$|_\d+$", "", clip)


def ranked(motions: list[str], pa: Tensor) -> list[list[str]]:
    """Return the motions at both ends, farthest first."""
    rows = []
    for name in sorted(set(motions)):
        mine = pa[[i for i, each in enumerate(motions) if each == name]]
        if len(mine) >= LEAST:
            rows.append((float(mine.mean()), name, len(mine)))
    rows.sort(reverse=True)
    ends = rows if len(rows) <= 2 * SHOWN else [*rows[:SHOWN], *rows[-SHOWN:]]
    return [[name, str(count), f"{value:.0f}"] for value, name, count in ends]


if __name__ == "__main__":
    main()
