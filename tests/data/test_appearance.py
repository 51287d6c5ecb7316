import functools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

from hmr_edu.body import load_body
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.render.renderer import GBuffer, Renderer
from hmr_edu.data.synthetic import lighting
from hmr_edu.data.synthetic.appearance import Appearance
from hmr_edu.data.synthetic.backgrounds import PlaceConfig, clutter, load_photos, mute
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.lens import LensConfig
from hmr_edu.data.synthetic.options import APPEARANCES, AppearanceConfig
from hmr_edu.data.synthetic.sampling import look_up
from hmr_edu.data.synthetic.scenes import paint_scenes
from hmr_edu.data.synthetic.soft_light import LightConfig
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS

SIZE = 48
# Small banks: the tests look at rules, not at variety.
SMALL = {"scenes": 8, "outfits": 8, "heads": 8}
CLEAR = replace(APPEARANCES["clear"], **SMALL, cast_shadow=0.0)


@pytest.fixture(scope="module")
def body():
    return load_body("lite")


@pytest.fixture(scope="module")
def gbuffer(body):
    """Six people in the rest pose, seen from six sides."""
    angle = torch.arange(6) * torch.pi / 3
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros(6), torch.ones(6)
    yaw = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], 1).view(6, 3, 3)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    vertices = (upright @ yaw @ body.v_template.T).transpose(1, 2)
    camera = torch.tensor([[0.95, 0.0, -0.35]]).expand(6, 3)
    renderer = Renderer(body.faces, body.v_template, body.weights.argmax(1))
    return renderer(vertices, SIZE, camera=camera)


@functools.cache
def appearance_of(body, config):
    return Appearance(body, config)


def shade(body, gbuffer, config, seed=0):
    return appearance_of(body, config)(BodyPixels.of(gbuffer), torch.Generator().manual_seed(seed))


def emptied(gbuffer):
    return GBuffer(**{f.name: np.zeros_like(getattr(gbuffer, f.name)) for f in fields(gbuffer)})


def test_a_list_of_pixels_says_what_the_gbuffer_says(gbuffer):
    pixels = BodyPixels.of(gbuffer)
    assert len(pixels.index) == np.count_nonzero(gbuffer.part)
    for name in ("part", "coverage", "depth"):
        np.testing.assert_array_equal(pixels.plane(getattr(pixels, name)), getattr(gbuffer, name))
    for name in ("normal", "surface"):
        expected = getattr(gbuffer, name)
        np.testing.assert_array_equal(pixels.picture(getattr(pixels, name)), expected)


def test_same_seed_same_picture(body, gbuffer):
    config = AppearanceConfig(**SMALL)
    before = torch.random.get_rng_state()
    first, second, other = (shade(body, gbuffer, config, seed) for seed in (3, 3, 4))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.occluded, second.occluded)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(before, torch.random.get_rng_state())


def test_second_call_continues_the_generator(body, gbuffer):
    appearance, generator = Appearance(body, CLEAR), torch.Generator().manual_seed(0)
    pixels = BodyPixels.of(gbuffer)
    first, second = (appearance(pixels, generator).images for _ in range(2))
    assert not torch.equal(first, second)


def test_every_sample_has_its_own_looks(body, gbuffer):
    same = GBuffer(**{f.name: getattr(gbuffer, f.name)[[0] * 6] for f in fields(gbuffer)})
    images = shade(body, same, CLEAR).images.flatten(1)
    distance = torch.cdist(images, images) + torch.eye(6) * 9
    assert distance.min() > 2


@pytest.mark.parametrize("level", APPEARANCES)
def test_pictures_are_finite_and_in_range(body, gbuffer, level):
    config = replace(APPEARANCES[level], **SMALL)
    for people in (gbuffer, emptied(gbuffer)):
        images, occluded = shade(body, people, config)
        assert images.shape == (6, 3, SIZE, SIZE)
        assert images.dtype == torch.float32
        assert occluded.dtype == torch.bool
        assert images.isfinite().all()
        assert images.min() >= 0
        assert images.max() <= 1


