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


# The arrays of the file: their type, and their shape, in which equal words are equal numbers. All
# shapes of garments lie one after the other; garments that differ in their texture alone share one.
_LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "format": ("U", ()),
    "names": ("U", ("garments",)),
    "kinds": ("U", ("garments",)),
    "shapes": ("i4", ("garments",)),
    "vertex_counts": ("i4", ("shapes",)),
    "face_counts": ("i4", ("shapes",)),
    "template": ("i2", ("vertices", 3)),
    "directions": ("i2", ("vertices", 3, BETAS)),
    "joints": ("u1", ("vertices", STRONGEST)),
    "weights": ("u1", ("vertices", STRONGEST)),
    "uv": ("u2", ("vertices", 2)),
    "weld": ("u2", ("vertices",)),
    "faces": ("u2", ("faces", 3)),
    "covers": ("u1", ("shapes", "bytes of full")),
    "covered": ("i4", ()),
    "skins": ("U", ("skins", 4)),
    "picture_sizes": ("i4", ("pictures",)),
    "pictures": ("u1", ("bytes",)),
}
_BY_VERTEX = tuple(name for name, (_, shape) in _LAYOUT.items() if shape[:1] == ("vertices",))
BODIES = ("lite", "full")


def chart_names(body: str) -> tuple[str, str, str]:
    """Return the names of a chart's arrays in the file: uv, source, faces."""
    return f"chart_{body}_uv", f"chart_{body}_source", f"chart_{body}_faces"


for _body in BODIES:
    _shapes_of_chart = ((_body, 2), (_body,), (f"faces of {_body}", 3))
    for _name, _shape in zip(chart_names(_body), _shapes_of_chart, strict=True):
        _LAYOUT[_name] = ("u2", _shape)


def _check_headers(headers: Mapping[str, Header]) -> None:
    """Raise DataError where the arrays cannot be a wardrobe's; nothing is unpacked yet."""
    sizes: dict[str, int] = {}
    for name, (kind, shape) in _LAYOUT.items():
        header = headers[name]
        fits = header.dtype.kind == "U" if kind == "U" else header.dtype == np.dtype(kind)
        if not fits or header.ndim != len(shape):
            wanted = f"{len(shape)} dimensions of {'text' if kind == 'U' else np.dtype(kind)}"
            found = f"{header.ndim} of {header.dtype}"
            raise DataError(f"{name} must have {wanted}, not {found:.80}")
        for size, wanted in zip(header.shape, shape, strict=True):
            if size != (sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted):
                raise DataError(f"the shape of {name}, {header.shape}, does not fit the others")


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
    """Return indices; raise DataError unless all are below `count`."""
    if (values >= count).any():
        raise DataError(f"{name} must index {count} vertices")
    return values.astype(np.int32)


def _shapes(raw: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Cut the long arrays into shapes: the arrays of a garment without its texture."""
    counts, faces = (raw[f"{name}_counts"].astype(np.int64) for name in ("vertex", "face"))
    for name, sizes, rows in (("vertex", counts, "template"), ("face", faces, "faces")):
        if sizes.min(initial=1) < 1 or sizes.sum() != len(raw[rows]):
            raise DataError(f"{name}_counts do not fit {rows}")
    body = int(raw["covered"])
    if not 0 < body <= 8 * raw["covers"].shape[1]:
        raise DataError("covered must be the number of vertices of the body `full`")
    cut = {name: np.split(raw[name], np.cumsum(counts)[:-1]) for name in _BY_VERTEX}
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
    for body in BODIES:
        uv, source, faces = (raw[name] for name in chart_names(body))
        vertices = int(raw["covered"]) if body == "full" else 2**16
        charts[body] = SkinChart(
            uv.astype(np.float32) / np.float32(2**16 - 1),
            _indices(source, vertices, f"chart_{body}_source"),
            _indices(faces, len(uv), f"chart_{body}_faces"),
        )
    return charts


def load_wardrobe(path: Path | None = None) -> Wardrobe:
    """Read a wardrobe; the shipped one where no path is given.

    Raises FileNotFoundError when there is none, DataError that names the file when it is not a
    wardrobe.
    """
    path = SHIPPED_WARDROBE if path is None else Path(path)
    raw = read_arrays(path, tuple(_LAYOUT), check=_check_headers, largest=LARGEST)
    try:
        if str(raw["format"]) != FORMAT:
            raise DataError(f"not a wardrobe (its `format` is not {FORMAT!r})")
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
