"""The files of the demo on a video: overlay, motions, and the record of what was done."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hmr_edu.body import SMPL
from hmr_edu.data.photos.video import Frame, Video
from hmr_edu.fitting.motion import Motion
from hmr_edu.fitting.smoothing import steady
from hmr_edu.io.files import printable
from hmr_edu.io.jsonfile import write_json
from hmr_edu.viz.animation import write_animated_glb
from hmr_edu.viz.demo_files import free_paths
from hmr_edu.viz.motion_files import Y_UP, into_world, pelvis_of, write_amass, write_spin
from hmr_edu.viz.video_drawing import VideoDrawing
from hmr_edu.viz.video_file import video_writer
from hmr_edu.viz.video_journal import Journal

ENDINGS = {"overlay": "_overlay.mp4", "spin": "_spin.npz", "record": "_video.json"}
FRAMES = (
    "amass: Z up, the camera is the origin, level, and looks along +Y; glb: Y up, it looks "
    "along -Z; spin: the camera's own, x right, y down, z away; metres. Distances are "
    "proportional to focal_pixels, which is a guess unless it was given"
)
Paths = dict[str, Path]


@dataclass(frozen=True)
class VideoOptions:
    """What is done with a video.

    Args:
        every: read every so many-th frame.
        start: seconds from the beginning.
        end: seconds; None is the end.
        everybody: follow all people, not only the one who is found most surely.
        smooth: smooth the motion by the one-euro filter.
        one_shape: average each person's betas over the clip.
        focal: focal length in pixels, which the distances depend on; None is the diagonal.
    """

    every: int = 1
    start: float | int = 0.0
    end: float | int | None = None
    everybody: bool = False
    smooth: bool = False
    one_shape: bool = True
    focal: float | int | None = None


def frames_of(video: Video, options: VideoOptions, after: int = -1) -> Generator[Frame]:
    """Return the frames of a video that the options choose, beyond number `after`."""
    end = math.inf if options.end is None else options.end
    return video.frames(options.every, options.start, end, after)


def write_results(
    video: Video,
    people: Mapping[int, Motion],
    body: SMPL,
    out: Path,
    record: Mapping[str, Any],
    options: VideoOptions,
    fps: float,
) -> Paths:
    """Write the overlay and the motions, and return the paths by kind.

    Of the record only what names the run is written; `write_record` writes it whole.

    Args:
        video: the video.
        people: motions by number.
        body: the body model.
        out: folder for the results.
        record: what the results are of.
        options: which frames are read.
        fps: their number a second.
    """
    endings = dict(ENDINGS)
    for number in people:
        endings |= {
            f"amass {number}": f"_person_{number}_amass.npz",
            f"glb {number}": f"_person_{number}.glb",
        }
    stem = video.path.stem
    paths = free_paths(out, stem, record, endings, "record")
    if not paths["record"].exists():
        # When the rest fails, the same command finds its own files again.
        write_json(paths["record"], dict(record))
    width, height = video.info.width, video.info.height
    focal = _focal(video, options)
    for number, motion in people.items():
        moved = motion.translations(width, height, focal)
        even = steady(motion.rotations, moved, motion.seconds, fps)
        betas = motion.betas.mean(0)
        write_amass(paths[f"amass {number}"], even, betas, body)
        turned = into_world(even.rotations, even.translations, pelvis_of(body, betas), Y_UP)
        write_animated_glb(paths[f"glb {number}"], body, *turned, betas, fps)
    write_spin(paths["spin"], people, body, printable(stem))

    drawing = VideoDrawing(people, body, width, height)
    bar = tqdm(desc="drawing", unit="frame", disable=None)
    with bar, video_writer(paths["overlay"], *drawing.size, fps) as write:
        first = None
        for frame in frames_of(video, options):
            first = frame.seconds if first is None else first
            write(drawing.draw(frame.number, frame.picture), frame.seconds - first)
            bar.update()
    return paths


def write_record(
    path: Path,
    record: Mapping[str, Any],
    people: Mapping[int, Motion],
    video: Video,
    options: VideoOptions,
    fps: float,
    paths: Mapping[str, Path],
    journal: Journal,
) -> None:
    """Write what was done, and what the numbers in the files mean.

    Args:
        path: of the record.
        record: what the results are of.
        people: motions by number.
        video: the video.
        options: what was done.
        fps: frames a second of those that were read.
        paths: of the results.
        journal: of the frames.
    """
    described = [
        {
            "person": number,
            "first_frame": int(motion.frames[0]),
            "last_frame": int(motion.frames[-1]),
            "frames_seen": len(motion.frames),
            "betas": motion.betas.mean(0).tolist(),
        }
        for number, motion in people.items()
    ]
    numbers = {
        "frames_read": len(journal.frames),
        "frames_with_nobody": sum(not people for _, _, people in journal.frames),
        "frames_per_second": fps,
        "damage": video.damage,
        "focal_pixels": _focal(video, options),
        "people": described,
        "files": {kind: each.name for kind, each in sorted(paths.items()) if each != path},
        "frames_of_reference": FRAMES,
        "betas_are_of": record["network"]["body"],
    }
    write_json(path, {**record, **numbers})


def _focal(video: Video, options: VideoOptions) -> float:
    """Return the focal length: the one that was given, or the usual guess, the diagonal."""
    return float(options.focal or math.hypot(video.info.width, video.info.height))
