"""Pictures from every hand: EXIF, whole or damaged, sizes, limits, and files that are none."""

import itertools
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from hmr_edu.data.photos import pictures
from hmr_edu.data.photos.pictures import check_size, read_photo
from hmr_edu.io.errors import DataError
from hmr_edu.io.pixels import rgb_bytes

ORIENTATION = 0x0112
# EXIF 2.32, table of tag 274: where the file's first row and first column are on the picture.
SPECIFIED = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
FORMATS = ("png", "webp", "tiff")


def noise(height=3, width=5):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, image, exif=None, **options):
    exact = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}
    options |= exact.get(path.suffix[1:], {})
    if exif is not None:
        options["exif"] = exif
    Image.fromarray(image).save(path, **options)
    return path


def turned(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("orientation", SPECIFIED)
def test_the_first_row_and_column_lie_where_exif_says(tmp_path, orientation, ending):
    image = noise()
    path = save(tmp_path / f"a.{ending}", image, turned(orientation))
    photo = read_photo(path)
    edges = {
        "top": photo[0],
        "bottom": photo[-1],
        "left": photo[:, 0],
        "right": photo[:, -1],
    }
    first_row, first_column = (edges[side] for side in SPECIFIED[orientation])
    # A row begins at the first column, a column at the first row.
    reverse = {"top": 1, "left": 1, "bottom": -1, "right": -1}
    row_side, column_side = SPECIFIED[orientation]
    np.testing.assert_array_equal(first_row[:: reverse[column_side]], image[0])
    np.testing.assert_array_equal(first_column[:: reverse[row_side]], image[:, 0])
    np.testing.assert_array_equal(photo, ImageOps.exif_transpose(Image.open(path)))


def test_strips_are_the_whole_picture(tmp_path, monkeypatch):
    """In strips of two rows, as a picture of 200 million pixels is read."""
    image = noise(7, 5)
    rgba = np.dstack([image, noise(7, 5)[..., 0]])
    deep = (image[..., 0].astype(np.uint16) << 8) + image[..., 1]
    for number, array in enumerate((image, rgba, deep, image[..., 0] / np.float32(255))):
        for orientation in SPECIFIED:
            path = tmp_path / f"{number}.tiff"
            Image.fromarray(array).save(path, exif=turned(orientation))
            monkeypatch.setattr(pictures, "STRIP", 4_000_000)
            whole = read_photo(path)
            monkeypatch.setattr(pictures, "STRIP", 10)
            np.testing.assert_array_equal(read_photo(path), whole)


def deep_png(path, values, kind):
    """Write 16 bits by hand, as PNG's specification lays them out: Pillow writes only grey."""

    def chunk(name, data):
        check = zlib.crc32(name + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + name + data + check

    height, width = values.shape[:2]
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((16, kind, 0, 0, 0))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))
    return path


@pytest.mark.parametrize("kind", ["grey", "colours"])
def test_bytes_in_16_bits_are_not_black(tmp_path, kind):
    """The same values as an array are refused in the same words."""
    colour_type, shape = (2, (4, 6, 3)) if kind == "colours" else (0, (4, 6))
    values = np.zeros(shape, np.uint16)
    path = deep_png(tmp_path / "deep.png", values, colour_type)
    assert not read_photo(path).any()  # a night without stars is a picture
    for highest in (1, 220, 255):
        values[2, 3] = highest
        words = f"a picture of (.*) goes up to 65,535, this one to {highest} only: if these are"
        with pytest.raises(DataError, match=rf"deep\.png: .*{words} bytes, save them with 8 bits"):
            read_photo(deep_png(path, values, colour_type))
        with pytest.raises(ValueError, match=words):
            rgb_bytes(values)
    values[2, 3] = 65535
    photo = read_photo(deep_png(path, values, colour_type))
    assert (photo[2, 3] == 255).all()
    assert photo.sum() == 3 * 255


def tiff_block(entries, order=b"II"):
    """EXIF by hand, as TIFF 6.0 lays it out: (tag, type, count, four bytes)."""
    end = "little" if order == b"II" else "big"
    number = lambda value, n: value.to_bytes(n, end)  # noqa: E731
    block = order + number(42, 2) + number(8, 4) + number(len(entries), 2)
    for tag, kind, count, value in entries:
        block += number(tag, 2) + number(kind, 2) + number(count, 4) + value
    return b"Exif\0\0" + block + number(0, 4)


