"""The demo on a video: overlay, motions as npz and GLB, and a record of what was done.

Two passes. The first recovers the people frame by frame and writes each frame into a journal, so
that a run that was killed continues. The second knows all frames: it gives each person one shape,
smooths if that is wanted, and writes the files, each as a whole. Both hold one frame in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hmr_edu.body import SMPL
from hmr_edu.data.detections.frames import FrameKeypoints
from hmr_edu.data.photos.crops import Box, person_crop
from hmr_edu.data.photos.video import Frame, Video
from hmr_edu.fitting.motion import Motion, recover_motion
from hmr_edu.fitting.smoothing import steady
from hmr_edu.fitting.tracking import KeypointTracker, PictureTracker
from hmr_edu.fitting.tracks import Tracked
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder, printable
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import sha256
from hmr_edu.viz.animation import write_animated_glb
from hmr_edu.viz.demo_files import free_paths
from hmr_edu.viz.demo_people import NOBODY, Networks
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
# A frame in, the people in it out.
Step = Callable[[Frame], list[Tracked]]


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


def run_video(
    path: Path,
    out: Path,
    networks: Networks,
    options: VideoOptions | None = None,
    box: Box | None = None,
    keypoints: Path | None = None,
) -> tuple[list[str], Paths]:
    """Recover the people in a video; return lines that say what was done, and the paths written.

    A run that was killed is continued by the same call. Nothing is overwritten but the results of
    the same video, networks and options.

    Raises FileNotFoundError without a file, DataError that names it where nothing in it can be
    used, and where nobody is found.

    Args:
        path: the video.
        out: folder for the results.
        networks: their weights, and whether each body is fitted.
        options: what is done.
        box: the person in the first frame; None searches for people.
        keypoints: a folder with a file of keypoints for each frame; they replace the pictures.
    """
    options = options or VideoOptions()
    check_folder(out)
    video = Video(path)
    width, height = video.info.width, video.info.height
    model, tracker, step = _tracker(video, networks, options, box, keypoints)
    record = {
        "video": printable(path.name),
        "sha256": sha256(path),
        "size": [width, height],
        "weights": networks.lifter if keypoints else networks.weights,
        "network": model.options,
        "network_sha256": _digest(model),
        "refined": networks.refine,
        "options": asdict(options),
        "box": None if box is None else [float(edge) for edge in box],
        "keypoints_from": None if keypoints is None else printable(keypoints.name),
    }
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
    journal = Journal(out / f"{path.stem}_unfinished_{digest}.jsonl", record)
    finished = False
    try:
        said = _recover(video, tracker, step, journal, options)
        if not journal.frames:
            finished = True
            raise DataError(f"{path}: no frame lies between --start and --end")
        people = {
            number: motion
            for number, seen in journal.people().items()
            if (motion := recover_motion(seen, model.body, options.one_shape, options.smooth))
        }
        if not people:
            finished = True
            raise DataError(f"nobody was found in {path}: {NOBODY}")
        said.append(f"{len(journal.frames)} frames; {_list(people)}")
        fps = _rate(journal, video.info.fps / options.every)
        paths = _write(video, people, model.body, out, record, options, fps)
        _write_record(paths["record"], record, people, video, options, fps, paths, journal)
        finished = True
        return said, paths
    finally:
        journal.close(remove=finished)


def _tracker(
    video: Video,
    networks: Networks,
    options: VideoOptions,
    box: Box | None,
    keypoints: Path | None,
) -> tuple[HMR, PictureTracker | KeypointTracker, Step]:
    """Load the network, and make what follows people and what it does with a frame."""
    size = video.info.width, video.info.height
    if keypoints is not None:
        files = FrameKeypoints(keypoints)
        lifter = networks.of_keypoints()
        lifting = KeypointTracker(lifter, options.everybody, networks.refine)
        return lifter, lifting, lambda frame: lifting.step(files.people(frame.number, size))
    if box is not None:
        first = next(video.frames(), None)
        if first is not None:
            person_crop(first.picture, box)  # says what is wrong with the box
    network, model = networks.of_pictures()
    looking = PictureTracker(
        model, options.everybody, None if box is None else list(map(float, box))
    )
    return network, looking, lambda frame: looking.step(frame.picture)


def _recover(
    video: Video,
    tracker: PictureTracker | KeypointTracker,
    step: Step,
    journal: Journal,
    options: VideoOptions,
) -> list[str]:
    """Recover the frames that the journal does not have yet; return lines that say what was done.

    Args:
        video: the video.
        tracker: who follows the people.
        step: what is done with a frame.
        journal: of this video.
        options: which frames are read.
    """
    said = []
    if journal.state is not None:
        tracker.restore(journal.state)
        said.append(f"continued after frame {journal.last}")
    total = None
    if video.info.frames and options.end is None and not options.start:
        total = math.ceil(video.info.frames / options.every)
    bar = tqdm(
        desc="recovering", total=total, initial=len(journal.frames), unit="frame", disable=None
    )
    with bar:
        for frame in _frames(video, options, journal.last):
            journal.add(frame.number, frame.seconds, step(frame), tracker.state())
            bar.update()
    if video.damage:
        said.append(f"{video.path}: {video.damage}")
    return said


def _frames(video: Video, options: VideoOptions, after: int = -1):
    end = math.inf if options.end is None else options.end
    return video.frames(options.every, options.start, end, after)


def _rate(journal: Journal, stated: float) -> float:
    """Return the frames a second of those that were read, by their times."""
    times = [seconds for _, seconds, _ in journal.frames]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else stated


def _write(
    video: Video,
    people: Mapping[int, Motion],
    body: SMPL,
    out: Path,
    record: Mapping[str, Any],
    options: VideoOptions,
    fps: float,
) -> Paths:
    """Write the overlay and the motions, and return the paths by kind; the record comes later.

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
        for frame in _frames(video, options):
            first = frame.seconds if first is None else first
            write(drawing.draw(frame.number, frame.picture), frame.seconds - first)
            bar.update()
    return paths


def _write_record(
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


def _digest(model: HMR) -> str:
    """Return a checksum of a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _list(people: Mapping[int, Motion]) -> str:
    each = [f"person {number} in {len(motion.frames)}" for number, motion in people.items()]
    return ", ".join(each)
