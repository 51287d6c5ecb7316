"""Read pictures of any format as RGB, upright, as a person would see them."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from hmr_edu.io.errors import DataError
from hmr_edu.io.files import is_there
from hmr_edu.io.pixels import check_depth, on_white

# Photographs that ship with the course, and their annotated keypoints.
EXAMPLES = Path(__file__).parents[2] / "assets" / "photos"
# Pixels of the largest picture that is read: as many as phones take. Seven bytes for each.
LARGEST = 200_000_000
# Pixels that are converted at a time.
STRIP = 4_000_000
# Formats for which Pillow starts another program, which may take for ever.
DRAWINGS = ("EPS", "WMF")
# Of a PNG with colours of 16 bits Pillow reads the upper bytes; this reads the lower ones.
UPPER, LOWER = "RGB;16B", "RGB;16L"
# What 8-bit numbers in 16 bits are, and what to do.
IN_A_FILE = ("16 bits", "save them with 8 bits")
# Formats that Pillow cannot read, by bytes at some place of the file.
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_photo(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a picture: upright (EXIF), first frame, alpha on white, grey and 16 bits as RGB.

    A picture may have 200 million pixels; reading takes about seven bytes for each. EXIF that is
    damaged is ignored. Raises FileNotFoundError when there is none, DataError that names the file
    if it is unreadable, or has 8-bit numbers in 16 bits and would be black.
    """
    path = Path(path)
    with _opened(path) as picture:
        deep = [tile[3] for tile in getattr(picture, "tile", [])] == [UPPER]
        picture.load()
        if deep and picture.getbbox() is None:  # all black
            _check_lower(path)
        return _to_rgb(picture)


def check_size(path: Path, recorded: tuple[int, int], where: str) -> None:
    """Compare the recorded size of a picture, (width, height), with that of the upright picture.

    Raises DataError that names both sizes and `where` the one is recorded, and as `read_photo`.
    """
    stored, upright = _sizes(path)
    if upright == recorded:
        return
    width, height = recorded
    if stored == recorded:
        why = (
            "its EXIF turns the picture, and it was annotated before that. Annotate it as it is "
            "shown, or remove the EXIF orientation"
        )
    elif upright == recorded[::-1]:
        why = "it was turned after it was annotated. Annotate it as it is shown, or turn it back"
    elif abs(upright[0] * height - upright[1] * width) < max(width, height, *upright):
        why = f"it was scaled by {upright[0] / width:.4g} after it was annotated. Take the original"
    else:
        why = "it was cut after it was annotated, or is another picture. Take the original"
    raise DataError(
        f"{where} records {width} x {height} pixels, but {path} has {upright[0]} x {upright[1]}: "
        f"{why}"
    )


def upright_size(path: str | Path) -> tuple[int, int]:
    """Return the (width, height) of the upright picture. Raises as `read_photo`."""
    return _sizes(Path(path))[1]


def _sizes(path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the (width, height) of a picture as it is stored, and upright."""
    with _opened(path) as picture:
        (width, height), turned = picture.size, _orientation(picture) >= 5
    return (width, height), (height, width) if turned else (width, height)


@contextmanager
def _opened(path: Path) -> Generator[Image.Image]:
    """Open a picture; every fault of the file, also while it is used, is one DataError."""
    if not is_there(path):
        raise FileNotFoundError(f"no picture {path}")
    if not path.is_file():  # to read a pipe could take for ever
        raise DataError(f"{path}: not a picture that can be read (a folder, a pipe or a device)")
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # Pillow warns of unimportant things (odd metadata), and of pictures that are too large. It
        # refuses these only at twice that size; here they are refused at once.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = LARGEST
            with Image.open(path) as picture:
                if picture.format in DRAWINGS:
                    raise ValueError(f"{picture.format} is a drawing: save it as PNG")
                yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{path}: more than {LARGEST / 1e6:g} million pixels, the most that are read; save it "
            "smaller, or cut the person out"
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: not a picture that can be read ({_kind(path)})") from None
    except Exception as error:  # a broken file can fail in any decoder, each in its own way
        words = str(error) or type(error).__name__
        raise DataError(f"{path}: not a picture that can be read ({words})") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _kind(path: Path) -> str:
    """Say what a file is that Pillow does not know."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "the file is empty"
    if start[4:8] == b"ftyp" and any(brand in start[8:] for brand in HEIF):
        return (
            "it is HEIC, which Pillow does not read: save it as JPEG; a phone can also be set to "
            "take JPEG"
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<svg", b"<?xml")):
        return "it is a web page or a drawing in XML: save the picture as JPEG or PNG"
    return "no format that Pillow knows: save it as JPEG or PNG"


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, where it cannot be told.

    Nothing else of EXIF is looked at: much of it is damaged in the pictures of some programs.
    """
    if picture.format == "TIFF":  # Pillow turns these itself, when it loads them
        picture.load()
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF fails in as many ways as a damaged picture
        return 1
    return value if isinstance(value, int) and value in range(1, 9) else 1


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Return a view of an upright picture in which the pixels lie as in the file."""
    if orientation >= 5:  # the file's rows are columns
        upright = upright.swapaxes(0, 1)
    if orientation in (3, 4, 6, 7):  # the file begins at the bottom, or its columns do
        upright = upright[::-1]
    if orientation in (2, 3, 7, 8):
        upright = upright[:, ::-1]
    return upright


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """Convert strip by strip: large pictures would else be in memory several times."""
    orientation, (width, height) = _orientation(picture), picture.size
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    stored = _as_stored(upright, orientation)
    rows = max(1, STRIP // width)

    def strips():
        for top in range(0, height, rows):
            yield top, picture.crop((0, top, width, min(height, top + rows)))

    if picture.mode.startswith("I") or picture.mode == "F":
        # Integers use 16 bits, floating point the range 0 to 1, unless the values say otherwise.
        white = 1.0 if picture.mode == "F" else 65535.0
        highest = max(_numbers(strip).max() for _, strip in strips())
        if picture.mode != "F":
            check_depth(highest, *IN_A_FILE)
        white = max(white, highest)
        for top, strip in strips():
            grey = (_numbers(strip).clip(0) / white * 255 + 0.5).astype(np.uint8)
            stored[top : top + rows] = grey[..., None]
        return upright
    for top, strip in strips():
        stored[top : top + rows] = on_white(strip)
    return upright


def _check_lower(path: Path) -> None:
    """Raise ValueError where a PNG that looks black has colours in its lower bytes."""
    with Image.open(path) as picture:
        picture.tile = [tile._replace(args=LOWER) for tile in picture.tile]
        bands = picture.split()
    check_depth(max(int(np.asarray(band).max()) for band in bands), *IN_A_FILE)


def _numbers(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are not finite numbers")
    return values
