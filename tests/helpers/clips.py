"""Video files for tests, written with PyAV directly: any container, codec, times, rotation."""

from fractions import Fraction

import numpy as np

# Codec and pixel format for each ending.
CODECS = {
    ".mp4": ("libx264", "yuv420p"),
    ".mov": ("libx264", "yuv420p"),
    ".mkv": ("libx264", "yuv420p"),
    ".m4v": ("mpeg4", "yuv420p"),
    ".avi": ("mpeg4", "yuv420p"),
    ".webm": ("libvpx-vp9", "yuv420p"),
    ".gif": ("gif", "rgb8"),
}


def write_clip(path, pictures, fps=10, rotation=0, times=None, aspect=None, sound=False):
    """Write pictures as a video; `times` are seconds, `aspect` the shape of a pixel."""
    import av

    codec, pixels = CODECS[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        height, width = pictures[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        if sound:
            _sound(container)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[k] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _sound(container):
    import av

    stream = container.add_stream("aac", rate=8000)
    frame = av.AudioFrame.from_ndarray(
        np.zeros((1, 8000), np.float32), format="fltp", layout="mono"
    )
    frame.sample_rate = 8000
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def only_sound(path):
    """Write a file with sound and no picture."""
    import av

    with av.open(str(path), "w") as container:
        _sound(container)
    return path


def four_colours(width=64, height=48, shift=0):
    """Return a picture with four quarters: red, green; blue, black; and a white mark that moves."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 0] = 255
    picture[: height // 2, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 2] = 255
    picture[height * 3 // 4 :, width // 2 + 2 * shift : width // 2 + 2 * shift + 4] = 255
    return picture


def quarters(picture):
    """Return which colour each quarter has: upper left, upper right, lower left, lower right."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (0, 0, 0): "black"}
    height, width = picture.shape[:2]
    places = [(y, x) for y in (height // 8, height * 5 // 8) for x in (width // 4, width * 7 // 8)]
    return [names[tuple((picture[place] > 128).astype(int).tolist())] for place in places]
