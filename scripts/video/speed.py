"""Time the demo on a video, part by part, and measure its errors on a film whose truth is known.

Times are CPU time of the process; run it with OMP_NUM_THREADS=1 for those of one core.

python scripts/video/speed.py [frames]: a synthetic person walks by, 640 x 480 pixels, 25 frames a
second. Nothing is written but into a temporary folder.
"""

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from hmr_edu.body import load_body
from hmr_edu.data.photos.video import Video
from hmr_edu.data.synthetic.clips import SyntheticClip
from hmr_edu.fitting.motion import Seen, recover_motion
from hmr_edu.fitting.smoothing import trembling
from hmr_edu.fitting.tracking import PictureTracker
from hmr_edu.hmr import load_pretrained
from hmr_edu.metrics import pa_mpjpe
from hmr_edu.viz.demo_people import Networks
from hmr_edu.viz.demo_video import run_video
from hmr_edu.viz.video_drawing import VideoDrawing
from hmr_edu.viz.video_file import video_writer

LSP = 14


class Clock:
    """Adds up the CPU seconds of parts: other programs on the machine do not count."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def __call__(self, part, function, *values):
        """Run a function and count its time."""
        start = time.process_time()
        result = function(*values)
        self.seconds[part] += time.process_time() - start
        return result


def write_film(path: Path, film: SyntheticClip) -> None:
    """Write a film as MP4."""
    with video_writer(path, *film.size, film.fps) as write:
        for k, picture in enumerate(film):
            write(picture, k / film.fps)


def shares(path: Path, out: Path) -> list[Seen]:
    """Print the time of each part; return the bodies."""
    clock, model = Clock(), load_pretrained("resnet18")
    video, tracker = Video(path), PictureTracker(model)
    seen: list[Seen] = []
    frames, end = video.frames(), object()
    while (frame := clock("decode", next, frames, end)) is not end:
        part = "network" if seen else "search in the first frame"
        seen += [
            Seen(frame.number, frame.seconds, person)
            for person in clock(part, tracker.step, frame.picture)
        ]
    motion = clock("network", recover_motion, seen, model.body)
    drawing = VideoDrawing({1: motion}, model.body, *video.info[:2])
    drawing.draw(0, next(video.frames()).picture)  # compiles
    frames = video.frames()
    with video_writer(out / "overlay.mp4", *video.info[:2], video.info.fps) as write:
        while (frame := clock("decode", next, frames, end)) is not end:
            drawn = clock("draw", drawing.draw, frame.number, frame.picture)
            clock("encode", write, drawn, frame.seconds)
    search = clock.seconds.pop("search in the first frame")
    total, count = sum(clock.seconds.values()), video.info.frames
    print(f"{count} frames of 640 x 480, {torch.get_num_threads()} threads")
    for part, seconds in clock.seconds.items():
        print(f"{part:8s} {1000 * seconds / count:6.1f} ms a frame, {seconds / total:4.0%}")
    print(f"together {count / total:.1f} frames a CPU-second")
    print(f"search in the first frame {search:.1f} s")
    return seen


def errors(film: SyntheticClip, seen: list[Seen], body) -> None:
    """Print how far the bodies are from the truth, with and without what makes a motion of them."""
    truth = [film.truth(person.frame)[0] for person in seen]
    points2d = torch.stack([t.keypoints2d[:LSP] for t in truth])
    points3d = torch.stack([t.keypoints3d[:LSP] for t in truth])
    rotations = torch.stack([t.rotations for t in truth])
    print(f"the truth trembles by {1000 * trembling(rotations):.1f} mrad a frame")
    for one_shape, smoothed in ((False, False), (True, False), (True, True)):
        motion = recover_motion(seen, body, one_shape, smoothed)
        posed = body(motion.betas, motion.rotations, vertices=False).keypoints[:, :LSP]
        pixels = motion.scale[:, None, None] * posed[..., :2] + motion.place[:, None]
        off = (pixels - points2d).norm(dim=-1).mean()
        shape = "one shape for the clip" if one_shape else "a shape for each frame"
        print(
            f"{shape}{', smoothed' if smoothed else '':10s}: 2D error {off:.1f} px, "
            f"PA-MPJPE {1000 * pa_mpjpe(posed, points3d).mean():.1f} mm, "
            f"trembles by {1000 * trembling(motion.rotations):.1f} mrad a frame"
        )


def main(frames: int) -> None:
    """Print both, and the time of the whole command."""
    film = SyntheticClip(load_body("lite"), frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        write_film(path, film)
        seen = shares(path, Path(folder))
        errors(film, seen, load_body("lite"))
        start = time.process_time()
        _, paths = run_video(path, Path(folder) / "out", Networks("resnet18", "keypoints", False))
        passed = time.process_time() - start
        size = sum(each.stat().st_size for each in paths.values())
        rate = frames / passed
        print(f"the whole demo, all files: {passed:.1f} s, {rate:.1f} frames a CPU-second")
        print(f"{size / 1e6:.1f} MB; {np.mean([s.body.score for s in seen]):.2f} sure")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
