"""Videos: every container, upright, on time, and damaged in every way."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from helpers.clips import CODECS, four_colours, only_sound, quarters, write_clip

from hmr_edu.data.photos import video as video_room
from hmr_edu.data.photos.video import Video, is_video
from hmr_edu.io.errors import DataError

pytest.importorskip("av")
UPRIGHT = ["red", "green", "blue", "black"]


def clip(path, count=12, **options):
    return write_clip(path, [four_colours(shift=k) for k in range(count)], **options)


def read(path):
    """Return the frames of a file, and what is wrong with it where it cannot be read."""
    try:
        return list(Video(path).frames()), ""
    except DataError as error:
        return [], str(error)


@pytest.mark.parametrize("ending", CODECS)
def test_every_container(tmp_path, ending):
    path = clip(tmp_path / f"clip{ending}")
    assert is_video(path)
    video = Video(path)
    assert video.info[:2] == (64, 48)
    assert video.info.fps == pytest.approx(10)
    assert video.info.frames == 12
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(12))
    np.testing.assert_allclose([f.seconds for f in frames], np.arange(12) / 10, atol=2e-3)
    assert all(quarters(frame.picture) == UPRIGHT for frame in frames)
    # The mark has moved: every frame is another one.
    marks = [f.picture[44, 32:].astype(int).sum(1).argmax() // 2 for f in frames]
    assert marks == sorted(marks)
    assert marks[-1] - marks[0] in (10, 11, 12)
    assert video.damage is None


@pytest.mark.parametrize(
    ("rotation", "colours"),
    [
        (90, ["green", "black", "red", "blue"]),  # against the clock, as FFmpeg says
        (180, ["black", "blue", "green", "red"]),
        (-90, ["blue", "red", "black", "green"]),
    ],
)
def test_phones_turn_their_pictures_by_a_note(tmp_path, rotation, colours):
    video = Video(clip(tmp_path / "clip.mp4", rotation=rotation))
    frame = next(video.frames())
    assert quarters(frame.picture) == colours
    height, width = frame.picture.shape[:2]
    assert (width, height) == video.info[:2] == ((64, 48) if rotation == 180 else (48, 64))


@pytest.mark.parametrize(
    ("aspect", "size"), [("2", (128, 48)), ("1/2", (64, 96)), ("50", (64, 48))]
)
def test_pixels_become_square(tmp_path, aspect, size):
    video = Video(clip(tmp_path / "clip.mkv", 2, aspect=aspect))
    assert video.info[:2] == size
    picture = next(video.frames()).picture
    assert picture.shape[:2] == size[::-1]
    assert quarters(picture) == UPRIGHT


def test_choice_of_frames(tmp_path):
    video = Video(clip(tmp_path / "clip.mp4", 20))

    def numbers(**options):
        return [frame.number for frame in video.frames(**options)]

    assert numbers(every=3) == [0, 3, 6, 9, 12, 15, 18]
    assert numbers(every=3, start=0.55) == [6, 9, 12, 15, 18]
    assert numbers(start=0.5, end=0.8) == [5, 6, 7]
    assert numbers(every=3, start=0.55, after=9) == [12, 15, 18]
    assert numbers(start=5.0) == []


def test_times_of_a_phone(tmp_path):
    times = [0, 0.04, 0.08, 0.3, 0.31, 0.5]
    video = Video(clip(tmp_path / "clip.mkv", 6, times=times))
    np.testing.assert_allclose([f.seconds for f in video.frames()], times, atol=1e-6)


def test_impossible_times_become_steps(tmp_path):
    video = Video(clip(tmp_path / "clip.mkv", 4, times=[0, 0.1, 100_000.0, 100_000.1]))
    seconds = [frame.seconds for frame in video.frames()]
    step = 1 / video.info.fps
    np.testing.assert_allclose(np.diff(seconds), [0.1, step, 0.1], atol=2e-3)


def test_it_starts_at_zero(tmp_path):
    video = Video(clip(tmp_path / "clip.mkv", 3, times=[7.0, 7.1, 7.2]))
    np.testing.assert_allclose([f.seconds for f in video.frames()], [0, 0.1, 0.2], atol=2e-3)


def test_a_sound_track_is_ignored(tmp_path):
    path = clip(tmp_path / "clip.mp4", 5, sound=True)
    assert len(list(Video(path).frames())) == 5


def test_odd_names_are_names(tmp_path):
    folder = tmp_path / "http:"
    folder.mkdir()
    for name in ("concat:a|b.mp4", "-i.mp4", "ä ö%03d.mp4"):
        path = clip(tmp_path / "clip.mp4", 2).replace(folder / name)
        assert len(list(Video(path).frames())) == 2


def test_gifs_that_stand_still_are_pictures(tmp_path):
    assert not is_video(clip(tmp_path / "still.gif", 1))
    assert is_video(clip(tmp_path / "moves.gif", 2))
    assert not is_video(tmp_path / "photo.jpg")
    assert is_video(tmp_path / "absent.MP4")
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    assert not is_video(tmp_path / "broken.gif")


def boxed(kind, *content):
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def enlarge(data, kind, offset, size):
    """Write another size into every box of this kind of an MP4."""
    at, damaged = data.find(kind), bytearray(data)
    while at >= 0:
        damaged[at + offset : at + offset + len(size)] = size
        at = data.find(kind, at + 4)
    return bytes(damaged)


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"
SECRET = b"ffconcat version 1.0\nfile '{clip}'\n"
HOSTILE = {
    "empty": lambda good: b"",
    "text": lambda good: b"this is no video" * 100,
    "zeros": lambda good: bytes(100_000),
    "noise": lambda good: np.random.default_rng(0).bytes(100_000),
    "html": lambda good: b"<!doctype html><html><body>404</body></html>",
    "playlist": lambda good: PLAYLIST,
    "concat": lambda good: SECRET,
    "sdp": lambda good: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\n",
    "png": lambda good: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "zip": lambda good: b"PK\x03\x04" + bytes(1000),
    "only ftyp": lambda good: good[:32],
    "no index": lambda good: good[: len(good) // 2],
    "header twice": lambda good: good[:200] * 2,
    "box without end": lambda good: (
        boxed(b"ftyp", b"isom", bytes(8)) + struct.pack(">I4s", 2**32 - 1, b"moov")
    ),
    "boxes in boxes": lambda good: (
        boxed(b"ftyp", b"isom", bytes(8)) + struct.pack(">I4s", 1 << 20, b"moov") * 5000
    ),
    "negative box": lambda good: (
        boxed(b"ftyp", b"isom", bytes(8)) + struct.pack(">I4sQ", 1, b"moov", 2**63 + 5)
    ),
    "million by million": lambda good: enlarge(good, b"avc1", 28, struct.pack(">HH", 65535, 65535)),
    "other codec": lambda good: good.replace(b"avc1", b"zzzz"),
    "no track": lambda good: good.replace(b"trak", b"free"),
    "no samples": lambda good: good.replace(b"stsz", b"free"),
    "no times": lambda good: good.replace(b"stts", b"free"),
    "places beyond the end": lambda good: enlarge(good, b"stco", 12, struct.pack(">I", 2**31)),
    "a billion samples": lambda good: enlarge(good, b"stsz", 12, struct.pack(">I", 2**30)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_error_each(tmp_path, name):
    good = clip(tmp_path / "good.mp4").read_bytes()
    path = tmp_path / "bad.mp4"
    path.write_bytes(HOSTILE[name](good))
    frames, message = read(path)
    if message:
        assert message.startswith(str(path))
        assert "\n" not in message
    else:  # a header that lies, over pictures that are good
        assert 0 < len(frames) <= 12
        assert all(frame.picture.size < 10**6 for frame in frames)


@pytest.mark.parametrize("name", ["empty", "text", "playlist", "concat", "sdp", "png", "no index"])
def test_what_holds_no_video_is_refused(tmp_path, name):
    path = tmp_path / "bad.mp4"
    path.write_bytes(HOSTILE[name](clip(tmp_path / "good.mp4").read_bytes()))
    with pytest.raises(DataError, match=r"not a video that can be read|no video"):
        Video(path)


def test_lists_of_other_files_are_not_followed(tmp_path):
    good = clip(tmp_path / "good.mp4")
    for name, text in {
        "a.mp4": f"ffconcat version 1.0\nfile '{good}'\n",
        "b.mkv": f"#EXTM3U\n#EXTINF:1,\n{good}\n#EXT-X-ENDLIST\n",
        "c.avi": f"file://{good}",
    }.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(DataError, match="not a video"):
            Video(path)


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv", ".webm", ".gif", ".mov"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(tmp_path, ending, share):
    pictures = [np.random.default_rng(k).integers(0, 256, (48, 64, 3), np.uint8) for k in range(12)]
    path = write_clip(tmp_path / f"clip{ending}", pictures)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    frames, message = read(path)
    if message:
        assert message.startswith(str(path))
    else:
        assert 0 < len(frames) < 12


def test_frames_before_the_damage_are_kept(tmp_path):
    """Noise in the middle of a file whose every frame stands alone (motion JPEG)."""
    import av

    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for k in range(12):
            frame = av.VideoFrame.from_ndarray(four_colours(shift=k), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    marks = [k for k in range(len(data)) if data[k : k + 8] == b"\x89PNG\r\n\x1a\n"]
    assert len(marks) == 12
    data[marks[6] + 8 : marks[7] - 8] = bytes(marks[7] - marks[6] - 16)
    path.write_bytes(data)
    video = Video(path)
    assert [frame.number for frame in video.frames()] == list(range(6))
    assert "after 6 frames, which are kept" in video.damage
    assert str(path) not in video.damage


def test_sound_alone(tmp_path):
    with pytest.raises(DataError, match="it has no video, only sound or text"):
        Video(only_sound(tmp_path / "clip.mp4"))


def test_no_frames(tmp_path):
    import av

    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"without frames|not a video"):
        Video(path)


def test_frames_that_are_too_large(tmp_path, monkeypatch):
    path = clip(tmp_path / "clip.mp4", 2)
    monkeypatch.setattr(video_room, "LARGEST", 64 * 48 - 1)
    with pytest.raises(DataError, match=r"64 x 48 pixels|not a video that can be read"):
        Video(path)


@pytest.mark.parametrize("side", [10**6, 65_000, 2**31 - 1])
def test_a_header_of_a_million_by_a_million(tmp_path, side):
    """Raw pictures in AVI: only the header says how large they are."""
    import av

    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr24"
        frame = av.VideoFrame.from_ndarray(four_colours(), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(read(path)[0]) == 1
    data = path.read_bytes()
    at = data.index(b"strf") + 12
    assert struct.unpack("<ii", data[at : at + 8]) in ((64, 48), (64, -48))
    path.write_bytes(data[:at] + struct.pack("<ii", side, side) + data[at + 8 :])
    _, message = read(path)
    assert message.startswith(str(path))


def test_things_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no video"):
        Video(tmp_path / "absent.mp4")
    with pytest.raises(DataError, match="a folder"):
        Video(tmp_path)


def test_frames_that_change_their_size_get_that_of_the_first(tmp_path):
    """Two raw H.264 streams of other sizes, one after the other in a transport stream."""
    import av

    path = tmp_path / "clip.mkv"
    parts = []
    for width, height in ((64, 48), (96, 80)):
        part = tmp_path / f"{width}.ts"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for k in range(5):
                picture = four_colours(width, height, k)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    frames = list(Video(path).frames())
    assert len(frames) > 5
    assert {frame.picture.shape for frame in frames} == {(48, 64, 3)}
    assert quarters(frames[-1].picture) == UPRIGHT
