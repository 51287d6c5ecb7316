"""Colours of dressed people: textures of garments and skins, recoloured and patterned.

A garment keeps its folds, seams and wear, and takes the colours of a person's palette. The patterns
of painted clothes go onto real ones by a map from each texel to its place on the rest body.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32, Int64, Shaped, UInt8
from PIL import Image
from scipy import ndimage
from torch import Tensor

from hmr_edu.body.wardrobe import Garment, Wardrobe
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.render.renderer import Renderer
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.wardrobe.chart import Chart
from hmr_edu.data.synthetic.wardrobe.palette import linear, palettes
from hmr_edu.data.synthetic.wardrobe.regions import NEUTRAL, SHADES, Region
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestLandmarks

# Share of garments that keep their own colours.
AS_MADE = 0.3
# A recoloured texel is the new colour times this mixture of its own relative colour and brightness,
# within these limits.
OWN_COLOUR, DARKEST, BRIGHTEST = 0.25, 0.1, 3.0
# The limit of hair: its texture has bright strands that would sparkle.
BRIGHTEST_HAIR = 1.7
WHITEST = 0.95
OPAQUE = 128
# Sizes of each texture: whole, half, a quarter, an eighth.
LEVELS = 4
KINDS = ("top", "bottom", "shoes", "socks", "hat", "hair", "skin")
HAIR, SKIN = KINDS.index("hair"), KINDS.index("skin")
# Kinds that are coloured as others are; glasses keep their colours, as skin does.
COLOURED_AS = {"coat": "top", "bag": "hat", "beard": "hair", "glasses": "skin"}
# The colour that each kind has, and which regions of painted clothes show on it as patterns.
COLOURS: dict[str, tuple[Region, tuple[Region, ...]]] = {
    "top": (Region.TOP, (Region.TOP_PATTERN, Region.ACCENT)),
    "bottom": (Region.BOTTOM, (Region.BOTTOM_PATTERN,)),
    "shoes": (Region.SHOE, ()),
    "socks": (Region.SOCK, ()),
    "hat": (Region.HEADWEAR, ()),
    "hair": (Region.HAIR, ()),
    "skin": (Region.SKIN, ()),
}


class Cloth:
    """Gives every pixel of dressed people its colour.

    Textures are numbered: those of the garments, those of the skins, then the same again at half
    the size, at a quarter and so on, for people so far away that a pixel holds many texels.

    Args:
        wardrobe: whose textures are used.
        landmarks: of the rest body.
        chart: of the painted outfits that patterns come from.
    """

    def __init__(self, wardrobe: Wardrobe, landmarks: RestLandmarks, chart: Chart) -> None:
        garments = [g.texture for g in wardrobe.garments]
        skins = [s.texture for s in wardrobe.skins]
        self._chart_size = chart.size
        self._table = _layout(garments, skins)
        charted = [_charted(garment, landmarks, chart) for garment in wardrobe.garments]
        places, kinds, means = zip(*charted, strict=True)
        levels = [(level, k) for level in range(LEVELS) for k in range(len(garments))]
        worn = [_reduced(garments[k], level) for level, k in levels]
        bare = [_reduced(skin, level) for level in range(LEVELS) for skin in skins]
        self._texels = torch.from_numpy(np.concatenate([_flat(t) for t in worn + bare]))
        # Of the texels of garments, which come before those of skins.
        self._places, self._kinds = (
            torch.cat(
                [_nearest(maps[k], t.shape[:2]) for (_, k), t in zip(levels, worn, strict=True)]
            )
            for maps in (places, kinds)
        )
        self._means = torch.cat([torch.stack(means), torch.ones(len(skins), 3)]).repeat(LEVELS, 1)
        # Where a kind shows a region of the painted clothes: its code, else that of the plain kind.
        codes = torch.zeros(len(KINDS), len(Region), dtype=torch.long)
        for k, kind in enumerate(KINDS):
            plain, patterns = COLOURS[kind]
            codes[k] = int(plain)
            for region in patterns:
                codes[k, int(region)] = int(region)
        self._codes = codes.flatten() * SHADES + NEUTRAL

    def to(self, device: torch.device) -> None:
        """Move all textures to a device."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))

    def paint(
        self,
        albedo: Float[Tensor, "3 P"],
        skin: Bool[Tensor, " P"],
        pixels: BodyPixels,
        sheets: UInt8[Tensor, "outfits texels"],
        draws: Draws,
    ) -> tuple[Float[Tensor, "3 P"], Bool[Tensor, " P"]]:
        """Return the linear albedo and what is skin, with the pixels of dressed people replaced.

        Args:
            albedo: of all pixels, as painted.
            skin: which pixels are skin, as painted.
            pixels: what they show; `dressed` says whose they are.
            sheets: painted outfits, which lend their patterns.
            draws: random numbers.
        """
        shades = palettes(draws)
        outfit = draws.integers(len(sheets))
        as_made = draws.chance(AS_MADE, len(KINDS))
        as_made[:, SKIN] = True
        tone = draws.uniform(0.85, 1.15) * draws.uniform(0.97, 1.03, 3).T
        assert pixels.dressed is not None
        rows = pixels.dressed[pixels.sample].nonzero()[:, 0]
        sample = pixels.sample[rows]
        u, v, texture = pixels.surface.index_select(1, rows)
        texel = self._texel(u, v, (texture + 0.5).long())
        bare = texel >= len(self._places)
        on_cloth = texel.clamp(max=len(self._places) - 1)
        kind = torch.where(bare, SKIN, self._kinds[on_cloth].long())
        own = linear(self._texels[texel].T / 255)
        place = self._places[on_cloth].long()
        region = sheets.view(-1)[outfit[sample] * self._chart_size + place] // SHADES
        code = self._codes[kind * len(Region) + region]
        channel = torch.arange(3, device=code.device)[:, None] * shades.shape[2]
        entry = code + sample * shades[0].numel()
        colour = shades.view(-1).index_select(0, (entry + channel).view(-1)).view(3, -1)
        mean = self._means[(texture + 0.5).long()].T
        relative = own / mean * OWN_COLOUR + own.mean(0) / mean.mean(0) * (1 - OWN_COLOUR)
        brightest = torch.where(kind == HAIR, BRIGHTEST_HAIR, BRIGHTEST)
        relative = torch.minimum(relative.clamp_(min=DARKEST), brightest)
        recoloured = (colour * relative).clamp_(max=WHITEST)
        kept = torch.where(bare, own * tone.index_select(1, sample), own)
        recoloured = torch.where(as_made[sample, kind], kept, recoloured)
        return albedo.index_copy(1, rows, recoloured), skin.index_copy(0, rows, bare)

    def _texel(
        self, u: Float[Tensor, " P"], v: Float[Tensor, " P"], texture: Int[Tensor, " P"]
    ) -> Int[Tensor, " P"]:
        first, rows, columns = self._table[texture].unbind(1)
        row = torch.minimum(((1 - v) * rows).long().clamp_(min=0), rows - 1)
        column = torch.minimum((u * columns).long().clamp_(min=0), columns - 1)
        return first + row * columns + column


