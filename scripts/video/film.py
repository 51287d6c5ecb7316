"""Make the film of the page on videos: python scripts/video/film.py docs/images.

A synthetic person walks by; beside it the same frames with the body that the shipped network
recovers, smoothed.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from hmr_edu.body import load_body
from hmr_edu.data.photos.video import Video
from hmr_edu.data.synthetic.clips import SyntheticClip, Walker
from hmr_edu.io.files import atomic_write
from hmr_edu.viz.demo_people import Networks
from hmr_edu.viz.demo_video import VideoOptions, run_video
from hmr_edu.viz.video_file import video_writer

FRAMES, FPS, SIZE = 45, 15, (320, 240)
WALKER = Walker(start=(0.35, 0.52), end=(0.98, 0.52), turn=0.7, look=1)


def main(folder: Path) -> None:
    """Write video.webp, which moves, and video.png, its middle."""
    clip = SyntheticClip(load_body("lite"), FRAMES, FPS, SIZE, [WALKER])
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "walk.mp4"
        with video_writer(path, *SIZE, FPS) as write:
            for k, picture in enumerate(clip):
                write(picture, k / FPS)
        networks = Networks("resnet18", "keypoints", refine=False)
        _, paths = run_video(path, Path(temporary) / "out", networks, VideoOptions(smooth=True))
        pairs = zip(Video(path).frames(), Video(paths["overlay"]).frames(), strict=True)
        films = [np.hstack([left.picture, right.picture]) for left, right in pairs]
    first, *rest = map(Image.fromarray, films)
    with atomic_write(folder / "video.webp") as temporary:
        options = {"append_images": rest, "duration": round(1000 / FPS), "loop": 0}
        first.save(temporary, save_all=True, quality=60, method=6, **options)
    with atomic_write(folder / "video.png") as temporary:
        Image.fromarray(films[FRAMES // 2]).quantize(128).save(temporary, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
