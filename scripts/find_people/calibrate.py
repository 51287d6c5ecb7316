#!/usr/bin/env python3
"""Measure how well `hmr_edu.fitting.people_search` finds people, and the constants of its scores.

    python scripts/find_people/calibrate.py --people a/keypoints.json --nobody textures \
        --held-out-people b/keypoints.json --held-out-nobody landscapes --record found.json

`--people` are files of annotations (`hmr_edu.data.photos.annotations`), `--nobody` are folders of
pictures without people. Synthetic people pasted into painted scenes, and painted scenes with
nobody, are added to each half. The constants come from the first half; the second is held out.
`--record` keeps what was found, picture by picture: a run that was stopped continues there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pasted import paste_people
from scipy.optimize import minimize
from tqdm import tqdm

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.data.synthetic.backgrounds import clutter, find_photos
from hmr_edu.data.synthetic.scenes import paint_scenes
from hmr_edu.fitting.people_search import (
    HOPELESS,
    KEYPOINT_LEVEL,
    KEYPOINT_SPREAD,
    LEVEL,
    SPREAD,
    FoundPerson,
    find_people,
)
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.tables import text_table

# A person smaller than this share of the picture's longer side is not looked for.
SMALL = 0.25
# Overlap (IoU) of the square crops of a person, found and annotated.
FOUND = 0.5
# A keypoint is right within this share of the person's box.
NEAR = 0.2
# Side of the painted pictures.
SIDE = 640
THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
HALVES = ("calibration", "held out")


def main() -> None:
    """Read the command line, look at all pictures, fit the constants, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("people", "nobody", "held-out-people", "held-out-nobody"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    parser.add_argument("--weights", default="resnet18")
    parser.add_argument("--painted", type=int, default=24, help="painted pictures of each kind")
    parser.add_argument("--record", type=Path, help="JSON: what was found, read and continued")
    args = parser.parse_args()
    record = look(args)
    seconds = [picture["seconds"] for picture in record]
    print(f"{len(record)} pictures, {np.mean(seconds):.2f} s of one CPU each\n")
    print(constants([picture for picture in record if picture["half"] == HALVES[0]]), "\n")
    for half in HALVES:
        print(f"{half}\n{table([picture for picture in record if picture['half'] == half])}\n")


def look(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Look for people in all pictures; return what is annotated and what was found."""
    model, record = load_pretrained(args.weights), []
    if args.record and args.record.exists():
        record = json.loads(args.record.read_text())
    for half, name, photo, people in tqdm(list(pictures(args))[len(record) :], "pictures"):
        pixels = read_photo(photo) if isinstance(photo, Path) else photo
        start = time.process_time()
        found = find_people(model, pixels, threshold=0)
        seconds = time.process_time() - start
        size = max(pixels.shape[:2])
        record.append(
            {"half": half, "set": name, "size": size, "seconds": seconds, "people": people}
            | {"found": [numbers(person) for person in found]}
        )
        if args.record:
            args.record.write_text(json.dumps(record))
    return record


def pictures(args: argparse.Namespace) -> Iterator[tuple[str, str, Any, list[dict[str, Any]]]]:
    """Yield half, name of the set, picture (a path or pixels) and the people in it."""
    given = ((args.people, args.nobody), (args.held_out_people, args.held_out_nobody))
    for seed, (half, (people, nobody)) in enumerate(zip(HALVES, given, strict=True)):
        for file in people:
            in_pictures: dict[Path, list[dict[str, Any]]] = {}
            for person in read_annotations(file):
                crop = [person.crop.x, person.crop.y, person.crop.size]
                points = {"keypoints": person.keypoints2d.tolist(), "seen": person.visible.tolist()}
                in_pictures.setdefault(person.path, []).append({"crop": crop} | points)
            for path, annotated in in_pictures.items():
                yield half, f"people: {file.parent.name}", path, annotated
        for person in paste_people(args.painted, SIDE, seed):
            box = CropBox.around_box(*person.box, padding=PADDING)
            points = {"keypoints": person.keypoints2d.tolist(), "seen": [1.0] * 19}
            annotated = [{"crop": [box.x, box.y, box.size]} | points]
            yield half, "people: pasted into painted scenes", person.photo, annotated
        for folder in nobody:
            for path in find_photos(folder):
                yield half, f"nobody: {folder.name}", path, []
        scenes = paint_scenes(args.painted, SIDE, seed + 100)
        clutter(scenes, 0.5, seed)
        for scene in scenes:
            yield half, "nobody: painted scenes", scene.transpose(1, 2, 0).copy(), []


def numbers(person: FoundPerson) -> dict[str, Any]:
    """Return a found person with logits in the place of probabilities."""
    crop = CropBox.around_box(*person.box, padding=PADDING)
    probability = np.array([person.score, *person.confidence.tolist()]).clip(1e-7, 1 - 1e-7)
    logits = np.log(probability) - np.log1p(-probability)
    own = KEYPOINT_LEVEL + KEYPOINT_SPREAD * logits[1:]
    return {
        "crop": [crop.x, crop.y, crop.size],
        "evidence": LEVEL + SPREAD * logits[0],
        "logits": own.tolist(),
        "keypoints": person.keypoints2d.tolist(),
        "still": person.still,
    }


def constants(record: list[dict[str, Any]]) -> str:
    """Fit both logistic functions: person or nobody, keypoint right or wrong."""
    evidence, person, logits, right = [], [], [], []
    for picture in record:
        if not picture["people"]:
            best = picture["found"][0]["evidence"] if picture["found"] else HOPELESS
            evidence.append(best)
            person.append(0.0)
        for annotated, found, _ in matches(picture):
            if found is not None:
                evidence.append(found["evidence"])
                person.append(1.0)
                distance, seen = distances(annotated, found)
                logits += np.array(found["logits"])[seen].tolist()
                right += (distance[seen] < NEAR).astype(float).tolist()
    level, spread = logistic(np.array(evidence), np.array(person))
    point_level, point_spread = logistic(np.array(logits), np.array(right))
    return (
        f"LEVEL, SPREAD = {level:.2f}, {spread:.2f}  # {len(person)} boxes, {sum(person):.0f} "
        f"of people\nKEYPOINT_LEVEL, KEYPOINT_SPREAD = {point_level:.2f}, {point_spread:.2f}  "
        f"# {len(right)} keypoints, {np.mean(right):.0%} right"
    )


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Fit P(y = 1) = sigmoid((x - level) / spread); both classes of y weigh the same.

    The targets are not quite 0 and 1 (Platt, 1999): few numbers that no threshold confuses would
    else be divided without any doubt.
    """
    ones, zeros = y.sum(), (1 - y).sum()
    weight = np.where(y > 0, 0.5 / ones, 0.5 / zeros)
    target = np.where(y > 0, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def loss(parameters: np.ndarray) -> float:
        z = (x - parameters[0]) / np.exp(parameters[1])
        misses = target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z)
        return float((weight * misses).sum())

    level, log_spread = minimize(loss, (x.mean(), 0.0), method="Nelder-Mead").x
    return float(level), float(np.exp(log_spread))


def matches(picture: dict[str, Any]) -> Iterator[tuple[dict, dict | None, float]]:
    """Yield each annotated person who is not small, the box found for it or None, and the IoU."""
    for annotated in picture["people"]:
        if annotated["crop"][2] / PADDING < SMALL * picture["size"]:
            continue
        overlaps = [overlap(annotated["crop"], found["crop"]) for found in picture["found"]]
        best = int(np.argmax(overlaps)) if overlaps else None
        if best is None or overlaps[best] < FOUND:
            yield annotated, None, 0.0
        else:
            yield annotated, picture["found"][best], overlaps[best]


def overlap(one: list[float], other: list[float]) -> float:
    """Return the IoU of two square crops (x, y, side)."""
    low, high = (
        pick([np.array(crop[:2]) + sign * crop[2] / 2 for crop in (one, other)], axis=0)
        for pick, sign in ((np.max, -1), (np.min, 1))
    )
    common = np.clip(high - low, 0, None).prod()
    return float(common / (one[2] ** 2 + other[2] ** 2 - common))


def distances(annotated: dict[str, Any], found: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the keypoints' errors in shares of the box, and which are annotated."""
    apart = np.array(annotated["keypoints"]) - np.array(found["keypoints"])
    size = annotated["crop"][2] / PADDING
    return np.linalg.norm(apart, axis=1) / size, np.array(annotated["seen"]) > 0


def table(record: list[dict[str, Any]]) -> str:
    """Return a line for each set: what is found at each threshold."""
    lines = [["", "pictures", "people", "IoU", "PCK@0.2, %", "still, %", "s"]]
    lines[0] += [f">= {threshold:g}" for threshold in THRESHOLDS]
    for name in dict.fromkeys(picture["set"] for picture in record):
        chosen = [picture for picture in record if picture["set"] == name]
        people = [match for picture in chosen for match in matches(picture)]
        found = [match for match in people if match[1] is not None]
        right = [distance[seen] < NEAR for a, f, _ in found for distance, seen in [distances(a, f)]]
        cells = [name, str(len(chosen)), str(len(people))]
        cells.append(f"{np.mean([iou for *_, iou in found]):.2f}" if found else "-")
        cells.append(f"{100 * np.concatenate(right).mean():.0f}" if found else "-")
        cells.append(f"{100 * np.mean([f['still'] for _, f, _ in found]):.0f}" if found else "-")
        cells.append(f"{np.mean([picture['seconds'] for picture in chosen]):.1f}")
        for threshold in THRESHOLDS:
            if people:  # share of people who are found
                share = sum(score(f) >= threshold for _, f, _ in found) / len(people)
            else:  # share of pictures where somebody is found
                best = [max(map(score, picture["found"]), default=0.0) for picture in chosen]
                share = np.mean([value >= threshold for value in best])
            cells.append(f"{100 * share:.0f} %")
        lines.append(cells)
    return text_table(lines)


def score(found: dict[str, Any]) -> float:
    """Return the score of a found person by the constants of the package."""
    return float(1 / (1 + np.exp((LEVEL - found["evidence"]) / SPREAD)))


if __name__ == "__main__":
    main()
