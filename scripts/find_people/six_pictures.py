#!/usr/bin/env python3
"""Find people in six pictures, and draw them: one, half a person, three, nobody, sideways, huge.

    python scripts/find_people/six_pictures.py out --one skier.jpg --three players.jpg

Without photographs, one person is a synthetic one, and three people are a composition.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from pasted import paste_people
from PIL import Image, ImageDraw

from hmr_edu.data.photos.pictures import EXAMPLES, read_photo
from hmr_edu.data.synthetic.scenes import paint_scenes
from hmr_edu.fitting.people_search import FoundPerson, find_people
from hmr_edu.hmr import load_pretrained
from hmr_edu.keypoints import COCOPLUS_EDGES

Photo = UInt8[np.ndarray, "height width 3"]
HUGE = (12_000, 9_000)
SHOWN = 700  # pixels of a drawing's longer side
COLOURS = ("lime", "red", "cyan", "yellow", "magenta")
SURE = 0.5


def main() -> None:
    """Read the command line; write a drawing for each picture, and a line about it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the drawings")
    parser.add_argument("--one", type=Path, help="a photograph of one person")
    parser.add_argument("--three", type=Path, help="a photograph of three people")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_pretrained("resnet18")
    for name, photo in pictures(args.one, args.three).items():
        start = time.process_time()
        people = find_people(model, photo)
        seconds = time.process_time() - start
        height, width = photo.shape[:2]
        print(f"{name}: {width} x {height}, {seconds:.1f} s, {len(people)} found")
        for person in people:
            box = " ".join(f"{edge:.0f}" for edge in person.box)
            still = "still" if person.still else "moving"
            seen = int((person.confidence > SURE).sum())
            print(f"  score {person.score:.2f}, box {box}, {still}, {seen} keypoints")
        drawing(photo, people).save(args.out / f"{name}.png")


def pictures(one: Path | None, three: Path | None) -> dict[str, Photo]:
    """Return the six pictures by name."""
    synthetic = [person.photo for person in paste_people(2, 512, seed=1)]
    single = read_photo(one) if one else synthetic[0]
    astronaut, cameraman = (read_photo(EXAMPLES / f"{n}.jpg") for n in ("astronaut", "cameraman"))
    together = np.concatenate((synthetic[1], astronaut, cameraman), 1)
    return {
        "one person": single,
        "half a person": astronaut,
        "three people": read_photo(three) if three else together,
        "nobody": paint_scenes(1, 512, seed=4)[0].transpose(1, 2, 0).copy(),
        "sideways": np.rot90(single).copy(),
        "huge": np.array(Image.fromarray(single).resize(HUGE)),
    }


def drawing(photo: Photo, people: list[FoundPerson]) -> Image.Image:
    """Draw boxes and the keypoints that the network is sure of."""
    picture = Image.fromarray(photo)
    zoom = SHOWN / max(picture.size)
    picture = picture.resize([max(1, round(zoom * length)) for length in picture.size])
    draw = ImageDraw.Draw(picture)
    for number, person in enumerate(people):
        colour = COLOURS[number % len(COLOURS)]
        draw.rectangle([zoom * edge for edge in person.box], outline=colour, width=2)
        points = (person.keypoints2d + 0.5) * zoom
        for a, b in COCOPLUS_EDGES:
            if min(person.confidence[a], person.confidence[b]) > SURE:
                draw.line([*points[a].tolist(), *points[b].tolist()], fill=colour, width=2)
        draw.text((zoom * person.box[0] + 3, zoom * person.box[1] + 3), f"{person.score:.2f}")
    return picture


if __name__ == "__main__":
    main()
