#!/usr/bin/env python3
"""Measure the refining fit on whole people and on people who are cut off.

    python scripts/refine/measure.py --images 150
    python scripts/refine/measure.py --views views/keypoints.json views/cameras.json
    python scripts/refine/measure.py --photos lspet=PATH

Synthetic people are those of `hmr-edu evaluate`. Of real people in calibrated views
(`hmr-edu evaluate-views`) the cut-off ones are further crops: above the knees, above the hips, head
and shoulders. `torso` is the median of the predicted over the true distance from the neck to the
middle of the hips, in 3D and in the picture. PCK is that of `evaluate`, and counts keypoints inside
the crop, or all. `worse` are people whose PA-MPJPE is more than a millimetre above that of the
direct answer. Photographs of a data set are upright, turned by half a turn, and cut off; their PCK
is that of `evaluate-photos`. `--constants` also fits the constants of `outside_probability`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING
from hmr_edu.data import APPEARANCES, SyntheticConfig, read_annotations, read_cameras
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.calibration import group_by_moment
from hmr_edu.data.photos.data_sets import open_data_set
from hmr_edu.data.photos.recognise import named_path
from hmr_edu.data.synthetic.views import CUTS
from hmr_edu.evaluation import sets_for
from hmr_edu.evaluation.photos import BOX, NEAR, crops
from hmr_edu.evaluation.scores import NEAR_2D
from hmr_edu.evaluation.views import triangulate_recording
from hmr_edu.fitting.flip_test import run_flip_test
from hmr_edu.fitting.refining import Refined, map_shares
from hmr_edu.fitting.smplify import fit, heatmap_evidence
from hmr_edu.hmr import HMR, Prediction, load_pretrained
from hmr_edu.io.tables import text_table
from hmr_edu.keypoints import COCOPLUS

NECK, HIPS = COCOPLUS.index("neck"), [COCOPLUS.index(f"{side}_hip") for side in ("right", "left")]
BATCH = 50
LEAST = 6  # keypoints of a person in a photograph who counts
# Pictures, keypoints in the crop [B, N, 2], joints in metres [B, 14, 3], and which are known.
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
Answer = Callable[[Tensor], Prediction]


def main() -> None:
    """Read the command line, print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=150, help="in each synthetic set")
    parser.add_argument("--sets", nargs="*", default=["test-prior", "test-mocap"])
    parser.add_argument("--views", nargs=2, type=Path, help="keypoints.json cameras.json")
    parser.add_argument("--photos", help="a data set of photographs, NAME=PATH")
    parser.add_argument("--weights", default="resnet18")
    parser.add_argument("--constants", action="store_true")
    args = parser.parse_args()
    model = load_pretrained(args.weights)
    if args.photos:
        people = open_data_set(*named_path(args.photos)).usable(LEAST).on_disk()
        for name, batch in photographs(model, people).items():
            print(f"\n{name}\n{photo_table(answers(model), *batch)}", flush=True)
        return
    sets: dict[str, Callable[[], Iterator[Batch]]] = {}
    if args.views:
        for framed in ("whole", "cut off"):
            sets[f"views, {framed}"] = lambda f=framed: real(model, *args.views, f == "cut off")
    else:
        for name in args.sets:
            for framed, cut in (("whole", 0.0), ("cut off", 1.0)):
                sets[f"{name}, {framed}"] = lambda n=name, c=cut: synthetic(
                    model, n, args.images, c
                )
    for name, batches in sets.items():
        print(f"\n{name}\n{table(answers(model), list(batches()))}", flush=True)
    if args.constants:
        print(constants(model, [batch for batches in sets.values() for batch in batches()]))


def synthetic(model: HMR, name: str, images: int, cut: float) -> Iterator[Batch]:
    """Yield the people of a held-out set."""
    config = SyntheticConfig(image_size=model.image_size, appearance=APPEARANCES["full"], cut=cut)
    for batch in sets_for(model.options["encoder"], (name,), model.body, config, images)[0]:
        joints = batch.keypoints3d[:, :14]
        yield batch.inputs[0], batch.keypoints2d, joints, torch.ones(joints.shape[:2]).bool()


