"""Check that there is a run to go on with, before any work begins."""

from __future__ import annotations

import os
from difflib import get_close_matches

from hmr_edu.io.errors import DataError
from hmr_edu.training.config import TrainConfig

# Files of which a run that was begun has at least one.
BEGUN = ("config.json", "checkpoint.pt")
# How many other runs an error names.
NAMED = 5


def check_resumable(config: TrainConfig) -> None:
    """Raise DataError when `--resume` is asked for and no run was begun under this name.

    The error names the runs that are there, those with a similar name first.
    """
    if not config.resume or any(os.path.lexists(config.folder / name) for name in BEGUN):
        return
    runs = sorted({path.parent.name for name in BEGUN for path in config.out.glob(f"*/{name}")})
    near = get_close_matches(config.name, runs, n=NAMED, cutoff=0.0)
    there = f"{config.out} has {', '.join(near)}" if near else f"{config.out} has no run"
    raise DataError(
        f"--resume: {config.folder} holds no run to go on with; {there}. To begin a new run, leave "
        "--resume out"
    )
