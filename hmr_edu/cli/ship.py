"""`hmr-edu ship`: turn a finished run or a mean into shipped weights with provenance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro


def command(args: Sequence[str]) -> None:
    """Turn a finished run, or a mean of networks, into shipped weights with provenance."""

    def run(
        run: Annotated[Path, tyro.conf.Positional],
        name: Annotated[str, tyro.conf.Positional],
        out: Path | None = None,
    ) -> None:
        """Turn a finished run, or a mean of networks, into shipped weights with provenance.

        Args:
            run: the run's folder, or the file of `hmr-edu weights average`.
            name: the name for `load_pretrained`.
            out: folder; the package's own by default.
        """
        from hmr_edu.hmr import WEIGHTS
        from hmr_edu.training.ship import ship

        print(ship(run, name, out or WEIGHTS))

    tyro.cli(run, prog="hmr-edu ship", args=args)
