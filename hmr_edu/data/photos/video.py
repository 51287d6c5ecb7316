"""Read a video frame by frame, upright, in bounded memory. It needs PyAV, the extra `video`.

A file is never trusted: only the formats below are tried, none of which opens another file or an
address, and pictures beyond a size are refused before they are decoded. Where a file is damaged,
the frames before the damage are kept, and what happened is said.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input

# What a video's name ends in.
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv", ".gif")
# FFmpeg's readers for these files. Its readers of play lists, which open other files, are left out.
FORMATS = ("mov", "mp4", "matroska", "webm", "avi", "gif", "mpegts", "mpeg", "asf", "flv", "ogg")
# Pixels of the largest frame: 8192 x 8192.
LARGEST = 2**26
# Frames a second where a file does not say it, and the most that are believed.
USUAL_RATE, FASTEST = 25.0, 1000.0
# Seconds from one frame to the next, at most; what is longer is a mistake of the file.
LONGEST_STEP = 60.0
# Share of the frames that an editor may have cut away without saying so.
FEW = 0.02
# Shapes of pixels, width by height, that are believed.
WIDEST_PIXEL = 4.0


class VideoInfo(NamedTuple):
    """What a file says of its video: size of the upright frames, frames a second, their number.

    `frames` is a guess from the header, None without one.
    """

    width: int
    height: int
    fps: float
    frames: int | None


class Frame(NamedTuple):
    """A frame: its number in the video, seconds since the first frame, and the upright picture."""

    number: int
    seconds: float
    picture: UInt8[np.ndarray, "height width 3"]


def is_video(path: str | Path) -> bool:
    """Return whether a file is a video by its name; of GIFs, those that move are."""
    path = Path(path)
    if path.suffix.lower() not in VIDEOS:
        return False
    if path.suffix.lower() != ".gif" or not path.is_file():
        return True
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except Exception:  # the reader of pictures will say what is wrong with it
        return False


class Video:
    """A video file whose frames can be read, in order, any number of times.

    Raises FileNotFoundError when there is none, DataError that names the file when it holds no
    frame that can be decoded, ModuleNotFoundError without PyAV.

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_input(path, "video")
        self.damage: str | None = None
        with _opened(self.path) as (container, stream):
            first = next(container.decode(stream), None)
            if first is None:
                raise DataError(f"{self.path}: a video without frames")
            # Width by height of a pixel; old films have pixels that are not square.
            aspect = float(stream.sample_aspect_ratio or 1)
            width, height = _square(first.width, first.height, aspect)
            if width * height > LARGEST:
                raise DataError(f"{self.path}: {_too_large(width, height)}")
            if round(first.rotation / 90) % 2:
                width, height = height, width
            rate = _rate(stream)
            frames = stream.frames or None
            if frames is None and container.duration:
                frames = max(1, round(container.duration / 1e6 * rate))
            self.info = VideoInfo(width, height, rate, frames)

    def frames(
        self,
        every: int = 1,
        start: float | int = 0.0,
        end: float | int = math.inf,
        after: int = -1,
    ) -> Generator[Frame]:
        """Yield every `every`-th frame from `start` to `end`, one in memory at a time.

        Where the file is damaged the frames end, and `damage` says where. Frames without a time, or
        with one that cannot be, come one average step after the one before.

        Args:
            every: 1 for all of them. They are counted from the first at or after `start`.
            start: seconds.
            end: seconds, not included.
            after: frames up to this number are not yielded (a run continues).
        """
        self.damage = None
        number, seconds, stamp, first = -1, 0.0, None, None
        try:
            with _opened(self.path) as (container, stream):
                step = 1 / self.info.fps
                for decoded in container.decode(stream):
                    number += 1
                    before, stamp = stamp, decoded.time
                    passed = None if before is None or stamp is None else stamp - before
                    if number:
                        good = passed is not None and 0 < passed <= LONGEST_STEP
                        seconds += passed if good else step
                    if seconds >= end:
                        return
                    if seconds < start:
                        continue
                    first = number if first is None else first
                    if (number - first) % every == 0 and number > after:
                        yield Frame(number, seconds, self._upright(decoded))
                missing = (stream.frames or 0) - (number + 1)
                if missing > FEW * stream.frames + 1:
                    self.damage = f"{stream.frames} frames are promised, {number + 1} are there"
        except DataError as error:
            if number < 0:
                raise
            self.damage = f"damaged after {number + 1} frames, which are kept ({error})"
            self.damage = self.damage.replace(f"{self.path}: ", "")

    def _upright(self, frame: Any) -> UInt8[np.ndarray, "height width 3"]:
        """Return a frame as RGB, as a person would see it; each gets the size of the first."""
        quarters = round(frame.rotation / 90) % 4
        size = self.info.width, self.info.height
        width, height = size[::-1] if quarters % 2 else size
        picture = frame.to_ndarray(format="rgb24", width=width, height=height)
        return np.ascontiguousarray(np.rot90(picture, quarters))


def _square(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Return the size of a picture after its pixels are made square."""
    if 1 < aspect <= WIDEST_PIXEL:
        return round(width * aspect), height
    if 1 / WIDEST_PIXEL <= aspect < 1:
        return width, round(height / aspect)
    return width, height


def _rate(stream: Any) -> float:
    """Return the average frames a second of a stream, or the usual ones."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < float(rate) <= FASTEST:
            return float(rate)
    return USUAL_RATE


def _too_large(width: int, height: int) -> str:
    most = f"{LARGEST / 1e6:.0f} million"
    return f"its frames have {width} x {height} pixels, and at most {most} are read"


@contextmanager
def _opened(path: Path) -> Generator[tuple[Any, Any]]:
    """Open a video; every fault of the file, also while it is decoded, is one DataError."""
    import av

    try:
        # A file that Python opened: a name such as "http:..." is nothing but a name.
        with path.open("rb") as file:
            options = {
                "format_whitelist": ",".join(FORMATS),
                "protocol_whitelist": "",
                "max_pixels": str(LARGEST),
            }
            with av.open(file, options=options, metadata_errors="replace") as container:
                if not container.streams.video:
                    raise DataError(f"{path}: it has no video, only sound or text")
                stream = container.streams.video[0]
                context = stream.codec_context
                if context is None:
                    raise DataError(f"{path}: no decoder knows its video")
                if context.width * context.height > LARGEST:
                    raise DataError(f"{path}: {_too_large(context.width, context.height)}")
                # Whole frames at once in several threads would hide where the damage is.
                stream.thread_type = "SLICE"
                yield container, stream
    except (DataError, GeneratorExit):
        raise
    except Exception as error:  # each decoder fails in its own way
        reason = first_meaning(error).removesuffix(": '<none>'")
        raise DataError(f"{path}: not a video that can be read ({reason})") from None
