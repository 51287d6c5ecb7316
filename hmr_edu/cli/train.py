"""`hmr-edu train`: run a complete training, with evaluation and report."""

from __future__ import annotations

from collections.abc import Sequence

import tyro


def command(args: Sequence[str]) -> None:
    """Train HMR: `hmr-edu train cpu` or `hmr-edu train gpu`, then any option."""
    from hmr_edu.training.config import TrainConfig
    from hmr_edu.training.presets import PRESETS

    # `--data` names data sets; the options `--data.*` are those of synthetic people.
    args = ["--sources" if word == "--data" else word for word in args]
    presets = {name: (make.__doc__ or "", make()) for name, make in PRESETS.items()}
    config: TrainConfig = tyro.extras.overridable_config_cli(
        presets, prog="hmr-edu train", args=args
    )

    from hmr_edu.training import launch
    from hmr_edu.training.checks import check_options

    check_options(config)

    if config.processes > 1 and not launch.launched():
        launch.launch(["-m", "hmr_edu.cli", "train", *args], config.processes)
    launch.end_with_launcher()

    from hmr_edu.training.complete_run import run

    record = run(config)

    from hmr_edu.viz.report.page import write_report

    if record is not None:
        print(f"\nreport: {write_report(config.folder)}")
