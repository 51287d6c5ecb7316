"""Soft light against cases computed by hand."""

import math

import pytest
import torch

from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic import lighting, soft_light
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.soft_light import LightConfig, Surroundings

SIZE = 128
PIXEL = lighting.CROP_METRES / SIZE
GREY = Surroundings(torch.full((1, 3), 0.2), torch.full((1, 3), 0.2))
# Towards the camera and the right: 0.6 m sideways on 0.8 m forwards.
LAMP = torch.tensor([[0.6, 0.0, -0.8, *[1.0] * 3, *[0.2] * 6, 0.0]])


def body_pixels(depth, normal):
    """Every pixel of one picture, with this depth and normal."""
    size, P = len(depth), depth.numel()
    return BodyPixels(
        batch=1,
        size=size,
        index=torch.arange(P),
        part=torch.ones(P, dtype=torch.uint8),
        coverage=torch.ones(P),
        depth=depth.flatten().float(),
        normal=normal.expand(3, P).contiguous(),
        surface=torch.zeros(3, P),
    )


def facing():
    return torch.tensor([[0.0], [0.0], [-1.0]])


def plate(height):
    """A wall with a plate on its right half, nearer to the camera by `height` metres."""
    depth = torch.full((SIZE, SIZE), 3.0)
    depth[:, SIZE // 2 :] -= height
    return body_pixels(depth, facing())


def lit(pixels, lamp, skin, config, albedo=0.5, around=GREY, seed=0):
    colours = torch.full((3, len(pixels.depth)), albedo)
    skin = torch.full((len(pixels.depth),), skin)
    return soft_light.light(colours, pixels, lamp, skin, around, config, Draws(1, seed))


def test_a_plane_that_faces_the_lamp_gets_all_of_it():
    lamp = torch.tensor([[0.0, 0.0, -1.0, *[1.0] * 3, *[0.2] * 6, 0.0]])
    config = LightConfig(penumbra=10.0, ambient_occlusion=1.0, scattering=1.0)
    pixels = body_pixels(torch.full((16, 16), 3.0), facing())
    # Ambient 0.2, lamp 1: 0.5 (0.2 + 1), for skin too.
    for skin in (False, True):
        torch.testing.assert_close(lit(pixels, lamp, skin, config), torch.full((3, 256), 0.6))


def test_skin_is_warm_where_light_ends():
    lamp = torch.tensor([[0.0, -1.0, 0.0, *[1.0] * 3, *[0.0] * 6, 0.0]])
    pixels = body_pixels(torch.full((4, 4), 3.0), facing())
    config = LightConfig(scattering=1.0)
    assert (lit(pixels, lamp, False, config) == 0).all()
    red, green, blue = lit(pixels, lamp, True, config)[:, 0].tolist()
    assert red == pytest.approx(0.5 * 0.35 / 1.35)
    assert red > green > blue > 0


def test_a_step_casts_a_shadow_of_known_length():
    height = 0.2
    pixels = plate(height)
    config = LightConfig(penumbra=1.0)
    wide = {}
    for degrees in (0.0, 20.0):
        radius = torch.tensor([math.radians(degrees)])
        visible, open_ = soft_light.visibility(pixels, LAMP, radius, config)
        row = visible.view(SIZE, SIZE)[SIZE // 2]
        assert (open_ == 1).all()
        torch.testing.assert_close(row[SIZE // 2 + 1 :], torch.ones(SIZE // 2 - 1))
        wide[degrees] = row[: SIZE // 2].flip(0)  # from the step outwards
    sharp, soft = wide[0.0], wide[20.0]
    # Shadows begin where the ray is 3 cm behind the plate, and the march has gaps.
    longest = (height - lighting.SHADOW_DEPTH[0]) * 0.6 / 0.8
    # The filter mixes a quarter of the plate's light into the first pixel beside it.
    assert sharp[0] == pytest.approx(1 - 0.75 * (1 - soft_light.UMBRA))
    assert sharp[1] == pytest.approx(soft_light.UMBRA)
    assert (sharp[1 : int(longest / soft_light.RATIO / PIXEL) - 1] < 0.1).all()
    torch.testing.assert_close(sharp[math.ceil(longest / PIXEL) + 1 :], torch.ones(len(sharp))[9:])
    assert 0.6 * longest < (1 - sharp).sum() * PIXEL < longest
    assert ((soft > 0.1) & (soft < 0.95)).sum() > ((sharp > 0.1) & (sharp < 0.95)).sum() + 3


def test_hollows_get_less_ambient_light_and_planes_all_of_it():
    config = LightConfig(ambient_occlusion=1.0)
    radius = torch.zeros(1)
    slope = 0.8
    across = (torch.arange(SIZE) * PIXEL * slope + 3.0).expand(SIZE, SIZE)
    normal = torch.tensor([[slope], [0.0], [-1.0]]) / math.hypot(slope, 1)
    _, tilted = soft_light.visibility(body_pixels(across, normal), LAMP, radius, config)
    torch.testing.assert_close(tilted, torch.ones(SIZE**2))
    _, open_ = soft_light.visibility(plate(0.15), LAMP, radius, config)
    row = open_.view(SIZE, SIZE)[SIZE // 2]
    assert row[SIZE // 2 - 1] < 0.8
    farthest = math.ceil(max(soft_light.NEIGHBOURS) / PIXEL) + 2
    assert (row[: SIZE // 2 - farthest] == 1).all()
    torch.testing.assert_close(row[SIZE // 2 + 1 :], torch.ones(SIZE // 2 - 1))


def test_surroundings_are_the_mean_light_of_the_halves():
    images = torch.zeros(1, 3, 64, 64)
    images[:, 0, :32], images[:, 2, 32:] = 0.5, 1.0
    above, below = Surroundings.of(images)
    torch.testing.assert_close(above, torch.tensor([[0.25, 0.0, 0.0]]))
    torch.testing.assert_close(below, torch.tensor([[0.0, 0.0, 1.0]]))


def test_people_take_the_colours_of_their_surroundings():
    config = LightConfig(environment=1.0)
    up, down = torch.tensor([[0.0], [-1.0], [0.0]]), torch.tensor([[0.0], [1.0], [0.0]])
    lamp = torch.tensor([[0.0, 0.0, 1.0, *[1.0] * 3, *[0.2] * 6, 0.0]])
    around = Surroundings(torch.tensor([[0.4, 0.1, 0.1]]), torch.tensor([[0.1, 0.1, 0.4]]))
    depth = torch.full((4, 4), 3.0)
    above, below = (
        lit(body_pixels(depth, n), lamp, False, config, around=around)[:, 0] for n in (up, down)
    )
    # Grey is mixed in: 0.4 times the mean brightness of both halves.
    mean = 0.25 * 0.299 + 0.1 * 0.587 + 0.25 * 0.114
    expected = (0.4 + 0.4 * mean) / (0.1 + 0.4 * mean)
    assert above[0] / above[2] == pytest.approx(expected, rel=1e-3)
    assert below[2] / below[0] == pytest.approx(expected, rel=1e-3)
    # Brightness is that of the lamp, times the root of the background's over middle grey.
    luma = torch.tensor(soft_light.LUMA)
    bright = (torch.stack([*around]).mean(0) @ luma) / soft_light.MIDDLE_GREY
    for colour in (above, below):
        torch.testing.assert_close((colour @ luma)[None], 0.5 * 0.2 * bright.sqrt())


def test_light_from_behind_reaches_what_looks_away():
    config = LightConfig(backlight=1.0)
    dark = torch.tensor([[0.0, 0.0, 1.0, *[0.0] * 10]])
    depth = torch.full((4, 4), 3.0)
    assert (lit(body_pixels(depth, facing()), dark, False, config) == 0).all()
    rims = [
        lit(body_pixels(depth, torch.tensor([[x], [-0.6], [0.0]])), dark, False, config).mean()
        for x in (-0.8, 0.8)
    ]
    assert max(rims) > 0.1


def test_highlights_saturate_gradually():
    light = torch.tensor([0.0, 0.5, 1.0, 2.0, 1e6])
    # Beyond 0.5, over = 0.5 and 1.5: x - over^2 / (over + 0.5).
    expected = torch.tensor([0.0, 0.5, 0.75, 0.875, 1.0])
    torch.testing.assert_close(soft_light.soft_limit(light, 0.5), expected)
    assert soft_light.soft_limit(light, 0.0) is light


def test_contact_shadows_lie_below_the_lowest_points():
    alpha = torch.zeros(1, SIZE, SIZE)
    alpha[:, 20:100, 50:70] = 1  # a body whose feet end at row 100
    alpha[:, 20:60, 70:110] = 1  # and an arm well above the ground
    images = torch.ones(1, 3, SIZE, SIZE)
    soft_light.contact_shadows(images, alpha, Draws(1, 0), 1.0)
    below = images[0, 0, 100:, 60]
    assert below[0] < 0.8
    assert (below.diff() >= 0).all()
    assert (images[0, 0, 100 + SIZE // 8 :] > 0.99).all()
    assert (images[0, 0, :, 85:] > 0.99).all()
    # A Gauss curve from the ground downwards.
    dark = -torch.log((1 - below[:4]) / (1 - below[0]))
    rows = torch.arange(4) + 0.5
    torch.testing.assert_close(dark / dark[3], (rows**2 - 0.25) / 12.0, atol=1e-3, rtol=1e-3)
    nothing = torch.ones(1, 3, SIZE, SIZE)
    soft_light.contact_shadows(nothing, alpha, Draws(1, 0), 0.0)
    assert (nothing == 1).all()
