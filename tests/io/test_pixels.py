"""Pictures of every number type and channel order, against Pillow and against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from hmr_edu.io.pixels import rgb_bytes


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
