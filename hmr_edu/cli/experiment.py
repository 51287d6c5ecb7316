"""`hmr-edu experiment`: test claims about HMR by small trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.experiments.claims.catalogue import EXPERIMENTS, find
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder


def run(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ("list",),
    seeds: int = 3,
    images: int | None = None,
    threads: int = 1,
    resume: bool = False,
    out: Path = Path("results"),
) -> None:
    """Run the trainings of experiments, print their tables, write their records.

    Args:
        names: the experiments to run; `list` prints all of them.
        seeds: number of trainings of each variant, each with other random first weights.
        images: samples in each training; by default the number that suits the experiment.
        threads: CPU threads.
        resume: keep existing records, and train only what is missing.
        out: folder of the records, NAME.json.
    """
    if names == ("list",):
        width = max(map(len, EXPERIMENTS))
        for experiment in EXPERIMENTS.values():
            print(f"{experiment.name:{width}}  {experiment.claim}")
        return
    chosen = [find(name) for name in names]

    # These import PyTorch, which the list does not need.
    import torch

    from hmr_edu.experiments.results_table import table
    from hmr_edu.experiments.runner import run_experiment

    for name, value in (("seeds", seeds), ("threads", threads), ("images", images)):
        if value is not None and value < 1:
            raise DataError(f"--{name} must be 1 or more, not {value}")
    check_folder(out)
    torch.set_num_threads(threads)
    for experiment in chosen:
        record = run_experiment(experiment, seeds, images, resume, out)
        print(f"\n{experiment.claim}\n({experiment.source})\n")
        print(f"{table(record, experiment.measures)}\n")


def command(args: Sequence[str]) -> None:
    """Test claims: `hmr-edu experiment list`, or names of experiments."""
    tyro.cli(run, prog="hmr-edu experiment", args=args)
