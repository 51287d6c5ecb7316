"""`hmr-edu mocap`: fit the pose prior to motion capture, or report how well it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from hmr_edu.io.ranges import Seed, ranged


def command(args: Sequence[str]) -> None:
    """Fit the pose prior to motion capture, or report how well it fits."""

    @ranged
    def fit_prior(poses: Path, out: Path = Path("pose_prior.npz"), seed: Seed = 0) -> None:
        """Fit the Gaussian mixture to a mocap file.

        Args:
            poses: npz of axis-angle poses, in AMASS's format or this project's.
            out: the prior's file; its provenance goes beside it.
            seed: random seed of the fit.
        """
        from hmr_edu.data.poses.fit_prior import fit_prior as fit

        fit(poses, out, seed=seed)

    @ranged
    def report(sheet: Path | None = None, seed: Seed = 0) -> None:
        """Report how well the shipped prior fits the motion capture that is found, as Markdown.

        Args:
            sheet: also draw a contact sheet of its poses here (PNG).
            seed: random seed of the drawn poses.
        """
        from hmr_edu.data.poses.mocap import find_mocap
        from hmr_edu.data.poses.prior_report import as_markdown
        from hmr_edu.data.poses.prior_report import report as measure

        cmu = find_mocap("cmu_poses.npz")
        if cmu is None:
            raise FileNotFoundError("no cmu_poses.npz: set $HMR_EDU_MOCAP to its folder")
        print(as_markdown(measure(cmu, find_mocap("hdm05_poses.npz"), seed=seed)))
        if sheet is not None:
            import torch

            from hmr_edu.body import load_body
            from hmr_edu.data.poses.prior import load_pose_prior
            from hmr_edu.viz.sheets.pose_sheet import save_pose_sheet

            poses = load_pose_prior().sample(48, torch.Generator().manual_seed(seed))
            save_pose_sheet(sheet, load_body("full"), poses)

    commands = {"fit-prior": fit_prior, "report": report}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu mocap", args=args)  # ty: ignore[no-matching-overload]
