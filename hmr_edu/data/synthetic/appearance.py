"""From pixels of bodies to pictures of people: clothes, light, places, obstacles, a camera.

Geometry is rendered once; everything here is drawn afresh for every batch, on the device that
trains. Each ingredient draws its own random numbers, so that switching one off leaves the
others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic import camera_effects, companions, lighting
from hmr_edu.data.synthetic.backgrounds import Backgrounds, find_photos
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.occlusion import occluders
from hmr_edu.data.synthetic.sampling import blend_rows, cover_rows
from hmr_edu.data.synthetic.wardrobe.clothing import LONG_HAIRED as LONG_HAIRED_OUTFITS
from hmr_edu.data.synthetic.wardrobe.clothing import body_chart, paint_outfits
from hmr_edu.data.synthetic.wardrobe.faces import LONG_HAIRED as LONG_HAIRED_HEADS
from hmr_edu.data.synthetic.wardrobe.faces import head_chart, paint_heads
from hmr_edu.data.synthetic.wardrobe.palette import palettes
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestBody, RestLandmarks
from hmr_edu.io.ranges import NotNegative, Probability, Range, check_ranges
from hmr_edu.keypoints import SMPL_JOINTS

HEAD_PART = 1 + SMPL_JOINTS.index("head")
STUDIO_GREY = 0.82
# Pixels a side; the reel of noise holds no more.
LARGEST = 1024
# Each draws from a seed of its own, in this order.
INGREDIENTS = (
    *("clothes", "lamp", "place", "shadow", "bystander", "passer_by", "occluder"),
    *("colour", "blur", "noise", "compression"),
)
# Share of people with long hair, on head and shoulders alike.
LONG_HAIR = 0.33


@dataclass(frozen=True)
class AppearanceConfig:
    """How likely (0 to 1) and how strong (1: as tuned) each ingredient is."""

    # An even wall and light instead of places and weather.
    studio: bool = False
    # Backgrounds painted at the start.
    scenes: Annotated[int, Range(4)] = 160
    # Clothes painted at the start.
    outfits: Annotated[int, Range(4)] = 64
    # Faces and hair painted at the start.
    heads: Annotated[int, Range(4)] = 48
    # A folder of photographs to cut backgrounds from.
    photos: str | None = None
    # Share of the backgrounds that photographs give, where there are some.
    photo_share: Probability = 0.8
    # Share of the backgrounds that pieces of others are hung into.
    clutter: Probability = 0.0
    # Share of people who throw a shadow on what is behind them.
    cast_shadow: Probability = 0.5
    # Share of pictures with somebody smaller behind the person.
    bystander: Probability = 0.25
    # Share of pictures with somebody larger, half out of the picture, before the person.
    passer_by: Probability = 0.05
    # Share of pictures with a thing before the person.
    occluder: Probability = 0.25
    # How large such things are.
    occluder_size: NotNegative = 1.0
    # How far exposure, contrast, white balance and saturation stray.
    colour: NotNegative = 1.0
    # Share of pictures without colours.
    grey: Probability = 0.03
    # Share of pictures out of focus or shaken.
    blur: Probability = 0.4
    # How far such pictures are blurred.
    blur_size: NotNegative = 1.0
    # Share of pictures with a sensor's noise.
    noise: Probability = 0.7
    # How strong the noise is.
    noise_size: NotNegative = 1.0
    # Share of pictures with the blocks of compression.
    compression: Probability = 0.15
    # Of what is painted at the start, not of the pictures.
    seed: int = 0

    def __post_init__(self) -> None:
        check_ranges(self)


# What a picture is for: training; training with nothing in the way and a perfect camera; lessons.
_CLEAR = AppearanceConfig(
    **dict.fromkeys(("bystander", "passer_by", "occluder"), 0.0),
    **dict.fromkeys(("colour", "grey", "blur", "noise", "compression"), 0.0),
)
LEVELS = {
    "full": AppearanceConfig(),
    "clear": _CLEAR,
    "plain": replace(_CLEAR, studio=True, cast_shadow=0.0),
}


class Shaded(NamedTuple):
    """Pictures, and where something in front hides whatever is behind (people or not)."""

    images: Float[Tensor, "batch 3 H W"]
    occluded: Bool[Tensor, "batch H W"]


class Appearance:
    """Dresses, lights and photographs one body, from what each pixel sees of it.

    config: an AppearanceConfig, or the name of one of LEVELS ("full", "clear", "plain").
    Raises ValueError for an unknown level; FileNotFoundError or DataError for a folder of
    photographs that cannot be used.
    """

    def __init__(self, body: RestBody, config: AppearanceConfig | str = "full") -> None:
        if isinstance(config, str):
            if config not in LEVELS:
                raise ValueError(f"unknown level {config!r}: choose from {', '.join(LEVELS)}")
            config = LEVELS[config]
        self.config = config
        marks = RestLandmarks.of(body)
        self._charts = body_chart(marks), head_chart(marks)
        self._sheets = (
            paint_outfits(marks, config.outfits, config.seed),
            paint_heads(marks, config.heads, config.seed),
        )
        self._middle_z = torch.tensor([0.0, *marks.middle_z])
        self._reel = camera_effects.noise_reel(config.seed)
        # Scenes are painted when the first batch tells how large pictures are, and where.
        self._backgrounds: Backgrounds | None = None
        if config.photos is not None:
            find_photos(config.photos)

    @torch.no_grad()
    def __call__(self, pixels: BodyPixels, generator: torch.Generator) -> Shaded:
        """Photograph a batch where its pixels are. The generator alone decides how it looks.

        Raises ValueError for pictures of more than 1024 x 1024 pixels.
        """
        c, device = self.config, pixels.index.device
        if pixels.size > LARGEST:
            raise ValueError(f"pictures of {pixels.size} pixels are too large: {LARGEST} at most")
        self._move(pixels.size, device)
        seeds = torch.randint(
            2**62, (len(INGREDIENTS),), generator=generator, device=generator.device
        ).tolist()
        draws = {
            name: Draws(pixels.batch, seed, device)
            for name, seed in zip(INGREDIENTS, seeds, strict=True)
        }

        light = lighting.studio_lamps if c.studio else lighting.lamps
        people = self._people(pixels, draws["clothes"], light(draws["lamp"]))
        alpha = pixels.plane(pixels.coverage)
        if c.studio:
            images = torch.full_like(people, STUDIO_GREY)
        else:
            images = self._backgrounds.sample(draws["place"])
        lighting.cast_shadows(images, alpha, draws["shadow"], c.cast_shadow)
        companions.behind(images, people, alpha, draws["bystander"], c.bystander)
        images = torch.lerp(images, people, alpha[:, None])

        hidden = torch.zeros_like(alpha)
        companions.in_front(images, hidden, people, alpha, draws["passer_by"], c.passer_by)
        self._occlude(images, hidden, draws["occluder"])
        return Shaded(self._expose(images, draws), hidden > 0.5)

    def _move(self, size: int, device: torch.device) -> None:
        """Bring the banks to the device, once; paint scenes for a new picture size."""
        c, bank = self.config, self._backgrounds
        if self._middle_z.device != device:
            self._middle_z = self._middle_z.to(device)
            self._reel = self._reel.to(device)
            self._sheets = tuple(sheet.to(device) for sheet in self._sheets)
        if c.studio:
            return
        if bank is None or bank.image_size != size or bank.bank.device != device:
            self._backgrounds = Backgrounds(
                size, c.scenes, c.seed, c.photos, c.photo_share, device, c.clutter
            )

    def _people(
        self, pixels: BodyPixels, draws: Draws, lamps: Float[Tensor, "batch 13"]
    ) -> Float[Tensor, "batch 3 H W"]:
        """Dress and light everybody, on black. Only pixels with a body cost anything."""
        code = self._codes(pixels, draws)
        shades = palettes(draws)
        entry = code + pixels.sample * shades[0].numel()
        channel = torch.arange(3, device=code.device)[:, None] * shades.shape[2]
        albedo = shades.view(-1).index_select(0, (entry + channel).view(-1)).view(3, -1)
        radiance = lighting.light(albedo, pixels, lamps)
        return pixels.picture(radiance.clamp_(0, 1).sqrt_())

    def _codes(self, pixels: BodyPixels, draws: Draws) -> Int[Tensor, " P"]:
        """Look up what each pixel is made of, on the person's outfit sheet or head sheet."""
        (outfits, heads), (body, head) = self._sheets, self._charts
        long_hair = draws.chance(LONG_HAIR)
        outfit = _choose(draws, len(outfits), long_hair, LONG_HAIRED_OUTFITS)
        face = _choose(draws, len(heads), long_hair, LONG_HAIRED_HEADS)
        mirrored = torch.where(draws.chance(0.5), -1.0, 1.0)
        part, sample = pixels.part.long(), pixels.sample
        x, y, z = pixels.surface
        x = x * mirrored[sample]
        back = z < self._middle_z[part]
        on_body = outfits.view(-1).index_select(
            0, outfit[sample] * body.size + body.texel(x, y, back)
        )
        on_head = heads.view(-1).index_select(0, face[sample] * head.size + head.texel(x, y, back))
        return torch.where(part == HEAD_PART, on_head, on_body).long()

    def _occlude(
        self, images: Float[Tensor, "batch 3 H W"], hidden: Float[Tensor, "batch H W"], draws: Draws
    ) -> None:
        """Put things in front of some pictures, in place."""
        rows, some = draws.some(self.config.occluder)
        if not len(rows) or not self.config.occluder_size:
            return
        opacity = occluders(some, images.shape[-1], self.config.occluder_size)
        if self.config.studio:
            texture = torch.full_like(images[: len(rows)], STUDIO_GREY / 2)
        else:
            texture = self._backgrounds.sample(some)
        blend_rows(images, rows, texture, opacity[:, None])
        cover_rows(hidden, rows, opacity)

    def _expose(
        self, images: Float[Tensor, "batch 3 H W"], draws: dict[str, Draws]
    ) -> Float[Tensor, "batch 3 H W"]:
        """Take the photograph: colour, then blur, then noise, then compression."""
        c = self.config
        if c.colour or c.grey:
            images = camera_effects.colour(images, draws["colour"], c.colour, c.grey)
        rows, some = draws["blur"].some(c.blur)
        if len(rows):
            kernels = camera_effects.blur_kernels(some, images.shape[-1], c.blur_size)
            sharp = images.index_select(0, rows)
            images.index_copy_(0, rows, camera_effects.blur(sharp, kernels))
        if c.noise:
            camera_effects.add_noise(images, draws["noise"], self._reel, c.noise, c.noise_size)
        rows, some = draws["compression"].some(c.compression)
        if len(rows):
            raw = images.index_select(0, rows)
            compressed = camera_effects.compress(raw, some.uniform(0.2, 1.0))
            images.index_copy_(0, rows, compressed)
        return images.clamp_(0, 1)


def _choose(
    draws: Draws, count: int, long_haired: Bool[Tensor, " batch"], share: float
) -> Int[Tensor, " batch"]:
    """Choose a sheet for each person, from the long-haired end of the pile or from the rest."""
    long = round(share * count)
    short = draws.integers(count - long)
    return torch.where(long_haired, count - long + draws.integers(long), short)
