"""The wardrobe: real garments, hair and skins for the free body, read from one small file.

Every garment is itself a little body: a template in the T-pose, directions for the betas and
skinning weights, all in the frame of the body `full`. So it takes the shape and the pose of a
person by the same equations. `hmr_edu.body.build.garments` makes the file; only plain arrays are
read, and nothing in it is executed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from hmr_edu.body.files import ASSETS
from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.npz import Header, read_arrays

FORMAT = "hmr_edu wardrobe 1"
SHIPPED_WARDROBE = ASSETS / "wardrobe.npz"
KINDS = ("top", "bottom", "whole", "shoes", "socks", "hat", "hair")
SEXES = ("female", "male")
BETAS, JOINTS, STRONGEST = 10, 24, 4
# A step of the stored positions and directions, in metres.
STEP = 1e-4
# What a file may hold: bytes of its arrays, and rows or columns of one picture.
LARGEST, WIDEST = 2**26, 2048


@dataclass(frozen=True)
class Garment:
    """One piece: V vertices, doubled where two parts of its texture meet; F faces.

    Metres, the T-pose and the origin of the body. A texel's row is (1 - v) * height. `covers`
    marks the vertices of the body `full` that the piece hides.
    """

    name: str
    kind: str
    template: Float32[np.ndarray, "V 3"]
    directions: Float32[np.ndarray, "V 3 10"]
    weights: Float32[np.ndarray, "V 24"]
    uv: Float32[np.ndarray, "V 2"]
    faces: Int32[np.ndarray, "F 3"]
    weld: Int32[np.ndarray, " V"]
    covers: Bool[np.ndarray, " full_V"]
    texture: UInt8[np.ndarray, "H W channels"]


@dataclass(frozen=True)
class SkinChart:
    """Where a body's faces lie in the textures of the skins.

    Vertices are doubled at the seams of the texture: vertex k is vertex source[k] of the body.
    Faces come in the body's own order.
    """

    uv: Float32[np.ndarray, "V 2"]
    source: Int32[np.ndarray, " V"]
    faces: Int32[np.ndarray, "F 3"]


@dataclass(frozen=True)
class Skin:
    """The painted skin of one person: sRGB. Chest and groin carry no detail."""

    name: str
    sex: str
    age: str
    ancestry: str
    texture: UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Wardrobe:
    """All garments and skins, and the charts of the bodies `lite` and `full`.

    Garments that differ in their texture alone share their other arrays.
    """

    garments: tuple[Garment, ...]
    skins: tuple[Skin, ...]
    charts: dict[str, SkinChart]

    def of_kind(self, kind: str) -> tuple[Garment, ...]:
        """Return the garments of one kind; see `KINDS`."""
        return tuple(garment for garment in self.garments if garment.kind == kind)


# Of all shapes, one after the other: name of the array -> type, columns. Garments that differ in
# their texture alone share a shape.
_ROWS: dict[str, tuple[type, tuple[int, ...]]] = {
    "template": (np.int16, (3,)),
    "directions": (np.int16, (3, BETAS)),
    "joints": (np.uint8, (STRONGEST,)),
    "weights": (np.uint8, (STRONGEST,)),
    "uv": (np.uint16, (2,)),
    "weld": (np.uint16, ()),
}
_LISTS = ("names", "kinds", "shapes")
_COUNTS = ("vertex_counts", "face_counts")
_PLAIN = ("format", *_LISTS, *_COUNTS, *_ROWS, "faces", "covers", "covered")
_PICTURES = ("pictures", "picture_sizes", "skins")
_CHART = ("uv", "source", "faces")


def chart_names(body: str) -> tuple[str, ...]:
    """Return the names of a chart's arrays in the file."""
    return tuple(f"chart_{body}_{part}" for part in _CHART)


def _check_headers(headers: Mapping[str, Header]) -> None:
    """Raise DataError where the arrays cannot be a wardrobe's; nothing is unpacked yet."""
    if headers["format"].shape or headers["format"].dtype.kind != "U":
        raise DataError(f"not a wardrobe (its `format` is not {FORMAT!r})")
    for names, meaning in ((_LISTS, "garment"), (_COUNTS, "shape")):
        for name in names:
            if headers[name].ndim != 1 or headers[name].shape != headers[names[0]].shape:
                raise DataError(f"{name} must be a list with one entry a {meaning}")
    rows = headers["template"].shape[:1]
    for name, (kind, columns) in _ROWS.items():
        header = headers[name]
        if header.shape != (*rows, *columns) or header.dtype != kind:
            raise DataError(f"{name} has shape {header.shape} and type {header.dtype}")
    for name in ("shapes", *_COUNTS, "picture_sizes"):
        if headers[name].dtype != np.int32 or headers[name].ndim != 1:
            raise DataError(f"{name} must be a list of int32")
    if headers["faces"].ndim != 2 or headers["faces"].shape[1] != 3:
        raise DataError(f"faces has shape {headers['faces'].shape}")
    if headers["covers"].ndim != 2 or headers["covers"].shape[0] != headers[_COUNTS[0]].shape[0]:
        raise DataError(f"covers has shape {headers['covers'].shape}")
    for name in ("covers", "pictures"):
        if headers[name].dtype != np.uint8:
            raise DataError(f"{name} must hold bytes")


