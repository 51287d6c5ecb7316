"""`hmr-edu weights`: weights in the names of public code, in and out; means of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.io.ranges import Positive, Range, ranged


def command(args: Sequence[str]) -> None:
    """Import a checkpoint of SPIN's or HMR's network, export one, or average several networks."""

    def import_(
        file: Annotated[Path, tyro.conf.Positional],
        body: str | None = None,
        out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("imported.safetensors"),
    ) -> None:
        """Turn a public checkpoint into weights for `demo`, `evaluate` and `train --start`.

        Args:
            file: a checkpoint of SPIN, of mmhuman3d's HMR, or of the PyTorch port of HMR; nothing
                in it is executed.
            body: SMPL's file, whose betas the network predicts; "lite" for poses alone.
            out: the file of weights (safetensors).
        """
        from hmr_edu.training.exchange import import_checkpoint

        for line in import_checkpoint(file, out, body):
            print(line)
        print(out)

    def export(
        weights: Annotated[str, tyro.conf.Positional],
        out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("exported.pt"),
    ) -> None:
        """Write a ResNet-50 network under the names of SPIN (6D) or of the PyTorch port of HMR.

        Args:
            weights: a file written by a training run.
            out: the checkpoint (.pt or .pth).
        """
        from hmr_edu.training.exchange import export_checkpoint

        for line in export_checkpoint(weights, out):
            print(line)
        print(out)

    @ranged
    def average(
        weights: Annotated[list[str], tyro.conf.Positional],
        shares: list[Positive] | None = None,
        photos: str = "",
        images: Annotated[int, Range(64, 1_000_000)] = 2048,
        out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("average.safetensors"),
    ) -> None:
        """Average networks that were trained from one start: often better than each of them.

        Args:
            weights: shipped names or files of training runs, two or more.
            shares: what each counts, relative to the others; equal without it.
            photos: folder of pictures for the backgrounds of the people on whom batch norm is
                measured again.
            images: so many pictures.
            out: the file of weights; what it is the mean of goes beside it (json).
        """
        from hmr_edu.training.soup import write_average

        print(write_average(out, weights, shares, images=images, photos=photos))

    commands = {"import": import_, "export": export, "average": average}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu weights", args=args)  # ty: ignore[no-matching-overload]
