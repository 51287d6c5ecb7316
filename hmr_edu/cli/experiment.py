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
    """Run the trainings of experiments, print their tables, keep their records.

    Args:
        names: the experiments to run; `list` says which there are.
        seeds: how often each variant is trained, each time from other first weights.
        images: samples that each training learns from; the laboratory's own number without it.
        threads: CPU threads.
        resume: go on with the records that are there: only what is missing is trained.
        out: folder of the records, NAME.json.
    """
    if names == ("list",):
        width = max(map(len, EXPERIMENTS))
        for experiment in EXPERIMENTS.values():
            print(f"{experiment.name:{width}}  {experiment.claim}")
        return
    chosen = [find(name) for name in names]

    # PyTorch and all, which the list can do without.
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