def test_no_coverage_no_body(body, gbuffer):
    config = replace(CLEAR, cast_shadow=1.0, bystander=1.0, passer_by=1.0)
    ghost = replace(gbuffer, coverage=np.zeros_like(gbuffer.coverage))
    nobody = shade(body, emptied(gbuffer), config)
    assert torch.equal(shade(body, ghost, config).images, nobody.images)


def test_body_pixels_are_the_only_ones_that_change(body, gbuffer):
    with_people = shade(body, gbuffer, CLEAR).images
    without = shade(body, emptied(gbuffer), CLEAR).images
    changed = (with_people != without).any(1)
    covered = torch.from_numpy(gbuffer.coverage) > 0
    assert not changed[~covered].any()
    assert changed[covered].float().mean() > 0.95


def test_occluders_hide_what_the_mask_says(body, gbuffer):
    config = replace(CLEAR, occluder=1.0)
    images, occluded = shade(body, gbuffer, config)
    assert occluded.flatten(1).any(1).all()
    free = shade(body, gbuffer, CLEAR).images
    behind = shade(body, emptied(gbuffer), config).images
    # A pixel from the edge on, a hidden pixel shows nothing of the body, a free one no occluder.
    inside = -torch.nn.functional.max_pool2d(-occluded[:, None].float(), 3, 1, 1)[:, 0] == 1
    outside = torch.nn.functional.max_pool2d(occluded[:, None].float(), 3, 1, 1)[:, 0] == 0
    assert inside.any()
    assert torch.equal(images.movedim(1, -1)[inside], behind.movedim(1, -1)[inside])
    assert torch.equal(images.movedim(1, -1)[outside], free.movedim(1, -1)[outside])
    body_hidden = inside & (torch.from_numpy(gbuffer.coverage) > 0.9)
    replaced = (images != free).any(1)
    assert replaced[body_hidden].float().mean() > 0.95


def test_passers_by_hide_and_bystanders_do_not(body, gbuffer):
    assert shade(body, gbuffer, replace(CLEAR, passer_by=1.0)).occluded.any()
    images, occluded = shade(body, gbuffer, replace(CLEAR, bystander=1.0))
    assert not occluded.any()
    alone = shade(body, gbuffer, CLEAR).images
    full = torch.from_numpy(gbuffer.coverage) == 1
    # Bystanders change the background, never the person.
    assert torch.equal(images.movedim(1, -1)[full], alone.movedim(1, -1)[full])
    assert not torch.equal(images, alone)


def test_shadows_fall_on_the_background_only(body, gbuffer):
    lit, shadowed = (
        shade(body, gbuffer, replace(CLEAR, cast_shadow=share)).images for share in (0.0, 1.0)
    )
    full = torch.from_numpy(gbuffer.coverage) == 1
    assert torch.equal(lit.movedim(1, -1)[full], shadowed.movedim(1, -1)[full])
    assert (shadowed <= lit).all()
    assert (shadowed < lit).flatten(1).any(1).all()


@pytest.mark.parametrize("name", ["blur", "noise", "compression"])
def test_camera_effects_obey_their_probability(body, gbuffer, name):
    never, always = (
        shade(body, gbuffer, replace(CLEAR, **{name: p})).images.flatten(1) for p in (0.0, 1.0)
    )
    assert torch.equal(never, shade(body, gbuffer, CLEAR).images.flatten(1))
    assert (never != always).any(1).all()


def test_grey_pictures(body, gbuffer):
    images = shade(body, gbuffer, replace(CLEAR, grey=1.0)).images
    torch.testing.assert_close(images[:, 0], images[:, 2], atol=1e-6, rtol=0)


