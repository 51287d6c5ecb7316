"""Small sources and a small wardrobe: garments of a few faces, made up."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hmr_edu.body.wardrobe import Garment, Skin, SkinChart, Wardrobe

BASE = 40


def proxy_content(cells: int = 4, lift: float = 0.0) -> dict[str, Any]:
    """Return a garment's JSON: a square of quads whose vertices hang on base vertices 0, 1, 2."""
    n = cells + 1
    x, y = np.meshgrid(np.arange(n) / cells, np.arange(n) / cells)
    vertices = n * n
    faces = []
    for row in range(cells):
        for column in range(cells):
            a = row * n + column
            quad = [a, a + 1, a + n + 1, a + n]
            faces += [11, *quad, 0, *quad]
    return {
        "metadata": {
            "deleteVerts": [int(k < 5) for k in range(BASE)],
            "license": {"author": "somebody", "license": "something"},
        },
        "ref_vIdxs": [[0, 1, 2]] * vertices,
        "weights": [[0.2, 0.3, 0.5]] * vertices,
        "offsets": np.stack([x, y + lift, 0 * x], axis=2).reshape(-1, 3).tolist(),
        "uvs": [np.stack([x, y], axis=2).ravel().tolist()],
        "faces": faces,
    }


def picture(size: int = 16, colour: tuple[int, ...] = (200, 90, 40, 255)) -> bytes:
    """Return a PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGBA", (size, size), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_tgz(path: Path, files: dict[str, bytes]) -> None:
    """Write a package as npm does."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_package(path: Path) -> None:
    """Write a small package with one mesh and one picture."""
    write_tgz(path, {"a/b.json": json.dumps(proxy_content()).encode(), "a/b.png": picture()})


def toy_wardrobe(seed: int = 0) -> Wardrobe:
    """Return a wardrobe of two garments of one shape, a hair, a skin and two charts."""
    rng = np.random.default_rng(seed)

    def garment(name: str, kind: str, V: int, channels: int) -> Garment:
        return Garment(
            name=name,
            kind=kind,
            template=rng.normal(0, 0.3, (V, 3)).astype(np.float32),
            directions=rng.normal(0, 0.02, (V, 3, 10)).astype(np.float32),
            weights=np.eye(24, dtype=np.float32)[rng.integers(0, 24, V)],
            uv=rng.random((V, 2)).astype(np.float32),
            faces=rng.integers(0, V, (2 * V, 3)).astype(np.int32),
            weld=np.arange(V, dtype=np.int32),
            covers=rng.random(37) < 0.5,
            texture=np.full((16, 12, channels), 130, np.uint8),
        )

    shirt = garment("shirt", "top", 12, 3)
    other = Garment(
        **{**vars(shirt), "name": "shirt_2", "texture": np.full((16, 12, 3), 60, np.uint8)}
    )
    chart = SkinChart(
        rng.random((9, 2)).astype(np.float32),
        rng.integers(0, 37, 9).astype(np.int32),
        rng.integers(0, 9, (6, 3)).astype(np.int32),
    )
    skin = Skin("somebody", "female", "young", "asian", np.full((32, 32, 3), 180, np.uint8))
    hair = garment("curls", "hair", 7, 4)
    return Wardrobe((shirt, other, hair), (skin,), {"lite": chart, "full": chart})
