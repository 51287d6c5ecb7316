#!/usr/bin/env python3
"""Measure how the cost of the package's parts grows with their work.

    python scripts/speed/growth.py --out growth.json

Each part does one, four, sixteen, ... times the same work. Work counts what the user has more of:
bodies, pictures, vertices, pixels, people. The slope is that of time over work, both in
logarithms: 1 is linear, 2 quadratic, and less than 1 has a part that does not grow. The last slope,
between the two largest works, says where it leads. One thread; its own CPU time counts, so other
programs disturb little.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from hmr_edu import load_pretrained, metrics
from hmr_edu.body import BodyData, read_body
from hmr_edu.body.fast import FastSMPL
from hmr_edu.camera import CropBox
from hmr_edu.cli.bench_layer import in_turn
from hmr_edu.crop import crop_image
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.pictures import EXAMPLES, read_photo
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.renderer import Renderer
from hmr_edu.fitting.people_search import find_people
from hmr_edu.fitting.refining import Refined
from hmr_edu.io.provenance import environment
from hmr_edu.io.tables import text_table
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import PRESETS

# What is timed: a name, the unit of the work, and a call for each amount of it.
Part = tuple[str, str, dict[int, Callable[[], object]]]


@dataclass
class Growth:
    """Milliseconds of a part for each amount of work."""

    part: str
    unit: str
    milliseconds: dict[int, float]

    def slope(self, first: int, last: int) -> float:
        """Return the slope between two of the works, which count from 0."""
        (a, time_a), (b, time_b) = (list(self.milliseconds.items())[k] for k in (first, last))
        return math.log(time_b / time_a) / math.log(b / a)


def main() -> None:
    """Read the command line, time all parts, print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="spent on each part")
    parser.add_argument("--out", type=Path, help="also write the numbers here, as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, unit, calls in tqdm(list(parts(Path(folder))), unit="part"):
            times = in_turn({str(work): call for work, call in calls.items()}, args.seconds)
            milliseconds = {work: 1e3 * median(times[str(work)]) for work in calls}
            found.append(Growth(name, unit, milliseconds))
    print(table(found))
    if args.out:
        record = {"environment": environment(), "parts": [dataclasses.asdict(g) for g in found]}
        args.out.write_text(json.dumps(record, indent=1) + "\n")


def table(found: list[Growth]) -> str:
    """Format the measurements: the smallest and the largest work, their times, both slopes."""
    rows = [["", "work", "from", "to", "ms", "ms", "slope", "last slope"]]
    for growth in found:
        works, times = list(growth.milliseconds), list(growth.milliseconds.values())
        slopes = f"{growth.slope(0, -1):.2f}", f"{growth.slope(-2, -1):.2f}"
        ends = f"{works[0]:,}", f"{works[-1]:,}", f"{times[0]:.2f}", f"{times[-1]:.2f}"
        rows.append([growth.part, growth.unit, *ends, *slopes])
    return text_table(rows)


def parts(folder: Path) -> Iterator[Part]:
    """Yield what is timed."""
    yield from of_bodies()
    yield from of_pictures()
    yield from of_pixels()
    yield from of_people(folder)


def of_bodies() -> Iterator[Part]:
    """Yield layers, by bodies and by vertices; Procrustes, by bodies."""

    def layer(body: BodyData, n: int) -> Callable[[], object]:
        fast, g = FastSMPL(body), torch.Generator().manual_seed(0)
        betas = torch.randn(n, 10, generator=g).requires_grad_()
        pose = load_pose_prior().sample(n, g)
        return lambda: fast(betas, pose).vertices.sum().backward()

    full = read_body("full")
    bodies = {n: layer(full, n) for n in (4, 16, 64, 256)}
    yield "fast layer, forward + backward", "bodies", bodies
    vertices = {
        times * len(full.v_template): layer(repeated(full, times), 8) for times in (1, 4, 16)
    }
    yield "fast layer, 8 bodies", "vertices", vertices
    points = {n: torch.randn(2, n, 14, 3) for n in (16, 64, 256, 1024, 4096)}
    yield "PA-MPJPE", "bodies", {n: lambda p=p: metrics.pa_mpjpe(*p) for n, p in points.items()}


def repeated(body: BodyData, times: int) -> BodyData:
    """Return a body that has every vertex several times, without faces; a layer needs none."""
    arrays = {
        name: np.repeat(getattr(body, name), times, axis=axis)
        for name, axis in (("v_template", 0), ("shapedirs", 0), ("posedirs", 0), ("weights", 0))
    }
    arrays |= {
        name: np.repeat(getattr(body, name), times, axis=1) / np.float32(times)
        for name in ("J_regressor", "keypoint_regressor")
    }
    return dataclasses.replace(body, faces=np.zeros((0, 3), np.int32), **arrays)


def of_pictures() -> Iterator[Part]:
    """Yield the network, the refining fit and a training step, by pictures."""
    model = load_pretrained()
    size = model.image_size
    pictures = {n: torch.rand(n, 3, size, size) for n in (1, 4, 16, 64)}

    @torch.no_grad()
    def predict(images: torch.Tensor) -> object:
        return model(images)

    yield "network", "pictures", {n: lambda p=p: predict(p) for n, p in pictures.items()}
    refined = Refined(model)
    few = {n: pictures[n] for n in (1, 4, 16)}
    yield "refining fit", "pictures", {n: lambda p=p: refined(p) for n, p in few.items()}
    yield "training step of `cpu`", "pictures", {n: training_step(n) for n in (16, 64, 256)}


def training_step(batch: int) -> Callable[[], object]:
    """Return a call that draws a batch and trains on it."""
    config = PRESETS["cpu"]()
    with tempfile.TemporaryDirectory() as folder:
        data = dataclasses.replace(config.data, batch_size=batch)
        options = {"out": Path(folder), "device": "cpu", "threads": 1, "data": data}
        trainer = Trainer(dataclasses.replace(config, **options))
    source = trainer.source
    return lambda: trainer.train_step(source.finish(source.prepare(0), "cpu"))


def of_pixels() -> Iterator[Part]:
    """Yield the renderer, the crop and the search for people, by pixels."""
    body = read_body("full")
    render = Renderer(body.faces, body.v_template, body.weights.argmax(1).astype(np.uint8))
    camera = np.array([[0.9, 0, 0]], np.float32)
    sides = (64, 128, 256, 512, 1024)
    yield (
        "renderer",
        "pixels",
        {s**2: lambda s=s: render(body.v_template[None], s, camera=camera) for s in sides},
    )
    photo = read_photo(EXAMPLES / "cameraman.jpg")
    photos = {k: np.tile(photo, (k, k, 1)) for k in (1, 2, 4, 8)}
    crops = {
        p.shape[0] * p.shape[1]: lambda p=p: crop_image(
            p, CropBox(p.shape[1] / 2, p.shape[0] / 2, p.shape[0]), 128
        )
        for p in photos.values()
    }
    yield "crop of a whole picture", "pixels", crops
    model = load_pretrained()
    yield (
        "finding people",
        "pixels",
        {
            p.shape[0] * p.shape[1]: lambda p=p: find_people(model, p, most=1)
            for p in (photo.repeat(k, 0).repeat(k, 1) for k in (1, 2, 4))
        },
    )


def of_people(folder: Path) -> Iterator[Part]:
    """Yield the reading of annotations, by people; draws of poses, by their number."""
    files = {}
    (folder / "someone.jpg").write_bytes((EXAMPLES / "cameraman.jpg").read_bytes())
    for n in (10, 100, 1_000, 10_000):
        keypoints = {name: [10.0 + k, 20.0 + k] for k, name in enumerate(COCOPLUS)}
        person = {"box": [0, 0, 100, 200], "keypoints": keypoints}
        files[n] = folder / f"{n}.json"
        files[n].write_text(json.dumps({"someone.jpg": [person] * n}))
    yield "annotations", "people", {n: lambda p=p: read_annotations(p) for n, p in files.items()}
    prior, generator = load_pose_prior(), torch.Generator()
    yield (
        "draws of the prior",
        "poses",
        {n: lambda n=n: prior.sample(n, generator) for n in (64, 1024, 16384)},
    )


if __name__ == "__main__":
    main()