def test_plain_level_is_a_studio(body, gbuffer):
    images = shade(body, gbuffer, "plain").images
    background = torch.from_numpy(gbuffer.part) == 0
    colours = images.movedim(1, -1)[background]
    assert (colours == colours[0]).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_draws_the_same_picture(body, gbuffer):
    appearance, pixels = Appearance(body, AppearanceConfig(**SMALL)), BodyPixels.of(gbuffer)
    here = appearance(pixels, torch.Generator().manual_seed(0)).images
    there = appearance(pixels.to("cuda"), torch.Generator().manual_seed(0)).images
    assert there.is_cuda
    # Rounding moves a texel or a quantisation step here and there.
    assert (here - there.cpu()).abs().gt(0.02).float().mean() < 0.02


def test_faces_look_where_people_look(body, gbuffer):
    """Seen from the front a head has the colour of the hands more than seen from behind."""
    faces = np.repeat([0, 3], 16)
    people = GBuffer(**{f.name: getattr(gbuffer, f.name)[faces] for f in fields(gbuffer)})
    images = shade(body, people, "plain", seed=2).images
    part = torch.from_numpy(people.part)[:, None]
    joint = {name: 1 + SMPL_JOINTS.index(name) for name in ("head", "left_hand", "right_hand")}

    def colour(where):
        return (images * where).sum((2, 3)) / where.sum((2, 3))

    hands = colour((part == joint["left_hand"]) | (part == joint["right_hand"]))
    unlike = (colour(part == joint["head"]) - hands).norm(dim=1)
    # The same generator dresses both halves differently, so compare the crowds, not the pairs.
    assert unlike[:16].median() < unlike[16:].median() - 0.05


def test_look_up_is_plain_indexing():
    draws = Draws(5, 0)
    pictures = torch.rand(4, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    which, row, column = draws.integers(4), draws.integers(6, 8, 1), draws.integers(7, 1, 9)
    out = look_up(pictures, which, row, column)
    expected = pictures.numpy()[which][
        np.arange(5)[:, None, None], :, row.numpy(), column.numpy()
    ].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(out, expected)


def lit_pixels(size, depth, normal):
    """The first pixels of one picture, with this depth and normal."""
    P = len(depth)
    return BodyPixels(
        batch=1,
        size=size,
        index=torch.arange(P),
        part=torch.ones(P, dtype=torch.uint8),
        coverage=torch.ones(P),
        depth=depth,
        normal=normal,
        surface=torch.zeros(3, P),
    )


def test_light_and_self_shadow():
    lamp = torch.tensor([[0.0, 0.0, -1.0, *[1.0] * 3, *[0.2] * 6, 0.0]])
    normal = torch.tensor([[0.0, 0.0], [0.0, 0.0], [-1.0, 1.0]])
    pixels = lit_pixels(4, torch.tensor([3.0, 3.0]), normal)
    radiance = lighting.light(torch.full((3, 2), 0.5), pixels, lamp)
    # Ambient 0.2, lamp 1 on the side that faces it: 0.5 (0.2 + 1) and 0.5 * 0.2.
    torch.testing.assert_close(radiance, torch.tensor([[0.6, 0.1]]).expand(3, 2))

    # A plate 20 cm in front of the right half shadows a strip of the left half from the right.
    depth = torch.full((32, 32), 3.0)
    depth[:, 16:] = 2.8
    normal = torch.tensor([[0.0], [0.0], [-1.0]]).expand(3, 32 * 32)
    pixels = lit_pixels(32, depth.flatten(), normal)
    lamp[0, :3] = torch.tensor([0.6, 0.0, -0.8])
    row = lighting.light(torch.ones(3, 1024), pixels, lamp)[0].view(32, 32)[16]
    assert row[15] < row[0] - 0.2
    torch.testing.assert_close(row[16:], row[0].expand(16))


def test_draws_keep_their_promises():
    draws = Draws(20_000, 0)
    shares = torch.bincount(draws.choice((1, 2, 5)), minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.125, 0.25, 0.625]), atol=0.02, rtol=0)
    assert not draws.chance(0.0).any()
    assert draws.chance(1.0).all()
    rows, some = draws.some(0.3)
    assert abs(len(rows) - 6000) < 300
    assert some.uniform(2.0, 3.0, 4).shape == (len(rows), 4)