def _picture(data: bytes, name: str) -> np.ndarray:
    """Decode one texture: RGB, or RGBA where it has holes."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            if max(image.size) > WIDEST:
                raise DataError(f"{image.size[0]} x {image.size[1]} pixels")
            return np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB"))
    # Each damaged picture fails in its own way.
    except Exception as error:
        raise DataError(f"the texture of {name} is damaged ({first_meaning(error)})") from None


def _pictures(raw: dict[str, np.ndarray], names: list[str]) -> list[np.ndarray]:
    """Decode the textures of the garments, then of the skins."""
    sizes = raw["picture_sizes"].astype(np.int64)
    if len(sizes) != len(names) or sizes.min(initial=1) < 1 or sizes.sum() != raw["pictures"].size:
        raise DataError("picture_sizes do not fit the pictures")
    parts = np.split(raw["pictures"].ravel(), np.cumsum(sizes)[:-1])
    return [_picture(part.tobytes(), name) for part, name in zip(parts, names, strict=True)]


def _indices(values: np.ndarray, count: int, name: str) -> Int32[np.ndarray, "..."]:
    """Return indices; raise DataError unless all are whole and below `count`."""
    if values.dtype.kind not in "iu" or values.min(initial=0) < 0 or (values >= count).any():
        raise DataError(f"{name} must index {count} vertices")
    return values.astype(np.int32)


def _shapes(raw: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Cut the long arrays into shapes: the arrays of a garment without its texture."""
    counts, faces = (raw[name].astype(np.int64) for name in _COUNTS)
    for name, sizes, rows in (("vertex", counts, "template"), ("face", faces, "faces")):
        if sizes.min(initial=1) < 1 or sizes.sum() != len(raw[rows]):
            raise DataError(f"{name}_counts do not fit {rows}")
    body = int(raw["covered"]) if raw["covered"].shape == () else -1
    if not 0 < body <= 8 * raw["covers"].shape[1]:
        raise DataError("covered must be the number of vertices of the body `full`")
    cut = {name: np.split(raw[name], np.cumsum(counts)[:-1]) for name in _ROWS}
    cut_faces = np.split(raw["faces"], np.cumsum(faces)[:-1])
    shapes = []
    for k, V in enumerate(counts.tolist()):
        joints = _indices(cut["joints"][k], JOINTS, f"joints of shape {k}")
        shares = cut["weights"][k].astype(np.float32)
        if (shares.sum(1) != 255).any():
            raise DataError(f"each row of weights of shape {k} must sum to 255")
        weights = np.zeros((V, JOINTS), np.float32)
        np.add.at(weights, (np.arange(V)[:, None], joints), shares / 255)
        shape = {
            "template": cut["template"][k].astype(np.float32) * np.float32(STEP),
            "directions": cut["directions"][k].astype(np.float32) * np.float32(STEP),
            "weights": weights,
            "uv": cut["uv"][k].astype(np.float32) / np.float32(2**16 - 1),
            "faces": _indices(cut_faces[k], V, f"faces of shape {k}"),
            "weld": _indices(cut["weld"][k], V, f"weld of shape {k}"),
            "covers": np.unpackbits(raw["covers"][k], count=body).astype(bool),
        }
        shapes.append(shape)
    return shapes


def _garments(raw: dict[str, np.ndarray], pictures: list[np.ndarray]) -> tuple[Garment, ...]:
    """Put shapes and textures together."""
    shapes = _shapes(raw)
    garments = []
    for k, kind in enumerate(raw["kinds"].tolist()):
        name, shape = str(raw["names"][k]), int(raw["shapes"][k])
        if kind not in KINDS:
            raise DataError(f"{name} is of the unknown kind {kind!r}")
        if not 0 <= shape < len(shapes):
            raise DataError(f"{name} has the unknown shape {shape}")
        garments.append(Garment(name=name, kind=kind, **shapes[shape], texture=pictures[k]))
    return tuple(garments)


def _charts(raw: dict[str, np.ndarray]) -> dict[str, SkinChart]:
    """Return the charts of the two bodies."""
    charts = {}
    for body in ("lite", "full"):
        uv, source, faces = (raw[name] for name in chart_names(body))
        if uv.ndim != 2 or uv.shape[1] != 2 or uv.dtype != np.uint16:
            raise DataError(f"chart_{body}_uv must have two columns of uint16")
        if source.shape != uv.shape[:1] or faces.ndim != 2 or faces.shape[1] != 3:
            raise DataError(f"the chart of {body} does not fit together")
        charts[body] = SkinChart(
            uv.astype(np.float32) / np.float32(2**16 - 1),
            _indices(source, 2**16, f"chart_{body}_source"),
            _indices(faces, len(uv), f"chart_{body}_faces"),
        )
    return charts


def load_wardrobe(path: Path | None = None) -> Wardrobe:
    """Read a wardrobe; the shipped one where no path is given.

    Raises FileNotFoundError when there is none, DataError that names the file when it is not a
    wardrobe.
    """
    path = SHIPPED_WARDROBE if path is None else Path(path)
    names = (*_PLAIN, *_PICTURES, *chart_names("lite"), *chart_names("full"))
    raw = read_arrays(path, names, check=_check_headers, largest=LARGEST)
    try:
        if str(raw["format"]) != FORMAT:
            raise DataError(f"not a wardrobe (its `format` is not {FORMAT!r})")
        if raw["skins"].ndim != 2 or raw["skins"].shape[1] != 4 or raw["skins"].dtype.kind != "U":
            raise DataError("skins must have the columns name, sex, age, ancestry")
        skins = raw["skins"].tolist()
        pictures = _pictures(raw, [*raw["names"].tolist(), *(skin[0] for skin in skins)])
        garments = _garments(raw, pictures)
        painted = zip(skins, pictures[len(garments) :], strict=True)
        return Wardrobe(
            garments,
            tuple(Skin(*words, picture[..., :3]) for words, picture in painted),
            _charts(raw),
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
