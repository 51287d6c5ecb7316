"""Lens and file, against Pillow, SciPy and cases computed by hand."""

import io

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image

from hmr_edu.data.synthetic import lens
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.jpeg import jpeg


def smooth_picture(size, seed=0):
    """A picture with edges and soft parts, in [0, 1]."""
    rng = np.random.default_rng(seed)
    soft = scipy.ndimage.gaussian_filter(
        rng.normal(size=(3, size, size)), (0, size / 20, size / 20)
    )
    soft = 0.5 + 0.2 * soft / soft.std()
    soft[:, size // 3 : size // 2, size // 4 :] *= 0.3
    return torch.from_numpy(soft.clip(0, 1)).float()


def as_image(picture):
    return Image.fromarray((picture.permute(1, 2, 0) * 255 + 0.5).byte().numpy())


def as_picture(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def through_pillow(picture, quality, half=False):
    file = io.BytesIO()
    as_image(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    image = Image.open(file)
    if half:
        image.draft("RGB", (image.width // 2, image.height // 2))
    return as_picture(image)


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
@pytest.mark.parametrize("size", [64, 70])
def test_compression_is_that_of_jpeg(quality, size):
    picture = as_picture(as_image(smooth_picture(size)))
    expected = through_pillow(picture, quality)
    ours = jpeg(picture[None], torch.tensor([quality / 100]))[0]
    inside = (slice(None), slice(0, 64), slice(0, 64))  # Pillow's border differs
    error = (ours - expected)[inside].abs().mean()
    lost = (picture - expected)[inside].abs().mean()
    assert error < 0.25 * lost + 0.6 / 255


def test_best_quality_loses_little():
    picture = smooth_picture(64)
    grey = picture.mean(0, keepdim=True).expand(3, -1, -1)
    best = jpeg(grey[None], torch.tensor([1.0]))[0]
    assert (best - grey).abs().max() < 4 / 255
    assert (best - grey).abs().mean() < 0.5 / 255


def test_compression_before_reduction_is_that_of_the_decoder_at_half_size():
    large = as_picture(as_image(smooth_picture(128)))
    small = torch.nn.functional.avg_pool2d(large, 2)
    for quality in (20, 60):
        expected = through_pillow(large, quality, half=True)
        ours = jpeg(small[None], torch.tensor([quality / 100]), reduced=True)[0]
        plain = jpeg(small[None], torch.tensor([quality / 100]))[0]
        assert (ours - expected).abs().mean() < 0.8 * (plain - expected).abs().mean()
        assert (ours - expected).abs().mean() < 4 / 255


def test_small_sources_are_resampled_as_pillow_does():
    picture = smooth_picture(60)
    small = lens.small_source(picture[None], 0.4)
    assert small.shape == (1, 3, 24, 24)
    back = lens.enlarged(small, 60)
    for channel in range(3):
        image = Image.fromarray(picture[channel].numpy())
        reduced = image.resize((24, 24), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(small[0, channel], np.asarray(reduced), atol=1e-5)
        again = reduced.resize((60, 60), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(back[0, channel], np.asarray(again), atol=1e-5)


def test_sharpening_is_an_unsharp_mask():
    picture = smooth_picture(32)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    sharp = lens.unsharp(picture[None], torch.full((1, 1, 1, 1), 1.5))[0]
    for channel, out in zip(picture.numpy(), sharp.numpy(), strict=True):
        blurred = scipy.ndimage.correlate(channel, kernel, mode="nearest")
        np.testing.assert_allclose(out, channel + 1.5 * (channel - blurred), atol=1e-5)
    images = torch.stack([picture] * 60)
    varied = lens.sharpen(images, Draws(60, 0), 1.0)
    detail = varied.diff(dim=3).abs().mean((1, 2, 3)) / picture.diff(dim=2).abs().mean()
    assert detail.min() < 0.9
    assert detail.max() > 1.1
    assert torch.equal(lens.sharpen(images, Draws(60, 0), 0.0), images)


def test_exposure_sets_brightness_and_contrast():
    images = torch.rand(300, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = images * torch.linspace(0.2, 1.0, 300).view(-1, 1, 1, 1)
    assert torch.allclose(lens.expose(images, Draws(300, 0), 0.0), images)
    exposed = lens.expose(images, Draws(300, 0), 1.0)[:, 1, ::4, ::4].flatten(1)
    mean, deviation = exposed.mean(1), exposed.std(1)
    assert mean.mean() == pytest.approx(lens.EXPOSED, abs=0.03)
    assert mean.std() == pytest.approx(lens.SPREAD, abs=0.02)
    # Contrast is drawn evenly where the factors allow it.
    bright = images[:, 1, ::4, ::4].flatten(1).std(1)
    factor = deviation / bright
    assert factor.min() >= lens.FACTORS[0] - 1e-4
    assert factor.max() <= lens.FACTORS[1] + 1e-4
    allowed = (factor > lens.FACTORS[0] + 1e-3) & (factor < lens.FACTORS[1] - 1e-3)
    assert deviation[allowed].min() >= lens.CONTRAST[0] - 1e-4
    assert deviation[allowed].max() <= lens.CONTRAST[1] + 1e-4
    # Every picture changes by a factor and an offset only.
    picture, out = images[7], lens.expose(images, Draws(300, 0), 1.0)[7]
    assert np.corrcoef(picture.flatten(), out.flatten())[0, 1] == pytest.approx(1.0)


def test_corners_are_darker():
    squared = torch.tensor([[[0.0, 1.0, 2.0]]])
    # cos^2 where tan^2 = 0.5 r^2 / 2 and r^2 / 2.
    for slope, expected in ((0.5, (1.0, 0.8, 2 / 3)), (1.0, (1.0, 2 / 3, 0.5))):
        factor = lens.vignette(squared, torch.full((1, 1, 1), slope))
        torch.testing.assert_close(factor, torch.tensor([[expected]]))
    fall = lens.falloff(Draws(50, 0), 24, 1.0)
    assert fall.shape == (50, 1, 24, 24)
    assert fall.max() <= 1
    assert 0.2 < fall.min() < 0.6
    assert (lens.falloff(Draws(5, 0), 24, 0.0) == 1).all()


def test_defocus_is_a_lower_resolution():
    picture = smooth_picture(64)[None].expand(4, -1, -1, -1)
    level = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    out = lens.defocus(picture, level)
    torch.testing.assert_close(out[:2], picture[:2])
    for k, row in ((2, 2), (4, 3)):
        smaller = torch.nn.functional.avg_pool2d(picture[:1], k)
        expected = torch.nn.functional.interpolate(smaller, (64, 64), mode="bilinear")
        if row == 3:
            half = torch.nn.functional.avg_pool2d(picture[:1], 2)
            smaller = torch.nn.functional.avg_pool2d(half, 2)
            expected = torch.nn.functional.interpolate(smaller, (64, 64), mode="bilinear")
        torch.testing.assert_close(out[row : row + 1], expected)


def test_depth_of_field_blurs_the_background_and_spares_the_person():
    n, size = 60, 128
    background = torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))
    people = torch.zeros(n, 3, size, size)
    alpha = torch.zeros(n, size, size)
    alpha[:, 40:90, 40:90] = 1
    people[:, :, 40:90, 40:90] = background[:, :, 40:90, 40:90]
    sharp = torch.lerp(background, people, alpha[:, None])
    assert torch.equal(lens.compose(background, people, alpha, Draws(n, 0), 0.0), sharp)
    images = lens.compose(background, people, alpha, Draws(n, 0), 1.0)

    def detail(pictures):
        return pictures.diff(dim=3).abs().mean((1, 2, 3))

    inside = (slice(None), slice(None), slice(45, 85), slice(45, 85))
    person = detail(images[inside]) / detail(sharp[inside])
    outside = detail(images[..., :35]) / detail(sharp[..., :35])
    spared = person > 0.999
    assert 0.7 < spared.float().mean() < 0.97
    assert (outside[spared] < 1.0001).all()
    assert outside[spared].median() < 0.5
    torch.testing.assert_close(outside[~spared], torch.ones((~spared).sum()))