def test_scenes_come_from_the_seed():
    first, again, other = (paint_scenes(6, 40, seed) for seed in (0, 0, 1))
    assert first.shape == (6, 3, 40, 40)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_scenes_can_be_sharp_and_rough():
    def detail(**options):
        scenes = paint_scenes(12, 64, 0, **options).astype(float)
        return np.abs(np.diff(scenes, axis=3)).mean((1, 2, 3))

    assert (detail(blur=0.2) >= detail()).all()
    assert detail(blur=0.2).mean() > 1.3 * detail().mean()
    assert (detail(texture=5.0) > detail()).mean() > 0.8
    np.testing.assert_array_equal(paint_scenes(4, 40, 0), paint_scenes(4, 40, 0, 1.0, 1.0))


def test_photographs_become_backgrounds(body, gbuffer, tmp_path):
    (tmp_path / "below").mkdir()
    Image.new("RGB", (90, 60), (255, 0, 0)).save(tmp_path / "below" / "red.png")
    config = replace(CLEAR, photos=str(tmp_path), photo_share=1.0)
    images = shade(body, emptied(gbuffer), config).images
    assert (images[:, 0] > 0.5).all()
    assert (images[:, 1:] == 0).all()
    assert load_photos(tmp_path, 32, 5, 0).shape == (5, 3, 32, 32)


def test_unusual_pictures_become_the_backgrounds_that_a_person_would_see(tmp_path):
    grey = Image.fromarray(np.full((40, 40), 20_000, np.uint16))
    clear = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    for name, picture, seen in (("deep", grey, 78), ("clear", clear, 255)):
        (tmp_path / name).mkdir()
        picture.save(tmp_path / name / "a.png")
        assert np.unique(load_photos(tmp_path / name, 8, 1, 0)).tolist() == [seen]


def test_of_many_photographs_some_are_chosen(tmp_path):
    for shade in range(30):
        Image.new("L", (20, 20), 8 * shade).save(tmp_path / f"{shade:02}.png")
    crops = load_photos(tmp_path, 8, 7, 0)
    assert crops.shape == (7, 3, 8, 8)
    assert len(np.unique(crops)) == 7


def test_things_of_no_size_hide_nothing(body, gbuffer):
    config = replace(CLEAR, occluder=1.0, occluder_size=0.0)
    shaded = shade(body, gbuffer, config)
    assert shaded.images.isfinite().all()
    assert not shaded.occluded.any()


def test_pieces_of_pictures_are_hung_into_some():
    """Every picture has a colour of its own, so that a piece shows where it is from."""
    bank = np.repeat(np.arange(40, dtype=np.uint8), 3 * 32 * 32).reshape(40, 3, 32, 32)
    calm = bank.copy()
    clutter(bank, 0.5, seed=0)
    changed = bank != calm
    share = changed.any((1, 2, 3))
    assert share.sum() in (19, 20)  # a piece may be of the picture itself
    assert 0.02 < changed[share].mean() < 0.6
    assert all(len(np.unique(picture)) > 2 for picture in bank[share])
    # Rows of the bank are colours; what is hung up is whole: no new colour, all channels alike.
    assert set(np.unique(bank)) <= set(range(40))
    assert (bank == bank[:, :1]).all()
    again = calm.copy()
    clutter(again, 0.5, seed=0)
    assert (again == bank).all()


def test_clutter_is_behind_people(body, gbuffer):
    calm = shade(body, gbuffer, CLEAR).images
    full = shade(body, gbuffer, replace(CLEAR, clutter=1.0)).images
    alpha = torch.from_numpy(gbuffer.coverage)[:, None].expand_as(calm)
    assert torch.equal(calm[alpha == 1], full[alpha == 1])
    assert (calm[alpha == 0] != full[alpha == 0]).float().mean() > 0.05


