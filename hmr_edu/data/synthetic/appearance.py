"""Appearance: turn pixels of bodies into pictures of people, with clothes, light and background.

Bodies are rasterised once. Everything here is drawn again for every batch, on the training device.
Each ingredient has its own random numbers, so switching one off does not change the others.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.body.wardrobe import Wardrobe, load_wardrobe
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic import camera_effects, companions, held, lens, lighting, soft_light
from hmr_edu.data.synthetic.backgrounds import Backgrounds, find_photos
from hmr_edu.data.synthetic.draws import Draws, SameDraws
from hmr_edu.data.synthetic.dressed.cloth import Cloth
from hmr_edu.data.synthetic.dressed.extras.wear import with_extras
from hmr_edu.data.synthetic.exposure import expose
from hmr_edu.data.synthetic.neighbours import Neighbours, paint_neighbours
from hmr_edu.data.synthetic.occlusion import occluders
from hmr_edu.data.synthetic.options import APPEARANCES, LARGEST, AppearanceConfig
from hmr_edu.data.synthetic.sampling import blend_rows, cover_rows
from hmr_edu.data.synthetic.seats import paint as paint_seats
from hmr_edu.data.synthetic.soft_light import LightConfig
from hmr_edu.data.synthetic.support import Support
from hmr_edu.data.synthetic.wardrobe.clothing import LONG_HAIRED as LONG_HAIRED_OUTFITS
from hmr_edu.data.synthetic.wardrobe.clothing import body_chart, paint_outfits
from hmr_edu.data.synthetic.wardrobe.faces import LONG_HAIRED as LONG_HAIRED_HEADS
from hmr_edu.data.synthetic.wardrobe.faces import head_chart, paint_heads
from hmr_edu.data.synthetic.wardrobe.palette import palettes
from hmr_edu.data.synthetic.wardrobe.regions import SHADES, Region
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestLandmarks
from hmr_edu.io.ranges import check_ranges
from hmr_edu.keypoints import SMPL_JOINTS

HEAD_PART = 1 + SMPL_JOINTS.index("head")
STUDIO_GREY = 0.82
# Each ingredient has its own seed, in this order.
INGREDIENTS = (
    *("clothes", "lamp", "place", "shadow", "bystander", "passer_by", "occluder"),
    *("colour", "blur", "noise", "compression"),
)
# These have seeds derived from the first one's.
LATER = (
    *("soft_light", "contact", "focus", "vignette", "resolution", "sharpness", "exposure"),
    *("held", "dressed"),
)
# The seeds of floors and seats are derived, too, with numbers beyond those of neighbours.
FLOOR, SEAT = 100, 101
NOTHING = Support()
# Share of people with long hair, on head and shoulders alike.
LONG_HAIR = 0.33


class Shaded(NamedTuple):
    """Pictures, and where an object or person in front hides what is behind."""

    images: Float[Tensor, "batch 3 H W"]
    occluded: Bool[Tensor, "batch H W"]


class Looks(NamedTuple):
    """Random numbers of how people look: painted clothes, real garments, light."""

    clothes: Draws
    dressed: Draws
    light: Draws


class Appearance:
    """Dresses, lights and photographs one body, given what each pixel sees of it.

    Raises ValueError on an unknown name, DataError on a number outside its range, FileNotFoundError
    or DataError on a folder of photographs that cannot be used.

    Args:
        body: the body, whose rest shape the clothes are painted on.
        config: an AppearanceConfig, or a name in APPEARANCES ("dressed", "full", "clear", "plain").
        wardrobe: what dressed people wear, instead of the shipped one.
    """

    def __init__(
        self,
        body: SMPL,
        config: AppearanceConfig | str = "full",
        wardrobe: Wardrobe | None = None,
    ) -> None:
        if isinstance(config, str):
            if config not in APPEARANCES:
                raise ValueError(
                    f"unknown appearance {config!r}: choose from {', '.join(APPEARANCES)}"
                )
            config = APPEARANCES[config]
        check_ranges(config)
        self.config = config
        landmarks = RestLandmarks.of(body)
        self._charts = body_chart(landmarks), head_chart(landmarks)
        self._sheets = (
            paint_outfits(landmarks, config.outfits, config.seed),
            paint_heads(landmarks, config.heads, config.seed),
        )
        self._cloth: Cloth | None = None
        if config.dressed:
            wardrobe = with_extras(wardrobe or load_wardrobe(), config.dress)
            self._cloth = Cloth(wardrobe, landmarks, self._charts[0])
        self._middle_z = torch.tensor([0.0, *landmarks.middle_z])
        self._reel = camera_effects.noise_reel(config.seed)
        # Scenes are painted for the first batch: it has the size of pictures and the device.
        self._backgrounds: Backgrounds | None = None
        if config.photos is not None:
            find_photos(config.photos)

    @torch.no_grad()
    def __call__(
        self,
        pixels: BodyPixels,
        generator: torch.Generator,
        neighbours: Neighbours | None = None,
        whole: Int[Tensor, " people"] | None = None,
        support: Support = NOTHING,
    ) -> Shaded:
        """Photograph a batch, on the device of its pixels. Only the generator decides how it looks.

        `neighbours` are other people in the pictures, in the same light. `whole` are those of the
        batch who may be pasted behind and in front of others; without it, all are. `support`
        is what they stand and sit on.

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
        for k, name in enumerate(LATER):
            draws[name] = Draws(pixels.batch, batch_seed(seeds[0], k), device)

        lamp = (lighting.studio_lamps if c.studio else lighting.lamps)(draws["lamp"])
        alpha = pixels.plane(pixels.coverage)
        if self._backgrounds is None:
            images = alpha.new_full((pixels.batch, 3, pixels.size, pixels.size), STUDIO_GREY)
        else:
            images = self._backgrounds.sample(draws["place"])
            if support.ground is not None:
                own = Draws(pixels.batch, batch_seed(seeds[0], FLOOR), device)
                self._backgrounds.lay_floors(images, support.ground, own, c.places.floor)
        if (seats := support.seats) is not None and len(seats.rows):
            own = Draws(len(seats.rows), batch_seed(seeds[0], SEAT), device)
            paint_seats(images, seats, self._texture(own, images), own)
        looks = Looks(draws["clothes"], draws["dressed"], draws["soft_light"])
        people = self._people(pixels, looks, lamp, images)
        lighting.cast_shadows(images, alpha, draws["shadow"], c.cast_shadow)
        soft_light.contact_shadows(images, alpha, draws["contact"], c.light.contact_shadow)
        pasted = (people, alpha) if whole is None else (people[whole], alpha[whole])
        companions.behind(images, *pasted, draws["bystander"], c.bystander)
        hidden, others = torch.zeros_like(alpha), None
        if neighbours is not None:
            rows, number = neighbours.rows, len(LATER)
            own = (Draws(len(rows), batch_seed(seeds[0], number + k), device) for k in range(2))
            same_light = SameDraws(
                rows, pixels.batch, batch_seed(seeds[0], LATER.index("soft_light")), device
            )
            looks = Looks(*own, same_light)
            others = self._people(neighbours.pixels, looks, lamp[rows], images[rows])
            paint_neighbours(images, others, neighbours)
        images = lens.compose(images, people, alpha, draws["focus"], c.lens.depth_of_field)
        if neighbours is not None and others is not None:
            depth = pixels.plane(pixels.depth).masked_fill(alpha == 0, torch.inf)
            paint_neighbours(images, others, neighbours, depth, hidden)
        held.hold(images, hidden, pixels, draws["held"], c.held, self._texture)
        companions.in_front(images, hidden, *pasted, draws["passer_by"], c.passer_by)
        self._occlude(images, hidden, draws["occluder"])
        images = expose(images, draws, c, self._reel).clamp_(0, 1)
        return Shaded(images, hidden > 0.5)

    def _move(self, size: int, device: torch.device) -> None:
        """Move all painted sheets to the device, once; paint scenes for a new picture size."""
        c, bank = self.config, self._backgrounds
        if self._middle_z.device != device:
            self._middle_z = self._middle_z.to(device)
            self._reel = self._reel.to(device)
            self._sheets = tuple(sheet.to(device) for sheet in self._sheets)
            if self._cloth is not None:
                self._cloth.to(device)
        if c.studio:
            return
        if bank is None or bank.image_size != size or bank.bank.device != device:
            self._backgrounds = Backgrounds(
                size, c.scenes, c.seed, c.photos, c.photo_share, device, c.clutter, c.places
            )

    def _people(
        self,
        pixels: BodyPixels,
        looks: Looks,
        lamp: Float[Tensor, "batch 13"],
        places: Float[Tensor, "batch 3 H W"],
    ) -> Float[Tensor, "batch 3 H W"]:
        """Dress and light all people on black. Only pixels with a body take time.

        Args:
            pixels: what they show.
            looks: random numbers.
            lamp: of each picture.
            places: the backgrounds.
        """
        albedo, skin = self._painted(pixels, looks.clothes)
        if self._cloth is not None and pixels.dressed is not None:
            albedo, skin = self._cloth.paint(albedo, skin, pixels, self._sheets[0], looks.dressed)
        light = self.config.light
        if light == LightConfig():
            radiance = lighting.light(albedo, pixels, lamp)
        else:
            around = soft_light.Surroundings.of(places)
            radiance = soft_light.light(albedo, pixels, lamp, skin, around, light, looks.light)
        return pixels.picture(radiance.clamp_(0, 1).sqrt_())

    def _painted(
        self, pixels: BodyPixels, draws: Draws
    ) -> tuple[Float[Tensor, "3 P"], Bool[Tensor, " P"]]:
        """Return the linear albedo of painted people, and which pixels are skin."""
        code = self._codes(pixels, draws)
        shades = palettes(draws)
        entry = code + pixels.sample * shades[0].numel()
        channel = torch.arange(3, device=code.device)[:, None] * shades.shape[2]
        albedo = shades.view(-1).index_select(0, (entry + channel).view(-1)).view(3, -1)
        return albedo, code < SHADES * Region.HAIR

    def _codes(self, pixels: BodyPixels, draws: Draws) -> Int[Tensor, " P"]:
        """Look up the material of each pixel on the person's outfit sheet or head sheet."""
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
        """Put objects in front of some pictures, in place."""
        rows, row_draws = draws.some(self.config.occluder)
        if not len(rows) or not self.config.occluder_size:
            return
        opacity = occluders(row_draws, images.shape[-1], self.config.occluder_size)
        blend_rows(images, rows, self._texture(row_draws, images), opacity[:, None])
        cover_rows(hidden, rows, opacity)

    def _texture(
        self, draws: Draws, images: Float[Tensor, "batch 3 H W"]
    ) -> Float[Tensor, "n 3 H W"]:
        """Return what objects look like: pieces of backgrounds, of the size of the images."""
        if self._backgrounds is None:
            return torch.full_like(images[: draws.batch], STUDIO_GREY / 2)
        return self._backgrounds.sample(draws)


def _choose(
    draws: Draws, count: int, long_haired: Bool[Tensor, " batch"], share: float
) -> Int[Tensor, " batch"]:
    """Choose a sheet for each person, long-haired or not.

    Args:
        draws: random numbers.
        count: how many sheets there are.
        long_haired: which people have long hair.
        share: share of the sheets with long hair; these come last.
    """
    long = round(share * count)
    short = draws.integers(count - long)
    return torch.where(long_haired, count - long + draws.integers(long), short)
