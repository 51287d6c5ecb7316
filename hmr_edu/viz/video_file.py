"""Write a video: MP4 with H.264 where there is an encoder for it, else MPEG-4. It needs PyAV."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hmr_edu.io.files import atomic_write
from hmr_edu.viz.pictures import Picture

# The first that is there is taken, with options for a good picture in a short time.
ENCODERS = (("libx264", {"crf": "20", "preset": "veryfast"}), ("mpeg4", {"qscale": "3"}))
# Ticks of the clock in a second: 24, 25, 29.97 and 30 frames a second are whole numbers of them.
TICKS = 60_000


@contextmanager
def video_writer(
    path: str | Path, width: int, height: int, fps: float | int
) -> Generator[Callable[[Picture, float], None]]:
    """Yield a function that writes a picture, shown from so many seconds on.

    All pictures have the same size. An odd width or height, which these encoders do not know, is
    made even by repeating the last row or column. The file is there only when the block succeeds.

    Args:
        path: of the file, .mp4.
        width: of the pictures.
        height: of the pictures.
        fps: frames a second, about; each frame has its own time.
    """
    import av

    with atomic_write(path) as temporary:
        # Absolute: FFmpeg takes a name with a colon for an address.
        name = str(temporary.absolute())
        with av.open(name, "w", options={"movflags": "+faststart"}) as container:
            encoder, options = _encoder()
            stream: Any = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt, stream.options = "yuv420p", options
            stream.codec_context.time_base = Fraction(1, TICKS)
            last = -1

            def write(picture: Picture, seconds: float) -> None:
                nonlocal last
                even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
                frame = av.VideoFrame.from_ndarray(even, format="rgb24")
                last = max(last + 1, round(seconds * TICKS))
                frame.pts, frame.time_base = last, Fraction(1, TICKS)
                container.mux(stream.encode(frame))

            yield write
            container.mux(stream.encode())


def _encoder() -> tuple[str, dict[str, str]]:
    """Return the best encoder that this PyAV has, and its options."""
    from av.codec import codecs_available

    return next(each for each in ENCODERS if each[0] in codecs_available)