def _layout(garments: list[np.ndarray], skins: list[np.ndarray]) -> Int64[Tensor, "textures 3"]:
    """Return the first texel, rows and columns of each numbered texture.

    All copies of the garments' lie before those of the skins.
    """
    sizes = [
        torch.tensor([[-(-n // 2**level) for n in t.shape[:2]] for t in textures])
        for textures in (garments, skins)
        for level in range(LEVELS)
    ]
    ends = torch.cat(sizes).prod(1).cumsum(0)
    first = ends - torch.cat(sizes).prod(1)
    table = torch.cat([first[:, None], torch.cat(sizes)], dim=1)
    worn, bare = table.split([LEVELS * len(garments), LEVELS * len(skins)])
    by_level = zip(worn.chunk(LEVELS), bare.chunk(LEVELS), strict=True)
    return torch.cat([torch.cat(pair) for pair in by_level])


def _reduced(texture: UInt8[np.ndarray, "H W channels"], level: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return the colours of a texture, halved so many times."""
    return np.asarray(Image.fromarray(texture[..., :3]).reduce(2**level))


def _nearest(values: Shaped[Tensor, "H W"], size: tuple[int, int]) -> Shaped[Tensor, " texels"]:
    """Sample a picture at another size, without mixing its values; flat."""
    row, column = (
        (torch.arange(n) * 2 + 1) * whole // (2 * n)
        for n, whole in zip(size, values.shape, strict=True)
    )
    return values[row[:, None], column].flatten()


def _flat(texture: UInt8[np.ndarray, "H W channels"]) -> UInt8[np.ndarray, "texels 3"]:
    return texture[..., :3].reshape(-1, 3)


def _charted(
    garment: Garment, landmarks: RestLandmarks, chart: Chart
) -> tuple[Int32[Tensor, "H W"], UInt8[Tensor, "H W"], Float[Tensor, "3"]]:
    """Return for each texel its place on the chart and its kind, and the mean linear colour."""
    height, width = garment.texture.shape[:2]
    size = max(height, width)
    flat = np.zeros((1, len(garment.uv), 3), np.float32)
    flat[0, :, :2] = garment.uv * (2, -2) + (-1, 1)
    parts = garment.weights.argmax(1)
    draw = Renderer(garment.faces, garment.template, parts, cull=False)
    shown = draw(flat, size, camera=np.array([[1.0, 0.0, 0.0]]))
    # Texels outside get the place of the nearest one inside.
    _, (row, column) = ndimage.distance_transform_edt(shown.part[0] == 0, return_indices=True)
    rows = np.arange(height)[:, None] * size // height
    columns = np.arange(width) * size // width
    row, column = row[rows, columns], column[rows, columns]
    x, y, z = (torch.from_numpy(plane[row, column].ravel()) for plane in shown.surface[0])
    part = torch.from_numpy(shown.part[0][row, column].ravel()).long()
    back = z < torch.tensor([0.0, *landmarks.middle_z])[part]
    kind = torch.full((height * width,), KINDS.index("top"), dtype=torch.uint8)
    if garment.kind == "whole":
        kind[y < landmarks.waist - 0.02] = KINDS.index("bottom")
    else:
        kind[:] = KINDS.index(COLOURED_AS.get(garment.kind, garment.kind))
    inside = shown.part[0][rows, columns].ravel() > 0
    if garment.texture.shape[2] == 4:
        inside &= garment.texture[..., 3].ravel() >= OPAQUE
    colours = linear(torch.from_numpy(_flat(garment.texture)[inside]) / 255)
    mean = colours.mean(0) if len(colours) else torch.ones(3)
    place = chart.texel(x, y, back).int()
    shape = (height, width)
    return place.view(shape), kind.view(shape), mean.clamp_min(1e-3)
