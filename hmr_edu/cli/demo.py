"""`hmr-edu demo`: recover the body in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.io.ranges import Range, ranged


def command(args: Sequence[str]) -> None:
    """Recover the body in a picture."""

    @ranged
    def run(
        image: Annotated[Path, tyro.conf.Positional],
        box: Annotated[tuple[float, float, float, float] | None, Range(-1e6, 1e6)] = None,
        weights: str = "resnet18",
        refine: bool = False,
        out: Path = Path("demo"),
    ) -> None:
        """Recover the body in a picture: overlay PNG, OBJ, GLB, orbitable HTML, theta as JSON.

        Args:
            image: any picture file.
            box: box around the person, in pixels: x0 y0 x1 y1. Without it, the whole picture.
            weights: shipped weights by name, or a file written by a training run.
            refine: also run the flip test, and fit the body to the heat-maps.
            out: folder for the results, which are named after the picture and the box. Nothing
                is overwritten but the results of the same picture, box and network.
        """
        from hmr_edu.fitting.smplify import Refined
        from hmr_edu.hmr import load_pretrained
        from hmr_edu.viz.demo import run_demo

        model = load_pretrained(weights)
        written = run_demo(image, out, Refined(model) if refine else model, box, weights=weights)
        for kind, path in written.items():
            print(f"{kind:8s} {path}")

    tyro.cli(run, prog="hmr-edu demo", args=args)
