"""Options of how synthetic people look, and complete sets of them by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from hmr_edu.data.synthetic.backgrounds import PlaceConfig
from hmr_edu.data.synthetic.dressed.dress_options import DressConfig
from hmr_edu.data.synthetic.lens import LensConfig
from hmr_edu.data.synthetic.soft_light import LightConfig
from hmr_edu.io.ranges import Probability, Range, Strength

# Largest side of a picture in pixels: the strip of noise is not longer.
LARGEST = 1024


@dataclass(frozen=True)
class AppearanceConfig:
    """How likely each ingredient of a picture is (0 to 1), and how strong (1 is the default)."""

    # Even background and light, as in a studio, instead of painted scenes and varied light.
    studio: bool = False
    # Number of different backgrounds, painted before training.
    scenes: Annotated[int, Range(4, 10_000)] = 160
    # Number of different outfits, painted before training.
    outfits: Annotated[int, Range(4, 10_000)] = 64
    # Number of different heads (face, hair, hats), painted before training.
    heads: Annotated[int, Range(4, 10_000)] = 48
    # Folder of photographs from which backgrounds are cut, besides the painted ones.
    photos: str | None = None
    # Share of pictures with a photograph as background, if `photos` is given.
    photo_share: Probability = 0.8
    # Share of backgrounds that get pieces of other backgrounds pasted into them.
    clutter: Probability = 0.0
    # Share of people who cast a shadow on the background.
    cast_shadow: Probability = 0.5
    # Share of pictures with a smaller person in the background.
    bystander: Probability = 0.25
    # Share of pictures with a larger person in front, partly outside the picture.
    passer_by: Probability = 0.05
    # Share of pictures with an object in front of the person.
    occluder: Probability = 0.25
    # Size of these objects; 1 is the default.
    occluder_size: Strength = 1.0
    # How much exposure, contrast, white balance and saturation vary.
    colour: Strength = 1.0
    # Share of black-and-white pictures.
    grey: Probability = 0.03
    # Share of pictures blurred by focus or motion.
    blur: Probability = 0.4
    # Width of the blur; 1 is the default.
    blur_size: Strength = 1.0
    # Share of pictures with sensor noise.
    noise: Probability = 0.7
    # Strength of the noise; 1 is the default.
    noise_size: Strength = 1.0
    # Share of pictures with JPEG-like compression.
    compression: Probability = 0.15
    # Random seed of the painted backgrounds, outfits and heads; pictures have the run's seed.
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    # Share of people in real garments, with real hair and skin; the others are painted.
    dressed: Probability = 0.0
    # Share of people with something in a hand: a bag, a ball, a stick or a sheet.
    held: Probability = 0.0
    # What dressed people wear beyond the shipped garments as they are.
    dress: DressConfig = field(default_factory=DressConfig)
    # How backgrounds are cut out of photographs, and coloured.
    places: PlaceConfig = field(default_factory=PlaceConfig)
    # Soft shadows, ambient occlusion, the scene's colours, skin, light from behind.
    light: LightConfig = field(default_factory=LightConfig)
    # Depth of field, vignetting, exposure, small sources, sharpness, JPEG.
    lens: LensConfig = field(default_factory=LensConfig)


# "dressed" and "full" are for training; in "full" everybody is painted. "clear" has nothing in
# front of people, and a perfect camera. "plain" has a studio as well; the preset `cpu` and the
# lessons use it.
_CLEAR = AppearanceConfig(
    bystander=0.0,
    passer_by=0.0,
    occluder=0.0,
    colour=0.0,
    grey=0.0,
    blur=0.0,
    noise=0.0,
    compression=0.0,
)
_DRESSED = AppearanceConfig(
    outfits=128,
    heads=96,
    photo_share=0.5,
    clutter=1.0,
    bystander=0.15,
    colour=0.6,
    blur=0.1,
    blur_size=0.7,
    noise_size=0.3,
    compression=0.6,
    dressed=0.85,
    held=0.15,
    places=PlaceConfig(
        photo_crop=(0.15, 1.0),
        muted=0.6,
        scene_blur=0.3,
        texture=2.0,
        outlined=0.4,
        floor=0.5,
        seat=0.8,
    ),
    dress=DressConfig(skirts=True, glasses=0.12, beards=0.15, bags=0.1, coats=0.1),
    light=LightConfig(
        penumbra=12.0,
        ambient_occlusion=0.8,
        environment=0.6,
        scattering=0.8,
        sun=0.25,
        backlight=0.15,
        contact_shadow=0.6,
        highlights=0.4,
    ),
    lens=LensConfig(
        depth_of_field=0.1,
        vignette=0.3,
        exposure=0.9,
        highlights=0.1,
        low_resolution=0.1,
        sharpness=0.8,
        jpeg=True,
    ),
)
APPEARANCES = {
    "dressed": _DRESSED,
    "full": AppearanceConfig(),
    "clear": _CLEAR,
    "plain": replace(_CLEAR, studio=True, cast_shadow=0.0),
}