DAMAGED = {
    "nothing": b"",
    "junk": b"Exif\0\0" + bytes(range(256)),
    "zeros": b"Exif\0\0" + bytes(64),
    "no header": b"II*\0",
    "cut": tiff_block([(ORIENTATION, 3, 1, b"\6\0\0\0")])[:20],
    "far offset": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "negative": tiff_block([(ORIENTATION, 9, 1, b"\xff\xff\xff\xff")]),
    "zero": tiff_block([(ORIENTATION, 3, 1, b"\0\0\0\0")]),
    "nine": tiff_block([(ORIENTATION, 3, 1, b"\x09\0\0\0")]),
    "text": tiff_block([(ORIENTATION, 2, 4, b"six\0")]),
    "a fraction of nothing": tiff_block(
        [(ORIENTATION, 5, 1, b"\x1a\0\0\0"), (282, 5, 1, bytes(4))]
    ),
    "a float": tiff_block([(ORIENTATION, 11, 1, b"\0\0\x80\x7f")]),
    "unknown type": tiff_block([(ORIENTATION, 99, 1, b"\6\0\0\0")]),
    "a billion values": tiff_block([(ORIENTATION, 3, 10**9, b"\6\0\0\0")]),
    "itself": tiff_block([(0x8769, 4, 1, b"\x08\0\0\0")]),
}
# Beside a sound orientation, 6, something else is wrong.
BESIDE = {
    "resolution": (282, 5, 1, b"\xff\xff\xff\xff"),
    "maker": (0x927C, 7, 10**6, b"\xff\xff\0\0"),
    "wrong type": (0x010F, 3, 1, b"\1\0\0\0"),
    "negative": (0x0100, 9, 1, b"\xff\xff\xff\xff"),
    "gps": (0x8825, 2, 4, b"here"),
}


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_exif_costs_nothing(tmp_path, ending, damage):
    image = noise(16, 24)
    plain = save(tmp_path / f"plain.{ending}", image)
    path = save(tmp_path / f"damaged.{ending}", image, DAMAGED[damage])
    np.testing.assert_array_equal(read_photo(path), read_photo(plain))


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
@pytest.mark.parametrize("beside", BESIDE)
def test_a_sound_orientation_beside_damage_counts(tmp_path, ending, beside):
    entries = sorted([(ORIENTATION, 3, 1, b"\6\0\0\0"), BESIDE[beside]])
    image = noise(16, 24)
    plain = read_photo(save(tmp_path / f"plain.{ending}", image))
    path = save(tmp_path / f"damaged.{ending}", image, tiff_block(entries))
    np.testing.assert_array_equal(read_photo(path), np.rot90(plain, -1))


def test_bytes_of_exif_changed_at_random_cost_nothing(tmp_path):
    exif = Image.Exif()
    exif.update({ORIENTATION: 1, 282: 72.0, 0x010F: "maker", 0x0132: "2020:01:01 00:00:00"})
    whole, rng = exif.tobytes(), np.random.default_rng(0)
    image = noise(8, 12)
    kinds = list(itertools.product(("png", "jpg", "webp"), range(60)))
    plain = {e: read_photo(save(tmp_path / f"plain.{e}", image)) for e in ("png", "jpg", "webp")}
    for ending, _ in kinds:
        damaged = bytearray(whole)
        for place in rng.integers(6, len(damaged), 4):
            damaged[place] = rng.integers(256)
        photo = read_photo(save(tmp_path / f"damaged.{ending}", image, bytes(damaged)))
        assert sorted(photo.shape) == sorted(plain[ending].shape)
        assert photo.sum() == plain[ending].sum()  # turned at most


# ------------------------------------------------------------------------------------------ sizes


def test_sizes_that_agree(tmp_path):
    image = noise(16, 24)
    check_size(save(tmp_path / "a.jpg", image), (24, 16), "here")
    for ending in ("jpg", *FORMATS):
        check_size(save(tmp_path / f"b.{ending}", image, turned(6)), (16, 24), "here")
        check_size(save(tmp_path / f"c.{ending}", image, turned(3)), (24, 16), "here")