def real(model: HMR, keypoints: Path, cameras: Path, cut: bool) -> Iterator[Batch]:
    """Yield people of a calibrated recording, whole or in further crops."""
    calibrated = read_cameras(cameras)
    people = group_by_moment(read_annotations(keypoints), calibrated)
    measured, _ = triangulate_recording(people, calibrated)
    chosen = []
    for each in measured:
        shown = cut_off(each.person) if cut else [each.person]
        chosen += [(person, each.joints, each.known) for person in shown]
    images = crops([person for person, _, _ in chosen], model.image_size)
    yield (
        images,
        marked([person for person, _, _ in chosen]),
        *(torch.stack([each[i] for each in chosen]) for i in (1, 2)),
    )


def cut_off(person: AnnotatedPerson) -> list[AnnotatedPerson]:
    """Return further crops of a person, around some of the keypoints."""
    further = []
    for rows, _ in CUTS:
        known = [row for row in rows if person.visible[row] > 0]
        if len(known) < 4:
            continue
        spread = person.keypoints2d[person.visible > 0]
        margin = 0.05 * float((spread.amax(0) - spread.amin(0)).max())
        low, high = (f(person.keypoints2d[known], 0) for f in (torch.amin, torch.amax))
        side = PADDING * float((high - low).max() + 2 * margin)
        x, y = ((low + high) / 2).tolist()
        further.append(person._replace(crop=CropBox(x, y, side)))
    return further


def marked(people: Sequence[AnnotatedPerson]) -> Tensor:
    """Return annotated keypoints in the crops [n, 19, 2], NaN where there is none."""
    places = torch.stack([person.crop.to_crop(person.keypoints2d) for person in people])
    visible = torch.stack([person.visible for person in people])
    return places.masked_fill(visible[..., None] == 0, torch.nan)


