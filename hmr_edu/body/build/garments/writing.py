"""Write a wardrobe: small integers, textures as WebP; equal content gives equal bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from hmr_edu.body import wardrobe as layout
from hmr_edu.body.wardrobe import Wardrobe, chart_names
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

UNIT = 2**16 - 1


def encode_picture(texture: UInt8[np.ndarray, "H W channels"], quality: int) -> bytes:
    """Encode a texture as WebP; a fourth channel stays exact."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(texture).save(
        buffer, "WEBP", quality=quality, method=6, alpha_quality=100, exact=True
    )
    return buffer.getvalue()


def strongest(
    weights: Float32[np.ndarray, "V 24"],
) -> tuple[UInt8[np.ndarray, "V 4"], UInt8[np.ndarray, "V 4"]]:
    """Return the four strongest joints of each row and their shares, which sum to 255."""
    joints = np.argsort(-weights, axis=1, kind="stable")[:, : layout.STRONGEST]
    shares = np.take_along_axis(weights, joints, 1).astype(np.float64)
    shares *= 255 / shares.sum(1, keepdims=True)
    whole = np.floor(shares).astype(np.int64)
    order = np.argsort(-(shares - whole), axis=1, kind="stable")
    missing = 255 - whole.sum(1)
    rank = np.argsort(order, axis=1, kind="stable")
    whole += rank < missing[:, None]
    return joints.astype(np.uint8), whole.astype(np.uint8)


def _steps(metres: np.ndarray, name: str) -> np.ndarray:
    """Round to steps of the file; raise DataError where a value is too far for 16 bits."""
    steps = np.rint(metres.astype(np.float64) / layout.STEP)
    if not np.isfinite(steps).all() or np.abs(steps).max(initial=0) >= 2**15:
        raise DataError(f"{name} is more than three metres from the origin, or not finite")
    return steps.astype(np.int16)


def _unit(uv: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(uv.astype(np.float64), 0, 1) * UNIT).astype(np.uint16)


def save_wardrobe(
    path: str | Path, wardrobe: Wardrobe, quality: int = 85, skin_quality: int = 90
) -> None:
    """Write a wardrobe file.

    Args:
        path: the npz file.
        wardrobe: what to write.
        quality: WebP quality of the garments' textures, 0 to 100.
        skin_quality: of the skins' textures.
    """
    garments = wardrobe.garments
    # Garments of one shape share their arrays.
    first = {id(garment.template): garment for garment in reversed(garments)}
    pieces = [garment for garment in garments if first[id(garment.template)] is garment]
    places = {id(piece.template): k for k, piece in enumerate(pieces)}
    rows = [strongest(piece.weights) for piece in pieces]
    pictures = [encode_picture(piece.texture, quality) for piece in garments]
    pictures += [encode_picture(skin.texture, skin_quality) for skin in wardrobe.skins]
    arrays: dict[str, Any] = {
        "format": np.array(layout.FORMAT),
        "names": np.array([garment.name for garment in garments]),
        "kinds": np.array([garment.kind for garment in garments]),
        "shapes": np.array([places[id(garment.template)] for garment in garments], np.int32),
        "vertex_counts": np.array([len(piece.template) for piece in pieces], np.int32),
        "face_counts": np.array([len(piece.faces) for piece in pieces], np.int32),
        "template": np.concatenate([_steps(piece.template, piece.name) for piece in pieces]),
        "directions": np.concatenate([_steps(piece.directions, piece.name) for piece in pieces]),
        "joints": np.concatenate([joints for joints, _ in rows]),
        "weights": np.concatenate([shares for _, shares in rows]),
        "uv": np.concatenate([_unit(piece.uv) for piece in pieces]),
        "weld": np.concatenate([piece.weld for piece in pieces]).astype(np.uint16),
        "faces": np.concatenate([piece.faces for piece in pieces]).astype(np.uint16),
        "covers": np.stack([np.packbits(piece.covers) for piece in pieces]),
        "covered": np.array(len(pieces[0].covers), np.int32),
        "pictures": np.frombuffer(b"".join(pictures), np.uint8),
        "picture_sizes": np.array([len(data) for data in pictures], np.int32),
        "skins": np.array([[s.name, s.sex, s.age, s.ancestry] for s in wardrobe.skins]),
    }
    for body, chart in wardrobe.charts.items():
        parts = (_unit(chart.uv), chart.source.astype(np.uint16), chart.faces.astype(np.uint16))
        arrays |= dict(zip(chart_names(body), parts, strict=True))
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)
