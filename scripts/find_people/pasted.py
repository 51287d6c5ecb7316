"""Synthetic people pasted into large painted pictures, at places that are known exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.options import AppearanceConfig
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.scenes import paint_scenes

# The largest and the smallest share of the picture's height that a person takes.
TALL = (0.3, 0.9)


class Pasted(NamedTuple):
    """A picture with one person: the box (edges of its pixels) and the keypoints (pixels)."""

    photo: UInt8[np.ndarray, "side side 3"]
    box: tuple[float, float, float, float]
    keypoints2d: Float[np.ndarray, "19 2"]


def paste_people(count: int, side: int, seed: int, size: int = 256) -> list[Pasted]:
    """Return `count` square pictures with one synthetic person in each.

    Args:
        count: number of pictures.
        side: pixels along each side.
        seed: random seed of scenes, people and places.
        size: pixels along each side of the crop in which a person is drawn.
    """
    appearance = AppearanceConfig(scenes=4, passer_by=0.0, bystander=0.0, occluder=0.0)
    config = SyntheticConfig(image_size=size, batch_size=count, appearance=appearance)
    batch = SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed)[0]
    scenes = paint_scenes(count, side, seed)
    rng = np.random.default_rng(seed)
    pasted = []
    for row in range(count):
        person = (batch.images[row].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        mask = (batch.parts[row] > 0).numpy()
        rows, columns = (mask.any(axis).nonzero()[0] for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        zoom = side * rng.uniform(*TALL) / (bottom - top)
        zoom = min(zoom, 0.95 * side / (right - left))
        width, height = (max(1, round(zoom * n)) for n in (right - left, bottom - top))
        box = (left, top, right, bottom)
        look = Image.fromarray(person).resize((width, height), Image.Resampling.BILINEAR, box=box)
        cover = Image.fromarray(mask.astype(np.uint8) * 255)
        cover = cover.resize((width, height), Image.Resampling.BILINEAR, box=box)
        x, y = (int(rng.integers(side - n + 1)) for n in (width, height))
        photo = Image.fromarray(scenes[row].transpose(1, 2, 0).copy())
        photo.paste(look, (x, y), cover)
        # Edges of the pixels: the crop's are at -1 and 1.
        edges = (batch.keypoints2d[row].numpy() + 1) * size / 2
        scale = np.array((width / (right - left), height / (bottom - top)))
        keypoints2d = (edges - (left, top)) * scale + (x, y) - 0.5
        pasted.append(Pasted(np.asarray(photo), (x, y, x + width, y + height), keypoints2d))
    return pasted
