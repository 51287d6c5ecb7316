"""The laboratory of photographs: the paper's own experiment, on a small set in COCO's layout.

The set holds 2,000 pictures of synthetic people with COCO's 17 keypoints, and no other label. Each
is read from its file, cropped and augmented like a photograph of COCO.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from hmr_edu.body import load_body
from hmr_edu.data.photos.write_sets import write_set
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.experiments.claims.photographs import FOLDER
from hmr_edu.experiments.image_lab import picture_config
from hmr_edu.training.config import TrainConfig

PICTURES, PIXELS, SEED = 2000, 96, 20180619
# The folder must live as long as the process.
_folders: list[tempfile.TemporaryDirectory[str]] = []


def photo_config() -> TrainConfig:
    """Return the options of the laboratory of pictures, with photographs to train on."""
    config = picture_config()
    config.sources = (f"coco={FOLDER}",)
    config.augmentation = "hmr"
    return config


@lru_cache(maxsize=2)
def small_coco(pictures: int) -> Path:
    """Write the set once in a process, and return its folder."""
    folder = tempfile.TemporaryDirectory(prefix="hmr_edu-")
    _folders.append(folder)
    data = SyntheticConfig(
        image_size=PIXELS, batch_size=50, fill=(0.6, 0.8), appearance=APPEARANCES["plain"]
    )
    people = SyntheticPeople(load_body("lite"), load_pose_prior(), data, SEED)
    return write_set("coco", Path(folder.name) / "coco", people, pictures)


def with_folder(config: TrainConfig) -> TrainConfig:
    """Put the folder of the set into the options; others stay as they are."""
    if any(FOLDER in source for source in config.sources):
        folder = str(small_coco(PICTURES))
        config.sources = tuple(source.replace(FOLDER, folder) for source in config.sources)
    return config
