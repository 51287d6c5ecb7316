"""The bank of backgrounds: painted scenes and, if a folder is given, photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.data.synthetic import floors
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.sampling import look_up
from hmr_edu.data.synthetic.scenes import paint_scenes
from hmr_edu.io.errors import DataError
from hmr_edu.io.ranges import Probability, Range, Strength

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
# Number of pieces pasted into a cluttered picture (from, below), and their sides in its sides.
PIECES = (3, 13)
PIECE_SIZE = (0.03, 0.35)


# Weights of red, green and blue in brightness.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class PlaceConfig:
    """How backgrounds are cut out of photographs and coloured; the defaults change nothing."""

    # Smallest and largest side of the squares cut out of a photograph, relative to its shorter
    # side. People fill a small part of most photographs.
    photo_crop: Annotated[tuple[float, float], Range(0.02, 1, ordered=True)] = (0.4, 1.0)
    # Largest loss of colour: each background loses a share of its saturation, drawn up to this.
    muted: Annotated[float, Range(0, 1)] = 0.0
    # Blur of painted scenes; 1 is the default. The lens can blur backgrounds, too.
    scene_blur: Strength = 1.0
    # Strength of the noise that gives painted scenes a texture; 1 is the default.
    texture: Strength = 1.0
    # Share of the pieces of other backgrounds (`clutter`) that have outlines of their own; the
    # others are rectangles.
    outlined: Probability = 0.0
    # Share of pictures with a floor that meets a wall, where the camera would see the ground.
    floor: Probability = 0.0
    # Share of people in a sitting pose who sit on something.
    seat: Probability = 0.0


def find_photos(folder: str | Path) -> list[Path]:
    """List the pictures in a folder and the folders below it, in order.

    Raises FileNotFoundError when there is no such folder, DataError when it holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: photographs for backgrounds were expected")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(PHOTO_SUFFIXES))})")
    return paths


def load_photos(
    folder: str | Path,
    size: int,
    count: int,
    seed: int,
    extent: tuple[float, float] = PlaceConfig.photo_crop,
) -> UInt8[np.ndarray, "crops 3 size size"]:
    """Cut about `count` random square crops from the pictures in a folder.

    Every picture gives at least one crop. If there are more than `count` pictures, `count` of them
    are chosen at random. Raises as `find_photos`, and DataError that names a picture that cannot be
    read.

    Args:
        folder: the pictures.
        size: pixels along each side of a crop.
        count: how many crops.
        seed: random seed of the crops.
        extent: smallest and largest side of a crop, relative to the photograph's shorter side.
    """
    from PIL import Image

    paths = find_photos(folder)
    rng = np.random.default_rng(seed)
    if len(paths) > count:
        paths = [paths[i] for i in sorted(rng.choice(len(paths), count, replace=False))]
    crops = []
    for path in paths:
        photo = Image.fromarray(read_photo(path))
        for _ in range(max(1, round(count / len(paths)))):
            side = max(1, round(min(photo.size) * rng.uniform(*extent)))
            left, top = (int(rng.integers(length - side + 1)) for length in photo.size)
            box = (left, top, left + side, top + side)
            crop = photo.resize((size, size), Image.Resampling.LANCZOS, box=box)
            crops.append(np.asarray(crop).transpose(2, 0, 1))
    return np.stack(crops)


def clutter(
    bank: UInt8[np.ndarray, "N 3 side side"], share: float, seed: int, outlined: float = 0.0
) -> None:
    """Paste pieces of other pictures into some pictures of the bank, in place.

    Landscapes are calm, but rooms and streets are full of objects with edges, of a person's size
    and smaller. A piece keeps its colours and is stretched in both directions.

    Args:
        bank: the pictures.
        share: of the pictures that get pieces.
        seed: random seed.
        outlined: share of the pieces with an outline of their own.
    """
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng((seed, 1))
    pieces, side = bank.copy(), bank.shape[-1]
    for chosen in rng.permutation(len(bank))[: round(share * len(bank))]:
        picture = bank[chosen]
        for _ in range(rng.integers(*PIECES)):
            extent = np.maximum(1, side * rng.uniform(*PIECE_SIZE, 2)).astype(int)
            top, left = rng.integers(0, side - extent + 1)
            # The piece comes from an area up to twice as large, or smaller, in another picture.
            shown = np.minimum(side, extent * rng.uniform(0.5, 2.0, 2))
            row, column = (
                (rng.uniform(0, side - length) + length * (np.arange(n) + 0.5) / n).astype(int)
                for length, n in zip(shown, extent, strict=True)
            )
            piece = pieces[rng.integers(len(pieces))][:, row[:, None], column]
            place = picture[:, top : top + extent[0], left : left + extent[1]]
            if outlined and shapes.random() < outlined:
                piece = np.where(_outline(*extent.tolist(), shapes), piece, place)
            place[:] = piece


