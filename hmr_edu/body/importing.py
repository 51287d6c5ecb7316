"""Turn a file of SMPL's into a body file of ours, on the disk of somebody who may have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_edu.body.data import BodyData
from hmr_edu.body.files import save_body
from hmr_edu.body.official import read_official
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_output

CHECKED = (
    "every shape fits the others, every number is finite, weights and regressors sum to 1, "
    "faces index vertices, the tree is SMPL's, Y is up, its left is at +X"
)
LICENCE = (
    "SMPL's licence lets you use the body, not pass it on: keep this file off repositories, "
    "images and shared folders that others can read"
)


def import_body(path: Path, out: Path) -> list[str]:
    """Read a file of SMPL's and write `out`; return what it is, one line each.

    The numbers are those of the file, in float32. Raises FileNotFoundError and DataError as
    `read_official`, and DataError when `out` cannot be written.
    """
    check_output(out, (".npz",))
    if out.exists() and path.exists() and out.samefile(path):
        raise DataError(f"{out}: would be written over what is read; name another file with -o")
    body, facts = read_official(path)
    save_body(out, body, exact=True)
    return [*facts, f"checked: {CHECKED}", mesh_fact(body), f"licence: {LICENCE}"]


def mesh_fact(body: BodyData) -> str:
    """Say whether the surface is closed and looks outwards; pictures need both."""
    from hmr_edu.body.build.measure import open_edges, volume

    holes = open_edges(body.faces)
    litres = 1e3 * volume(body.v_template, body.faces)
    closed = "closed" if holes == 0 else f"{holes:,} open edges, so pictures may show its inside"
    if litres < 0:
        return f"mesh: {closed}; its faces look inwards, so pictures show its inside"
    return f"mesh: {closed}, {np.round(litres, 1):g} litres at rest"
