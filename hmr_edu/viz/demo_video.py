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
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from hmr_edu.data.detections.frames import FrameKeypoints
from hmr_edu.data.photos.crops import Box, person_crop
from hmr_edu.data.photos.video import Frame, Video
from hmr_edu.fitting.motion import Motion, recover_motion
from hmr_edu.fitting.tracking import KeypointTracker, PictureTracker
from hmr_edu.fitting.tracks import Tracked
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder, printable
from hmr_edu.io.provenance import sha256
from hmr_edu.viz.demo_people import NOBODY, Networks
from hmr_edu.viz.video_journal import Journal
from hmr_edu.viz.video_results import VideoOptions, frames_of, write_record, write_results

Paths = dict[str, Path]
# A frame in, the people in it out.
Step = Callable[[Frame], list[Tracked]]


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
        paths = write_results(video, people, model.body, out, record, options, fps)
        write_record(paths["record"], record, people, video, options, fps, paths, journal)
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
        for frame in frames_of(video, options, journal.last):
            journal.add(frame.number, frame.seconds, step(frame), tracker.state())
            bar.update()
    if video.damage:
        said.append(f"{video.path}: {video.damage}")
    return said


def _rate(journal: Journal, stated: float) -> float:
    """Return the frames a second of those that were read, by their times."""
    times = [seconds for _, seconds, _ in journal.frames]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else stated


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