def _outline(
    height: int, width: int, rng: np.random.Generator
) -> Bool[np.ndarray, "{height} {width}"]:
    """Draw an oval, a slanted piece or a lobed one that fills most of a rectangle."""
    y, x = (2 * (np.arange(n) + 0.5) / n - 1 for n in (height, width))
    y = y[:, None]
    kind = rng.integers(3)
    if kind == 0:
        return x**2 + y**2 < 1
    if kind == 1:
        slant, narrow = rng.uniform(-0.6, 0.6), rng.uniform(0.3, 1.0)
        half = 0.5 * (1 + narrow + (1 - narrow) * y) - abs(slant) / 2
        return np.abs(x - slant * y / 2) < half
    lobes, phase, depth = rng.integers(3, 9), rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.4)
    return np.hypot(x, y) < 1 - depth * (0.5 + 0.5 * np.cos(lobes * np.arctan2(y, x) + phase))


def mute(bank: UInt8[np.ndarray, "N 3 side side"], most: float, seed: int) -> None:
    """Take a share of the saturation from each picture of the bank, in place, at most `most`."""
    rng = np.random.default_rng(seed)
    for picture, share in zip(bank, rng.uniform(0.0, most, len(bank)), strict=True):
        grey = np.tensordot(np.array(LUMA, np.float32), picture, 1)
        picture[:] = (picture + np.float32(share) * (grey - picture) + 0.5).astype(np.uint8)


class Backgrounds:
    """A bank of square pictures, wider than the crops that are cut out of them.

    Args:
        image_size: pixels along each side of a crop.
        count: how many scenes to paint, and how many crops of photographs to take.
        seed: random seed of the bank.
        photos: folder of photographs; None for painted scenes only.
        photo_share: probability of a photograph.
        device: where the bank is kept.
        cluttered: share of the pictures that get pieces of others.
        places: how photographs are cut, and how much colour pictures lose.
    """

    # A bank picture is this much wider than the crops; a crop shows 60 to 100 % of it.
    MARGIN = 1.5

    def __init__(
        self,
        image_size: int,
        count: int,
        seed: int,
        photos: str | Path | None,
        photo_share: float,
        device: torch.device,
        cluttered: float = 0.0,
        places: PlaceConfig = PlaceConfig(),
    ) -> None:
        side = round(self.MARGIN * image_size)
        bank = paint_scenes(count, side, seed, places.scene_blur, places.texture)
        self.painted = len(bank)
        self.photo_share = 0.0
        if photos is not None:
            bank = np.concatenate([bank, load_photos(photos, side, count, seed, places.photo_crop)])
            self.photo_share = photo_share
        if bank.size >= 2**31:
            raise DataError(
                f"{len(bank):,} backgrounds for pictures of {image_size} pixels are too many: make "
                "--data.appearance.scenes smaller"
            )
        if cluttered:
            clutter(bank, cluttered, seed, places.outlined)
        if places.muted:
            mute(bank, places.muted, seed)
        self.bank = torch.from_numpy(bank).to(device)
        self.image_size = image_size

    def pick(self, draws: Draws) -> Int[Tensor, " batch"]:
        """Choose pictures of the bank: a photograph with probability `photo_share`."""
        painted = draws.integers(self.painted)
        photos = len(self.bank) - self.painted
        if not photos:
            return painted
        photo = self.painted + draws.integers(photos)
        return torch.where(draws.chance(self.photo_share), photo, painted)

    def sample(self, draws: Draws) -> Float[Tensor, "batch 3 size size"]:
        """Cut a crop for each sample, with random place, size, mirroring and tint; in [0, 1]."""
        size, side, n = self.image_size, self.bank.shape[-1], draws.batch
        which = self.pick(draws)
        extent = draws.uniform(0.6, 1.0, 1) * side
        left, top = draws.uniform(0.0, 1.0, 2, 1).mul(side - extent[:, None]).unbind(1)
        steps = (torch.arange(size, device=draws.device) + 0.5) / size
        mirrored = torch.where(draws.chance(0.5, 1), 1 - steps, steps)
        column = (left + mirrored * extent).long().clamp_(max=side - 1)
        row = (top + steps * extent).long().clamp_(max=side - 1)
        pictures = look_up(self.bank, which, row[:, :, None], column[:, None]).float()
        gain = draws.uniform(0.65, 1.3, 1) * draws.uniform(0.88, 1.12, 3) / 255
        return pictures.mul_(gain.view(n, 3, 1, 1)).clamp_(0, 1)

    def lay_floors(
        self,
        images: Float[Tensor, "batch 3 size size"],
        ground: Float[Tensor, "batch 3 3"],
        draws: Draws,
        share: float,
    ) -> None:
        """Lay floors into a share of the images, in place; see `floors.lay`."""
        floors.lay(images, ground, self.bank, self.pick(draws), draws, share)
