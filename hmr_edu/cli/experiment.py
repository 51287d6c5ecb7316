"""`hmr-edu experiment`: test claims about HMR by small trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.experiments.claims.catalogue import EXPERIMENTS, find
from hmr_edu.experiments.design import Experiment
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.io.ranges import Range, check_ranges, ranged


def command(args: Sequence[str]) -> None:
    """Test claims: `hmr-edu experiment list`, or names of experiments."""
    words = list(args)
    end = words.index("--") if "--" in words else len(words)
    training = words[end + 1 :]

    @ranged
    def run(
        names: Annotated[tuple[str, ...], tyro.conf.Positional] = ("list",),
        seeds: Annotated[int, Range(1, 1000)] = 3,
        images: Annotated[int | None, Range(1, 2**53)] = None,
        threads: Annotated[int, Range(1, 1024)] = 1,
        resume: bool = False,
        out: Path = Path("results"),
        photos: Path | None = None,
        views: Path | None = None,
    ) -> None:
        """Run the trainings of experiments, print their tables, keep their records.

        Options after a `--` are the trainings' own, for all variants. Experiments on pictures
        take those of `hmr-edu train`: `hmr-edu experiment people-pictures -- --start resnet18`.

        Args:
            names: the experiments to run; `list` says which there are.
            seeds: how often each variant is trained, each time from other first weights.
            images: samples that each training learns from; the laboratory's own number without
                it.
            threads: CPU threads.
            resume: go on with the records that are there: only what is missing is trained.
            out: folder of the records, NAME.json.
            photos: also measure the networks on these annotated photographs, a file as for
                `hmr-edu evaluate-photos`.
            views: also measure the networks on these calibrated views, a folder of
                keypoints.json and cameras.json as for `hmr-edu evaluate-views`.
        """
        if names == ("list",):
            width = max(map(len, EXPERIMENTS))
            for experiment in EXPERIMENTS.values():
                print(f"{experiment.name:{width}}  {experiment.claim}")
            return
        chosen = [find(name) for name in names]
        # PyTorch and all, which the list can do without.
        import torch

        from hmr_edu.experiments.laboratories import reads_pictures
        from hmr_edu.experiments.real_pictures import read_real_pictures
        from hmr_edu.experiments.results_table import REAL_MEASURES, table
        from hmr_edu.experiments.runner import run_experiment

        check_folder(out)
        if training:
            chosen = [_with_options(experiment, training) for experiment in chosen]
        for experiment in chosen if photos or views else ():
            if not reads_pictures(experiment):
                raise DataError(f"--photos and --views: {experiment.name} trains on no pictures")
        real = read_real_pictures(photos, views)
        torch.set_num_threads(threads)
        for experiment in chosen:
            record = run_experiment(experiment, seeds, images, resume, out, real, training)
            print(f"\n{experiment.claim}\n({experiment.source})\n")
            print(f"{table(record, (*experiment.measures, *REAL_MEASURES))}\n")

    tyro.cli(run, prog="hmr-edu experiment", args=words[:end])


def _with_options(experiment: Experiment, training: Sequence[str]) -> Experiment:
    """Return the experiment with options of its trainings changed, for all variants."""
    from hmr_edu.experiments.design import differences
    from hmr_edu.experiments.laboratories import base_config

    config = base_config(experiment, None, 0)
    prog = f"hmr-edu experiment {experiment.name} --"
    chosen = tyro.cli(type(config), prog=prog, default=config, args=training)
    check_ranges(chosen, "--")
    return replace(experiment, shared=experiment.shared | differences(config, chosen))
