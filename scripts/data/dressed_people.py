"""Measure dressed people: skin that shows through cloth, milliseconds a picture, contact sheets.

    python scripts/data/dressed_people.py --people 500 --sheets sheets

prints the share of clothing pixels in whose place covered skin shows (goal: 0.5 % at most), within
cloth and with that at hems, and what clothes add to the time of a picture (goal: 3 ms
at 128 pixels). `--sheets` also writes contact sheets of 64 people.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from hmr_edu.body import load_body
from hmr_edu.body.wardrobe import load_wardrobe
from hmr_edu.data.synthetic.dressed.dress_options import DressConfig
from hmr_edu.data.synthetic.dressed.dresser import Dresser
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.training.setup import pose_source
from hmr_edu.viz.pictures import contact_sheet, save_picture

COVERED = 100  # the part of skin that an outfit covers
CLOTHES = ("top", "bottom", "whole", "shoes", "socks", "coat")
POSES = ("upright", "prior", "unusual")


class MarkingDresser(Dresser):
    """Marks the skin that outfits cover by a part of its own."""

    def _put_on_skin(self, person, outfit, c, camera):
        n = super()._put_on_skin(person, outfit, c, camera)
        covered = self._covered(outfit)[self.rack.skin_source]
        c.parts[len(self.rack.template) :] = np.where(covered, COVERED, self.rack.skin_parts)
        return n


def dress(args: argparse.Namespace) -> DressConfig:
    """Return what people wear beyond the shipped garments."""
    return DressConfig(args.skirts, args.glasses, args.beards, args.bags, args.coats)


def people(dressed: float, args: argparse.Namespace, **changes) -> SyntheticPeople:
    """Return a stream of people in a studio or in scenes."""
    level = changes.pop("level", "full")
    places = replace(APPEARANCES[level].places, floor=args.floor)
    appearance = replace(APPEARANCES[level], dressed=dressed, dress=dress(args), places=places)
    poses = pose_source(*changes.pop("poses", POSES))
    config = SyntheticConfig(appearance=appearance, **changes)
    return SyntheticPeople(load_body(args.body), poses, config, args.seed, args.wardrobe)


def skin_through_cloth(args: argparse.Namespace) -> tuple[int, int, int]:
    """Count pixels of covered skin within cloth, of all covered skin that shows, and of clothes.

    Covered skin that touches bare skin is at a hem; the rest shows through cloth.
    """
    stream = people(1.0, args, image_size=224, batch_size=50, betas=args.betas, level="plain")
    dresser = stream.dresser
    assert dresser is not None
    stream.dresser = MarkingDresser(
        load_body(args.body), args.wardrobe, 1.0, stream.renderer, dress(args)
    )
    pieces, textures = dresser.rack.pieces, stream.dresser.textures
    kinds = torch.tensor([k < len(pieces) and pieces[k].kind in CLOTHES for k in range(textures)])
    skins = torch.tensor([k >= len(pieces) for k in range(textures)])
    cloth = hems = holes = 0
    for index in range(-(-args.people // 50)):
        pixels = stream.prepare(index).pixels
        # Smaller copies of textures follow the whole ones.
        texture = pixels.surface[2].round().long() % textures
        covered = pixels.part == COVERED + 1
        cloth += int(kinds[texture].sum()) + int(covered.sum())
        hems += int(covered.sum())
        skin, bare = (
            pixels.plane(m.byte()).numpy() for m in (skins[texture], skins[texture] & ~covered)
        )
        for whole, open_air in zip(skin, bare, strict=True):
            islands, n = ndimage.label(whole)
            air = np.bincount(islands.ravel(), open_air.ravel(), n + 1)
            size = np.bincount(islands.ravel(), whole.ravel(), n + 1)
            holes += int(size[air == 0].sum())
    return holes, hems, cloth


def milliseconds(action: Callable[[int], object], pictures: int, repeats: int) -> float:
    """Return the least processor time a picture, of several batches."""
    times = []
    for index in range(repeats + 1):
        began = time.process_time()
        action(index)
        times.append(time.process_time() - began)
    return 1000 * min(times[1:]) / pictures


def print_times(args: argparse.Namespace) -> None:
    """Print milliseconds a picture, painted and dressed, before and after the device."""
    for size in (128, 224):
        for dressed in (0.0, 1.0):
            stream = people(dressed, args, image_size=size, batch_size=32)
            scene = stream.prepare(0)
            before = milliseconds(stream.prepare, 32, args.repeats)
            after = milliseconds(lambda _, s=stream, b=scene: s.finish(b), 32, args.repeats)
            name = "dressed" if dressed else "painted"
            print(f"{size} px, {name}: prepare {before:.2f} ms, finish {after:.2f} ms a picture")


def write_sheets(args: argparse.Namespace) -> None:
    """Write contact sheets of 64 people: each pose source alone, wide shapes, scenes."""
    args.sheets.mkdir(parents=True, exist_ok=True)
    kinds = {name: {"poses": (name,), "level": "clear"} for name in POSES}
    kinds |= {f"{name}_betas2": {**kinds[name], "betas": 2.0} for name in POSES[:2]}
    kinds["full"] = {"level": "full"}
    for name, changes in kinds.items():
        stream = people(1.0, args, image_size=224, batch_size=64, **changes)
        images = stream[0].images.permute(0, 2, 3, 1).numpy()
        save_picture(args.sheets / f"{name}_{args.seed}.png", contact_sheet(list(images), 8))


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=500, help="people whose skin is looked for")
    parser.add_argument("--body", default="lite", help="lite or full")
    parser.add_argument("--betas", type=float, default=1.0, help="spread of the shapes")
    parser.add_argument("--repeats", type=int, default=6, help="batches whose time is taken")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path, help="folder of contact sheets")
    parser.add_argument("--skirts", action="store_true", help="skirts that give way to legs")
    for name in ("glasses", "beards", "bags", "coats", "floor"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="share of people")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.wardrobe = load_wardrobe()
    print(f"{platform.processor() or platform.machine()}, one thread, body {args.body}")
    if args.people:
        holes, hems, cloth = skin_through_cloth(args)
        print(f"skin within cloth: {100 * holes / cloth:.3f} % of {cloth} pixels of clothes")
        print(f"covered skin that shows, hems included: {100 * hems / cloth:.2f} %")
    if args.repeats:
        print_times(args)
    if args.sheets is not None:
        write_sheets(args)


if __name__ == "__main__":
    main()