@pytest.mark.parametrize(
    ("orientation", "recorded", "words"),
    [
        (6, (24, 16), "its EXIF turns the picture"),
        (1, (16, 24), "it was turned after it was annotated"),
        (1, (48, 32), "it was scaled by 0.5 after"),
        (8, (160, 240), "it was scaled by 0.1 after"),
        (1, (24, 20), "it was cut after"),
        (6, (160, 100), "it was cut after"),
    ],
)
def test_sizes_that_differ_are_both_named(tmp_path, orientation, recorded, words):
    path = save(tmp_path / "a.png", noise(16, 24), turned(orientation))
    has = "16 x 24" if orientation > 4 else "24 x 16"
    with pytest.raises(DataError) as error:
        check_size(path, recorded, "image 7")
    message = str(error.value)
    assert message.startswith(f"image 7 records {recorded[0]} x {recorded[1]} pixels, but")
    assert f"a.png has {has}: " in message
    assert words in message


# ----------------------------------------------------------------------------------------- limits


def test_a_limit_in_pixels_is_said(tmp_path, monkeypatch):
    assert pictures.LARGEST >= 16320 * 12240  # the largest that phones take
    before = Image.MAX_IMAGE_PIXELS
    for limit in (2399, 1000):  # a little too large, and far too large
        monkeypatch.setattr(pictures, "LARGEST", limit)
        Image.new("1", (60, 40)).save(tmp_path / "huge.png")
        with pytest.raises(DataError, match=r"huge\.png: more than .* million pixels.*smaller"):
            read_photo(tmp_path / "huge.png")
    monkeypatch.setattr(pictures, "LARGEST", 2400)
    assert read_photo(tmp_path / "huge.png").shape == (40, 60, 3)
    assert before == Image.MAX_IMAGE_PIXELS


MEMORY = """
import resource, sys
import numpy as np
from PIL import Image
from hmr_edu.camera import CropBox
from hmr_edu.crop import crop_image
from hmr_edu.data import read_photo
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
photo = read_photo(sys.argv[1])
height, width = photo.shape[:2]
crop = crop_image(photo, CropBox.around_box(0, 0, width, height), 224)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize("size", [(1, 3_000_000), (3_000_000, 1), (5000, 4000)])
def test_memory_is_what_the_pixels_need(tmp_path, size):
    """Dense weights of a picture three million pixels long would take 5 GB."""
    Image.new("RGB", size, "red").save(tmp_path / "long.png", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "long.png")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    # Pillow's picture and ours, 7 bytes a pixel, and a fixed amount for the steps of the crop.
    assert int(done.stdout) < 7 * size[0] * size[1] / 2**20 + 700


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_and_a_device_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png", "."):
        with pytest.raises(DataError, match="a folder, a pipe or a device"):
            read_photo(tmp_path / name)


# The first bytes of files as their formats' definitions give them (ISO/IEC 23008-12 for HEIC).
HEIC = b"\0\0\0\x24ftypheic\0\0\0\0mif1MiHEheic" + bytes(100)
APPLE = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEIC, "it is HEIC, .*save it as JPEG"),
        (APPLE, "it is HEIC, .*save it as JPEG"),
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"<?xml version='1.0'?><svg/>", ".*a drawing in XML"),
        (b"%PDF-1.7", "no format that Pillow knows: save it as JPEG"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, words):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.jpg: not a picture that can be read \({words}"):
        read_photo(tmp_path / "a.jpg")


def test_no_other_program_is_started(tmp_path, monkeypatch):
    """Pillow gives EPS to Ghostscript, which runs the program that the file is."""
    Image.new("RGB", (4, 5)).save(tmp_path / "a.eps")
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("it was started"))
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(DataError, match="EPS is a drawing: save it as PNG"):
        read_photo(tmp_path / "a.eps")


def test_numbers_that_are_not_finite_are_named(tmp_path):
    for value in (np.nan, np.inf):
        Image.fromarray(np.full((4, 5), value, np.float32)).save(tmp_path / "a.tiff")
        with pytest.raises(DataError, match="not finite"):
            read_photo(tmp_path / "a.tiff")
