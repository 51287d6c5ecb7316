"""Compare crops of synthetic people with crops of photographs.

    python scripts/data/crop_statistics.py lspet=PATH coco=PATH

prints a table: what lies beyond the border of the picture, how large people are in their crops, and
how many of their joints are missing. Data sets are named as for `hmr-edu data check`; of each,
people with six keypoints count whose picture is on the disk. Synthetic people are those of presets
of `hmr-edu train`. A joint is missing when it is not annotated, beyond the border of the picture,
or outside the crop.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.data import APPEARANCES, SyntheticPeople
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.data_sets import open_data_set
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.data.photos.recognise import named_path
from hmr_edu.data.synthetic.picture_border import NO_BORDER, coverage, inside
from hmr_edu.io.tables import markdown_table
from hmr_edu.keypoints import LSP
from hmr_edu.training.presets import PRESETS
from hmr_edu.training.setup import pose_source

SIZE = 64  # pixels along each side of a crop
LEAST = 6  # keypoints of a person who counts
MANY = 3  # missing joints
ROWS = (
    "people",
    "crop beyond the border of the picture",
    "crops with more than 2 % of that",
    "crops with more than 20 % of that",
    "longer extent of the keypoints, in crops",
    "joints of LSP that are missing",
    f"people without {MANY} or more of them",
)


class Crops(NamedTuple):
    """Crops of n people; all places in crop coordinates.

    Args:
        window: [n, 4] the borders of the picture: left, top, right, bottom.
        keypoints2d: [n, 19, 2] COCO+ order.
        known: [n, 19] whether a keypoint is annotated.
    """

    window: Tensor
    keypoints2d: Tensor
    known: Tensor


def main() -> None:
    """Read the options, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", help="data sets of photographs, NAME=PATH")
    parser.add_argument("--presets", nargs="*", default=["cpu-long", "people"])
    parser.add_argument("--people", type=int, default=768, help="synthetic people of each preset")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    columns = {}
    for words in args.data:
        name, path = named_path(words)
        people = open_data_set(name, path).usable(LEAST).on_disk()
        columns[name] = statistics(photographed(people))
    for name in args.presets:
        columns[f"`{name}`"] = statistics(synthetic(name, args.people, args.seed))
    print(markdown_table(["", *columns], zip(ROWS, *columns.values(), strict=True)))


def photographed(people: Sequence[AnnotatedPerson]) -> Crops:
    """Return the crops of annotated people."""
    windows = []
    for person in people:
        height, width = read_photo(person.path).shape[:2]
        corners = torch.tensor([[-0.5, -0.5], [width - 0.5, height - 0.5]])
        windows.append(person.crop.to_crop(corners).flatten())
    places = [person.crop.to_crop(person.keypoints2d) for person in people]
    known = torch.stack([person.visible for person in people]) > 0
    return Crops(torch.stack(windows), torch.stack(places), known)


def synthetic(preset: str, people: int, seed: int) -> Crops:
    """Return the crops of a preset's people; what they wear changes nothing here."""
    config = PRESETS[preset]()
    batch = min(64, people)
    data = replace(config.data, image_size=SIZE, batch_size=batch, appearance=APPEARANCES["plain"])
    stream = SyntheticPeople(load_body("lite"), pose_source(*config.poses), data, seed)
    scenes = [stream.prepare(index) for index in range(-(-people // batch))]
    endless = torch.tensor([NO_BORDER]).expand(batch, 4)
    windows = torch.cat([endless if s.window is None else s.window for s in scenes])[:people]
    places = torch.cat([scene.keypoints2d for scene in scenes])[:people]
    return Crops(windows, places, torch.ones(places.shape[:2], dtype=torch.bool))


def statistics(crops: Crops) -> list[str]:
    """Return a cell for each of `ROWS`."""
    beyond = 1 - coverage(crops.window.float(), SIZE).mean((1, 2))
    shown = crops.known & inside(crops.keypoints2d, crops.window)
    shown &= (crops.keypoints2d.abs() <= 1).all(-1)
    low = crops.keypoints2d.masked_fill(~shown[..., None], torch.inf).amin(1)
    high = crops.keypoints2d.masked_fill(~shown[..., None], -torch.inf).amax(1)
    extent = (high - low).amax(1)[shown.any(1)] / 2
    missing = ~shown[:, : len(LSP)]
    shares = [
        beyond.mean(),
        (beyond > 0.02).float().mean(),
        (beyond > 0.2).float().mean(),
        missing.float().mean(),
        (missing.sum(1) >= MANY).float().mean(),
    ]
    percent = [f"{100 * float(share):.1f} %" for share in shares]
    return [f"{len(shown):,}", *percent[:3], f"{float(extent.mean()):.2f}", *percent[3:]]


if __name__ == "__main__":
    main()
