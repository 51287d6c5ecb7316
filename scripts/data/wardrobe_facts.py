"""Count the wardrobe, and measure how garments and skins keep to the body below them.

    python scripts/data/wardrobe_facts.py

prints how many garments, shapes, vertices and faces there are, and how far the distance of a
garment to the nearest vertex of the skin changes when one beta becomes plus or minus two: the mean
over its vertices, of the garment with the smallest and of that with the largest change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from hmr_edu.body.files import read_body
from hmr_edu.body.wardrobe import BETAS, Garment, Wardrobe, load_wardrobe
from hmr_edu.io.tables import markdown_table

FAR = 2.0  # standard deviations


def main() -> None:
    """Read the options, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="a wardrobe.npz; else the shipped one")
    args = parser.parse_args()
    wardrobe = load_wardrobe(args.file)
    pieces = shapes(wardrobe)
    body = read_body("full")
    changes = sorted(gap_change(p, body.v_template, body.shapedirs[..., :BETAS]) for p in pieces)
    rows = [
        ["garments, in shapes that differ", f"{len(wardrobe.garments)}, in {len(pieces)}"],
        [
            "vertices (seams doubled), faces of all shapes",
            f"{sum(len(p.template) for p in pieces):,}, {sum(len(p.faces) for p in pieces):,}",
        ],
        [
            f"garment to the skin below it, at {FAR:g} standard deviations of a beta: mean change "
            "of the distance, mm",
            f"{1000 * changes[0]:.1f} to {1000 * changes[-1]:.1f}",
        ],
    ]
    print(markdown_table(["", ""], rows))


def shapes(wardrobe: Wardrobe) -> list[Garment]:
    """Return one garment of each shape; others differ from it in their texture alone."""
    return list({id(piece.template): piece for piece in wardrobe.garments}.values())


def gap_change(
    piece: Garment,
    template: Float[np.ndarray, "V 3"],
    directions: Float[np.ndarray, "V 3 10"],
) -> float:
    """Return the mean change of a garment's distance to the skin, over vertices and betas; metres.

    Args:
        piece: the garment.
        template: the vertices of the skin.
        directions: their change for each beta.
    """
    usual, _ = cKDTree(template).query(piece.template)
    changes = []
    for k in range(BETAS):
        for amount in (-FAR, FAR):
            skin = template + amount * directions[..., k]
            found, _ = cKDTree(skin).query(piece.template + amount * piece.directions[..., k])
            changes.append(np.abs(found - usual).mean())
    return float(np.mean(changes))


if __name__ == "__main__":
    main()
