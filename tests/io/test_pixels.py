"""Pictures of every number type and channel order, against Pillow and against fractions."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from PIL import Image

from hmr_edu.data.batch import Batch
from hmr_edu.hmr import HMR
from hmr_edu.io.pixels import check_unit, rgb_bytes
from hmr_edu.viz.pictures import contact_sheet, draw_keypoints, overlay, resize, to_picture


def noise(*shape, high=256, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def test_rgb_bytes_are_returned_themselves():
    picture = noise(4, 5, 3)
    assert rgb_bytes(picture) is picture


def test_every_16_bit_number_becomes_the_nearest_byte():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    # White is 65,535 = 257 * 255.
    expected = [round(Fraction(v, 257)) for v in range(65536)]
    np.testing.assert_array_equal(rgb_bytes(values)[..., 0].ravel(), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_byte_comes_back_from_its_share_of_white(dtype):
    values = np.arange(256, dtype=np.float64).reshape(16, 16)
    np.testing.assert_array_equal(rgb_bytes((values / 255).astype(dtype))[..., 1], values)


def test_floats_a_little_outside_are_clipped():
    picture = np.array([[-0.005, 1.005]], np.float32)
    assert rgb_bytes(picture)[..., 0].tolist() == [[0, 255]]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64])
def test_other_whole_numbers_are_bytes(dtype):
    picture = noise(4, 5, 3, high=128, dtype=dtype)
    np.testing.assert_array_equal(rgb_bytes(picture), picture)


def test_booleans_are_black_and_white():
    picture = noise(4, 5, high=2).astype(bool)
    np.testing.assert_array_equal(rgb_bytes(picture)[..., 2], np.where(picture, 255, 0))


@pytest.mark.parametrize(("mode", "channels"), [("L", 0), ("L", 1), ("LA", 2), ("RGBA", 4)])
def test_channels_as_pillow_has_them(mode, channels):
    picture = noise(4, 5, channels) if channels else noise(4, 5)
    layer = Image.fromarray(picture[..., 0] if channels == 1 else picture, mode).convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    expected = np.asarray(Image.alpha_composite(white, layer).convert("RGB"))
    np.testing.assert_array_equal(rgb_bytes(picture), expected)
    np.testing.assert_array_equal(rgb_bytes(picture / np.float32(255)), expected)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (noise(4, 5, 3).astype(np.float32), r"\[0, 1\], these go from 0 to 25.: divide by 255"),
        (np.full((4, 5, 3), np.nan), "these go from nan to nan"),
        (np.array([[0.5, np.inf]]), "these go from 0.5 to inf"),
        (np.full((4, 5, 3), -0.5), r"values in \[0, 1\]"),
        (noise(4, 5, 3).astype(np.uint16), "if these are bytes, give picture.astype"),
        (noise(4, 5, 3, high=4000, dtype=np.int32), "from 0 to 255, these go from"),
        (noise(4, 5, 3).astype(np.int16) - 100, "from 0 to 255, these go from -"),
        (noise(3, 40, 50), r"\[3, 40, 50\]: channels come last, picture.transpose\(1, 2, 0\)"),
        (noise(2, 4, 5, 3), r"not \[2, 4, 5, 3\]"),
        (noise(4, 5, 6), r"not \[4, 5, 6\]"),
        (noise(7), r"not \[7\]"),
        (noise(0, 5, 3), "without pixels"),
        (np.full((4, 5, 3), 1j), "not complex128"),
        (np.full((4, 5, 3), "red"), "not <U3"),
        (np.full((4, 5, 3), None), "not object"),
    ],
)
def test_what_is_no_picture_says_what_to_do(picture, words):
    with pytest.raises(ValueError, match=words):
        rgb_bytes(picture)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_networks_pictures_are_floats_from_0_to_1(dtype):
    images = torch.rand(2, 3, 4, 4).to(dtype)
    check_unit(images)
    check_unit(images[:0])
    for wrong in (images * 255, images - 0.5, images / 0):
        with pytest.raises(ValueError, match=r"in \[0, 1\], got values from"):
            check_unit(wrong)
    with pytest.raises(ValueError, match="floating, RGB"):
        check_unit((images * 255).byte())


def test_batches_and_drawings_ask_the_same_of_pictures():
    """Every door: what a network takes, a batch takes and a drawing shows."""
    images = torch.rand(2, 3, 8, 8)
    keypoints, visible = torch.zeros(2, 19, 2), torch.ones(2, 19)
    assert torch.equal(Batch.of_2d(images, keypoints, visible).images, images)
    network = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    for wrong in ((images * 255).byte(), images * 255, images * torch.nan):
        large = wrong.repeat(1, 1, 4, 4)
        for use in (
            lambda: Batch.of_2d(wrong, keypoints, visible),  # noqa: B023
            lambda: network.encoder(large),  # noqa: B023
        ):
            with pytest.raises((ValueError, TypeCheckError)):
                use()


def test_every_drawing_takes_every_picture():
    picture = noise(32, 32, 3)
    points = np.zeros((19, 2))
    points[:, 0] = np.linspace(-0.5, 0.5, 19)
    body, faces = torch.eye(3) * 0.3, torch.tensor([[0, 1, 2]])
    grey = picture[..., 0]
    for same in (picture / 255, picture.astype(np.uint16) * 257, picture.astype(np.int64)):
        for draw in (
            lambda image: draw_keypoints(image, points),
            lambda image: overlay(image, body, faces, (1.0, 0.0, 0.0)),
            lambda image: resize(image, 20),
            lambda image: contact_sheet([image, image], 2),
        ):
            np.testing.assert_array_equal(draw(same), draw(picture))
    assert resize(grey, 20).shape == (20, 20, 3)
    with pytest.raises(ValueError, match="divide by 255"):
        overlay(picture.astype(np.float32), body, faces, (1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        to_picture(torch.rand(3, 8, 8) * 255)