def photographs(model: HMR, people: Sequence[AnnotatedPerson]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the crops of people and their keypoints: upright, turned by half a turn, cut off."""
    further = [crop for person in people for crop in cut_off(person)]
    images, places = crops(people, model.image_size), marked(people)
    return {
        "upright": (images, places),
        "turned by half a turn": (images.flip(2, 3), -places),
        "cut off": (crops(further, model.image_size), marked(further)),
    }


def answers(model: HMR) -> dict[str, Answer]:
    """Return the network, its flip test, the fit to its maps alone, and the refining fit."""

    def plain_fit(images: Tensor) -> Prediction:
        seen = run_flip_test(model, images, vertices=False)
        evidence = heatmap_evidence(seen.heatmaps)
        return model.detail(fit(model.body, seen.theta, evidence, depths=seen.depths).theta)

    refined = Refined(model)
    return {
        "direct": lambda images: model(images, vertices=False)[-1],
        "flip test": lambda images: model.detail(run_flip_test(model, images, False).theta),
        "all maps fitted": plain_fit,
        "refined": lambda images: refined(images, vertices=False)[-1],
    }


@torch.no_grad()
def table(rows: dict[str, Answer], batches: list[Batch]) -> str:
    """Score each kind of answer; return a text table."""
    lines = [
        ["", "MPJPE", "PA-MPJPE", "worse", "PCK inside", "PCK all", "torso 3D", "torso 2D", "CPU"],
        ["", "mm", "mm", "%", "%", "%", "", "", "s/person"],
    ]
    direct: Tensor | None = None
    for name, answer in rows.items():
        scores, seconds = [], 0.0
        for images, *truth in batches:
            for part in zip(*(t.split(BATCH) for t in (images, *truth)), strict=True):
                start = time.process_time()
                found = answer(part[0])
                seconds += time.process_time() - start
                scores.append(score(found, *part[1:]))
        columns = [torch.cat(column) for column in zip(*scores, strict=True)]
        direct = columns[1] if direct is None else direct
        columns.insert(2, 100 * (columns[1] > direct + 1).float())
        means = [float(column.nanmean()) for column in columns[:5]]
        torsos = [float(column.nanmedian()) for column in columns[5:]]
        cells = [*(f"{x:.1f}" for x in means), *(f"{x:.2f}" for x in torsos)]
        lines.append([name, *cells, f"{seconds / len(columns[0]):.3f}"])
    return f"{len(columns[0])} people\n{text_table(lines)}"


def score(found: Prediction, places: Tensor, joints: Tensor, known: Tensor) -> list[Tensor]:
    """Return the errors of each person, in millimetres and percent, and the ratios of the torso."""
    errors = []
    for ours, theirs, rows in zip(found.keypoints3d[:, :14], joints, known, strict=True):
        ours, theirs = (p - p[list(metrics.HIPS)].mean(0) for p in (ours, theirs))
        mpjpe = (ours - theirs)[rows].norm(dim=-1).mean()
        errors.append(
            torch.stack((mpjpe, metrics.pa_mpjpe(ours[None, rows], theirs[None, rows])[0]))
        )
    pck = right(found, places, NEAR_2D)
    torsos = [
        _torso(ours) / _torso(theirs)
        for ours, theirs in ((found.keypoints3d, joints), (found.keypoints2d, places))
    ]
    return [*(1000 * torch.stack(errors)).unbind(1), *pck, *torsos]


def right(found: Prediction, places: Tensor, near: float) -> list[Tensor]:
    """Return the share of each person's keypoints that are found: inside the crop, and all; %."""
    close = ((found.keypoints2d - places).norm(dim=-1) < near).float()
    known = places.isfinite().all(-1)
    counted = (known & (places.abs() <= 1).all(-1), known)
    return [100 * (close * rows).sum(1) / rows.sum(1) for rows in counted]


@torch.no_grad()
def photo_table(rows: dict[str, Answer], images: Tensor, places: Tensor) -> str:
    """Score each kind of answer on photographs; return a text table."""
    lines = [["", f"PCK@{NEAR} inside", "PCK all"], ["", "%", "%"]]
    for name, answer in rows.items():
        parts = [
            right(answer(part), marks, NEAR * BOX)
            for part, marks in zip(images.split(BATCH), places.split(BATCH), strict=True)
        ]
        columns = (torch.cat(column) for column in zip(*parts, strict=True))
        lines.append([name, *(f"{float(column.nanmean()):.1f}" for column in columns)])
    return f"{len(images)} people\n{text_table(lines)}"


def _torso(points: Tensor) -> Tensor:
    return (points[:, NECK] - points[:, HIPS].mean(1)).norm(dim=-1)


@torch.no_grad()
def constants(model: HMR, batches: list[Batch]) -> str:
    """Fit sigmoid(a + b border + c peak) to what is outside the crop, by maximum likelihood."""
    shares, outside = [], []
    for images, places, *_ in batches:
        for part, marks in zip(images.split(BATCH), places.split(BATCH), strict=True):
            maps = run_flip_test(model, part, vertices=False).heatmaps
            known = marks.isfinite().all(-1)
            shares.append(torch.stack(map_shares(maps), -1)[known])
            outside.append((marks.abs() > 1).any(-1)[known])
    x = np.c_[np.ones(sum(map(len, shares))), torch.cat(shares).numpy()]
    y = torch.cat(outside).numpy()

    def loss(weights: np.ndarray) -> float:
        z = x @ weights
        return float((np.logaddexp(0, z) - y * z).mean())

    found = minimize(loss, np.zeros(3)).x
    ours = np.array([0.0, 9.0, -9.0])
    return (
        f"\noutside: sigmoid({found[0]:.1f} {found[1]:+.1f} border {found[2]:+.1f} peak), loss "
        f"{loss(found):.3f}; sigmoid(9 border - 9 peak): {loss(ours):.3f}; "
        f"{len(y)} keypoints, {y.mean():.0%} outside"
    )


if __name__ == "__main__":
    main()
