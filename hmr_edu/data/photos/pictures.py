"""Read pictures of any format as RGB, upright, as a person would see them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from hmr_edu.io.errors import DataError

# Photographs that ship with the course, and their annotated keypoints.
EXAMPLES = Path(__file__).parents[2] / "assets" / "photos"


def read_photo(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a picture: upright (EXIF), first frame, alpha on white, grey and 16 bits as RGB.

    Raises FileNotFoundError when there is none, DataError that names the file if it is unreadable.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no picture {path}")
    try:
        # Pillow warns of unimportant things (odd metadata), and of pictures large enough to fill
        # the memory. It refuses these only at twice that size; here they are refused at once.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                picture.load()
                return _to_rgb(ImageOps.exif_transpose(picture))
    except Exception as error:  # a broken file can fail in any decoder, each in its own way
        raise DataError(f"{path}: not a picture that can be read ({error})") from None


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture, np.float64), nan=0.0)
        # Integers use 16 bits, floating point the range 0 to 1, unless the values say otherwise.
        white = max(values.max(), 1.0 if picture.mode == "F" else 65535.0)
        grey = (values.clip(0) / white * 255 + 0.5).astype(np.uint8)
        return np.stack([grey] * 3, axis=-1)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        picture = Image.alpha_composite(white, layer)
    return np.array(picture.convert("RGB"))
