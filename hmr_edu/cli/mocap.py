"""`hmr-edu mocap`: import motion capture, look at it, fit the pose prior to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hmr_edu.data.poses.import_motion import ImportOptions
from hmr_edu.io.files import check_output
from hmr_edu.io.ranges import Range, Seed, check_ranges, ranged

# Recordings whose people are compared with those of the package.
RECORDED = ("cmu_poses_knees.npz", "hdm05_poses_knees.npz")


def command(args: Sequence[str]) -> None:
    """Import motion capture, look at it, fit the pose prior to it."""

    @ranged
    def import_files(
        files: Annotated[tuple[Path, ...], tyro.conf.Positional],
        out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("poses.npz"),
        options: Annotated[ImportOptions, tyro.conf.OmitArgPrefixes] = ImportOptions(),  # noqa: B008
    ) -> None:
        """Read files of motion and write one mocap file, a report (json) and a contact sheet (png).

        AMASS (.npz), BVH, ASF/AMC of CMU and HDM05, pickles of MoSh (.pkl), DeepMimic (.txt).

        Args:
            files: files, or folders, in which all files of motion are read.
            out: the mocap file; the report and the sheet lie beside it.
            options: what is read, and what is left out.
        """
        from hmr_edu.data.poses.import_motion import import_motion, save_motion
        from hmr_edu.io.errors import DataError
        from hmr_edu.io.jsonfile import write_json
        from hmr_edu.viz.sheets.motion_sheet import save_motion_sheet

        if not files:
            raise DataError("name files of motion, or folders with such files")
        check_ranges(options, "--")
        for ending in (".npz", ".json", ".png"):
            check_output(out.with_suffix(ending), (ending,))
        check_output(out, (".npz",))
        imported = import_motion(files, options, progress=True)
        save_motion(out, imported)
        write_json(out.with_suffix(".json"), imported.report.record())
        save_motion_sheet(out.with_suffix(".png"), imported.poses)
        print(imported.report.text())
        print(f"\nwrote {out}, {out.with_suffix('.json').name}, {out.with_suffix('.png').name}")

    @ranged
    def show(
        file: Annotated[Path, tyro.conf.Positional],
        clip: str = "",
        out: Path = Path("motion"),
    ) -> None:
        """Write a clip as a moving body (GLB) and as a contact sheet (PNG).

        Args:
            file: any file of motion that `import` reads, and what it writes.
            clip: name of the clip; the first by default.
            out: folder for the two files, which are named after the clip.
        """
        from hmr_edu.viz.motion import show_clip

        for path in show_clip(file, clip, out):
            print(path)

    @ranged
    def fit_prior(
        poses: Path,
        out: Path = Path("pose_prior.npz"),
        seed: Seed = 0,
        weights: Literal["root", "clips"] = "root",
        straight_legs: Annotated[float, Range(0, 1, open_high=True)] = 0.0,
    ) -> None:
        """Fit the Gaussian mixture to a mocap file.

        Args:
            poses: npz of axis-angle poses, in AMASS's format or this project's.
            out: the prior's file; its provenance goes beside it.
            seed: random seed of the fit.
            weights: what a clip counts: "root", the square root of its frames; "clips", each the
                same, so that nobody who was recorded for long dominates.
            straight_legs: share of the weight that people on two straight legs get; 0 leaves it as
                recorded.
        """
        from hmr_edu.data.poses.fit_prior import fit_prior as fit

        fit(poses, out, seed=seed, weigh=weights, straight_legs=straight_legs)

    @ranged
    def angles(
        sources: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
        sheets: Path | None = None,
        draws: Annotated[int, Range(1, 1_000_000)] = 5000,
        seed: Seed = 0,
    ) -> None:
        """Print how people of pose sources hold themselves, as Markdown, and draw them.

        The table has the bends of knees, hips and elbows and the lean of the torso.

        Args:
            sources: as for `hmr-edu train --poses`; by default, all that the package makes and the
                recordings of $HMR_EDU_MOCAP.
            sheets: folder for contact sheets (PNG): 24 people of each source from two sides, and
                all.png with a row of twelve of each.
            draws: poses of each source.
            seed: random seed of the draws.
        """
        import torch

        from hmr_edu.data.poses.mocap import find_mocap
        from hmr_edu.data.poses.pose_angles import angle_table
        from hmr_edu.training.setup import POSES, pose_source

        recorded = tuple(name for name in RECORDED if find_mocap(name))
        poses = {
            name: pose_source(name).sample(draws, torch.Generator().manual_seed(seed))
            for name in sources or POSES + recorded
        }
        print(angle_table(poses))
        if sheets is not None:
            from hmr_edu.body import load_body
            from hmr_edu.viz.sheets.pose_sheet import save_pose_sheet, save_two_views

            body = load_body("full")
            sheets.mkdir(parents=True, exist_ok=True)
            for name, drawn in poses.items():
                path = sheets / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.png"
                save_two_views(path, body, drawn[:24])
                print(path)
            rows = torch.cat([drawn[:12] for drawn in poses.values()])
            save_pose_sheet(sheets / "all.png", body, rows)
            print(sheets / "all.png")

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

        cmu = find_mocap("cmu_poses_knees.npz")
        if cmu is None:
            raise FileNotFoundError("no cmu_poses_knees.npz: set $HMR_EDU_MOCAP to its folder")
        print(as_markdown(measure(cmu, find_mocap("hdm05_poses_knees.npz"), seed=seed)))
        if sheet is not None:
            import torch

            from hmr_edu.body import load_body
            from hmr_edu.data.poses.prior import load_pose_prior
            from hmr_edu.viz.sheets.pose_sheet import save_pose_sheet

            poses = load_pose_prior().sample(48, torch.Generator().manual_seed(seed))
            save_pose_sheet(sheet, load_body("full"), poses)

    commands = {
        "import": import_files,
        "show": show,
        "fit-prior": fit_prior,
        "report": report,
        "angles": angles,
    }
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu mocap", args=args)  # ty: ignore[no-matching-overload]
