"""`hmr-edu ship`: make shipped weights, with their provenance, of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro


def command(args: Sequence[str]) -> None:
    """Make shipped weights, with their provenance, of a finished run."""

    def run(
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

    tyro.cli(run, prog="hmr-edu ship", args=args)