def test_photographs_that_cannot_be_used(body, gbuffer, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Appearance(body, replace(CLEAR, photos=str(tmp_path / "nowhere")))
    with pytest.raises(DataError, match="holds no pictures"):
        Appearance(body, replace(CLEAR, photos=str(tmp_path)))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    with pytest.raises(DataError, match=r"broken\.jpg"):
        shade(body, gbuffer, replace(CLEAR, photos=str(tmp_path)))


def test_bad_options_are_named(body):
    with pytest.raises(ValueError, match=r"'pretty'.*full, clear, plain"):
        Appearance(body, "pretty")
    with pytest.raises(ValueError, match=r"blur must be between 0 and 1, not 1\.5"):
        Appearance(body, AppearanceConfig(blur=1.5))
    with pytest.raises(ValueError, match="noise_size"):
        Appearance(body, AppearanceConfig(noise_size=float("nan")))
    with pytest.raises(ValueError, match="outfits"):
        Appearance(body, AppearanceConfig(outfits=0))


def test_too_large_a_picture_is_refused(body, gbuffer):
    shapes = {f.name: getattr(gbuffer, f.name)[:1, ..., 0, 0] for f in fields(gbuffer)}
    huge = GBuffer(
        **{name: np.zeros((*a.shape, 1025, 1025), a.dtype) for name, a in shapes.items()}
    )
    with pytest.raises(ValueError, match="1024"):
        shade(body, huge, CLEAR)


LIT = LightConfig(
    penumbra=12.0,
    ambient_occlusion=0.8,
    environment=0.6,
    scattering=0.8,
    sun=0.3,
    backlight=0.3,
    highlights=0.4,
)


def test_soft_light_changes_people_and_not_their_background(body, gbuffer):
    hard, soft, again = (
        shade(body, gbuffer, replace(CLEAR, light=light)).images
        for light in (LightConfig(), LIT, LIT)
    )
    assert torch.equal(soft, again)
    covered = torch.from_numpy(gbuffer.coverage)[:, None].expand_as(hard)
    assert torch.equal(hard[covered == 0], soft[covered == 0])
    assert (hard[covered == 1] != soft[covered == 1]).float().mean() > 0.9
    assert soft.min() >= 0
    assert soft.max() <= 1


def test_contact_shadows_fall_on_the_background_only(body, gbuffer):
    light = LightConfig(contact_shadow=1.0)
    free = shade(body, gbuffer, replace(CLEAR, light=LightConfig(environment=1e-9))).images
    dark = shade(body, gbuffer, replace(CLEAR, light=light)).images
    full = torch.from_numpy(gbuffer.coverage) == 1
    assert (dark <= free + 1e-5).all()
    torch.testing.assert_close(dark.movedim(1, -1)[full], free.movedim(1, -1)[full])
    assert (dark < free - 0.02).flatten(1).any(1).all()


@pytest.mark.parametrize(
    "options",
    [
        {"vignette": 1.0},
        {"exposure": 1.0},
        {"highlights": 0.5},
        {"sharpness": 1.0},
        {"low_resolution": 0.5},
        {"depth_of_field": 0.5},
    ],
)
def test_each_part_of_the_lens_changes_pictures_and_keeps_their_range(body, gbuffer, options):
    config = replace(CLEAR, lens=LensConfig(**options))
    images = shade(body, gbuffer, config).images
    assert torch.equal(images, shade(body, gbuffer, config).images)
    changed = (images != shade(body, gbuffer, CLEAR).images).flatten(1).any(1)
    assert changed.any()
    if set(options) <= {"vignette", "exposure", "sharpness"}:
        assert changed.all()
    elif "highlights" not in options:
        assert not changed.all()
    assert images.isfinite().all()
    assert images.min() >= 0
    assert images.max() <= 1


def test_everything_works_without_people_and_at_odd_sizes(body):
    lens = LensConfig(0.5, 1.0, 1.0, 0.5, 0.5, 1.0, True)
    light = replace(LIT, contact_shadow=1.0)
    config = AppearanceConfig(**SMALL, light=light, lens=lens, held=1.0, compression=1.0)
    renderer = Renderer(body.faces, body.v_template, body.weights.argmax(1))
    for size, batch in ((31, 1), (4, 3)):
        vertices = body.v_template.expand(batch, -1, -1) * torch.tensor([1.0, -1.0, -1.0])
        people = renderer(vertices, size, camera=torch.tensor([[0.9, 0.0, 0.0]] * batch))
        for seen in (people, emptied(people)):
            images = shade(body, seen, config).images
            assert images.shape == (batch, 3, size, size)
            assert images.isfinite().all()
            assert images.min() >= 0
            assert images.max() <= 1


def test_small_sources_have_noise_and_compression_of_their_own(body, gbuffer):
    lens = LensConfig(low_resolution=1.0, sharpness=0.5, jpeg=True)
    config = replace(CLEAR, lens=lens, noise=1.0, compression=1.0)
    images, occluded = shade(body, gbuffer, config)
    assert images.isfinite().all()
    assert not occluded.any()
    again = shade(body, gbuffer, config).images
    assert torch.equal(images, again)
    assert not torch.equal(images, shade(body, gbuffer, replace(config, noise=0.0)).images)
    assert not torch.equal(images, shade(body, gbuffer, replace(config, compression=0.0)).images)


def test_muted_backgrounds_keep_their_brightness():
    bank = np.random.default_rng(0).integers(0, 256, (30, 3, 16, 16), dtype=np.uint8)
    muted = bank.copy()
    mute(muted, 1.0, seed=0)
    luma = np.float32((0.299, 0.587, 0.114))
    before, after = (np.tensordot(luma, b, (0, 1)) for b in (bank, muted))
    np.testing.assert_allclose(after, before, atol=1.0)
    left = np.ptp(muted.astype(int), axis=1).mean((1, 2)) / np.ptp(bank.astype(int), axis=1).mean(
        (1, 2)
    )
    assert left.min() < 0.15
    assert left.max() > 0.85


def test_pieces_of_photographs_have_the_size_that_is_asked_for(tmp_path):
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, ::2] = 255  # stripes, one pixel wide
    Image.fromarray(wide).save(tmp_path / "a.png")
    for extent, stripes in (((0.1, 0.1), 10), ((0.2, 0.2), 20)):
        crops = load_photos(tmp_path, 100, 3, 0, extent)
        edges = np.abs(np.diff((crops[:, 0, 50] > 127).astype(int), axis=1)).sum(1)
        assert (np.abs(edges - stripes) <= 1).all()


def test_pieces_with_outlines_leave_some_of_their_rectangle(body):
    bank = np.repeat(np.arange(40, dtype=np.uint8), 3 * 64 * 64).reshape(40, 3, 64, 64)
    rectangles, outlined = bank.copy(), bank.copy()
    clutter(rectangles, 1.0, seed=0)
    clutter(outlined, 1.0, seed=0, outlined=1.0)
    calm, shaped = ((b != bank).mean() for b in (rectangles, outlined))
    assert 0.4 * calm < shaped < 0.95 * calm


def test_bad_options_of_light_and_lens_are_named(body):
    for config, said in (
        (
            AppearanceConfig(light=LightConfig(penumbra=50.0)),
            "light.penumbra must be",
        ),
        (
            AppearanceConfig(lens=LensConfig(sharpness=2.0)),
            "lens.sharpness must be",
        ),
        (AppearanceConfig(places=PlaceConfig(photo_crop=(0.9, 0.2))), "places.photo_crop"),
    ):
        with pytest.raises(ValueError, match=said.replace(".", r"\.")):
            Appearance(body, config)
