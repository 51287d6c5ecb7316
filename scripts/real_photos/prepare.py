#!/usr/bin/env python3
"""Prepare real people in photographs for `hmr-edu evaluate-photos`, and for experiments.

    python scripts/real_photos/prepare.py people --coco COCO --lspet LSPET
    hmr-edu evaluate-photos people/people.json --refine

COCO is a folder of pictures and one `person_keypoints*.json`, LSPET one of `joints.mat` and
`images`, each a whole data set or a part of it. They are not part of this repository. The
astronaut and the cameraman, which are, always come along; `marks.json`, beside this file, is ours,
marked by eye. Pictures are copied; people with fewer than six keypoints are left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from hmr_edu.crop import PADDING
from hmr_edu.data.photos.annotations import AnnotatedPerson, read_annotations
from hmr_edu.data.photos.data_sets import open_data_set
from hmr_edu.data.photos.pictures import EXAMPLES
from hmr_edu.keypoints import COCOPLUS

LEAST = 6


def main() -> None:
    """Read the command line and the annotations, copy the pictures, write `people.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--coco", type=Path, help="folder of COCO's pictures and annotations")
    parser.add_argument("--lspet", type=Path, help="folder of LSP Extended")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict]] = {}
    for person in everybody(args.coco, args.lspet):
        if person.visible.sum() < LEAST:
            continue
        name = person.path.name
        if name not in rows:
            shutil.copyfile(person.path, args.out / name)
        rows.setdefault(name, []).append(row(person))
    path = args.out / "people.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{path}: {sum(map(len, rows.values()))} people in {len(rows)} pictures")


def everybody(coco: Path | None, lspet: Path | None) -> Iterator[AnnotatedPerson]:
    """Yield the people of the data sets that are given, then our own two."""
    if lspet is not None:
        yield from present(open_data_set("lspet", lspet, "train"))
    for path in sorted(coco.glob("person_keypoints*.json")) if coco is not None else ():
        yield from read_annotations(path)
    yield from read_annotations(Path(__file__).with_name("marks.json"), EXAMPLES)


def present(people: Iterable[AnnotatedPerson]) -> Iterator[AnnotatedPerson]:
    """Yield those whose pictures are on the disk: a part of a data set may be all that one has."""
    return (person for person in people if person.path.is_file())


def row(person: AnnotatedPerson) -> dict:
    """Return a person as `read_annotations` reads it: the box without padding, keypoints by name.

    The box is square: the side of the crop without its padding.
    """
    centre, half = (person.crop.x, person.crop.y), person.crop.size / PADDING / 2
    points = zip(COCOPLUS, person.keypoints2d.tolist(), person.visible.tolist(), strict=True)
    return {
        "box": [c - half for c in centre] + [c + half for c in centre],
        "keypoints": {name: xy for name, xy, seen in points if seen},
    }


if __name__ == "__main__":
    main()
