#!/usr/bin/env python3
"""What is each part worth? Short trainings, each without one part, side by side.

    python scripts/ablations.py recipe
    python scripts/ablations.py pictures --start resnet18 --views views --photos mine/keypoints.json

`recipe` leaves out parts of the network and of how it learns; every training is the `cpu` preset's,
from nothing. `pictures` leaves out parts of what the pictures show; trainings go on from weights,
and are also measured on real pictures, where there are some (docs/weights.md says how the folder of
views is made). Several seeds each. A finished training is kept: the same command goes on where it
was stopped, and prints the table at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import NamedTuple

# Degrees. People whose pelvis leans more in the picture kick, sit on the ground or lie.
LEANING = 35


class Study(NamedTuple):
    """A preset, the options that all variants share, and what each variant changes in them."""

    preset: str
    appearance: str
    shared: dict[str, str]
    variants: dict[str, dict[str, str]]


NO_DENSE_LABELS = {"--loss.heatmaps": "0", "--loss.depths": "0", "--loss.parts": "0"}
STUDIES = {
    "recipe": Study(
        preset="cpu",
        appearance="plain",
        shared={"--images": "30000", "--minutes": "None"},
        variants={
            "nothing": {},
            "Muon (AdamW instead)": {
                "--optimizer.method": "adamw",
                "--optimizer.learning-rate": "1e-3",
            },
            "a rate that falls": {"--optimizer.schedule": "constant"},
            "dense labels": NO_DENSE_LABELS,
            "dense labels and a head that keeps places": {
                "--model.pooling": "average",
                **NO_DENSE_LABELS,
            },
            "6D inside": {"--model.representation": "axis_angle"},
            "weights of each step's own": {"--model.share-weights": ""},
            "later steps counting more": {"--loss.steps": "all"},
            "the adversary": {"--loss.adversary": "0"},
        },
    ),
    "pictures": Study(
        preset="cpu-long",
        appearance="full",
        shared={
            "--images": "24000",
            "--optimizer.learning-rate": "4e-3",
            "--poses": "prior prior bent",
            "--data.pitch": "14",
            "--data.roll": "10",
            "--data.appearance.clutter": "0.5",
        },
        variants={
            "nothing": {},
            "legs drawn up": {"--poses": "prior"},
            "cameras that tilt more": {"--data.pitch": "10", "--data.roll": "5"},
            "clutter": {"--data.appearance.clutter": "0"},
            "people cut off": {"--data.cut": "0"},
        },
    ),
}


def main() -> None:
    """Train and measure every variant with every seed, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="What is not listed here goes to `hmr-edu train`, for every variant.",
        allow_abbrev=False,
    )
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--start", default="", help="weights to go on from")
    parser.add_argument("--views", type=Path, help="folder made by scripts/real_views/prepare.py")
    parser.add_argument("--photos", type=Path, help="annotated keypoints of your own pictures")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    args, more = parser.parse_known_args()
    study = STUDIES[args.study]
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        for name, change in study.variants.items():
            run = args.out / args.study / f"{name.replace(' ', '-')}-{seed}"
            train(run, seed, study.preset, study.shared | change, args.start, more)
            rows.setdefault(name, []).append(measure(run, study, args))
    print_table(rows)


def train(
    run: Path, seed: int, preset: str, options: dict[str, str], start: str, more: list[str]
) -> None:
    """Train one variant, unless that was done before."""
    if (run / "model.safetensors").exists():
        return
    words = ["--name", run.name, "--out", str(run.parent), "--seed", str(seed)]
    words += ["--test-images", "0", *(["--start", start] if start else [])]
    for name, value in options.items():
        words += [name, *value.split()]
    if (run / "checkpoint.pt").exists():
        words.append("--resume")
    hmr_edu("train", preset, *words, *more)


def measure(run: Path, study: Study, args: argparse.Namespace) -> dict[str, float]:
    """Measure one network, or read what was measured."""
    weights = str(run / "model.safetensors")
    commands = {"sets": ["evaluate", weights, "--appearance", study.appearance]}
    if args.photos:
        commands["photos"] = ["evaluate-photos", str(args.photos), "--weights", weights]
    if args.views:
        keypoints, cameras = str(args.views / "keypoints.json"), str(args.views / "cameras.json")
        commands["views"] = ["evaluate-views", keypoints, cameras, "--weights", weights]
        commands["views, 2D"] = ["evaluate-photos", keypoints, "--weights", weights]
    row = {}
    for name, command in commands.items():
        path = run / f"{name}.json"
        if not path.exists():
            hmr_edu(*command, "--out", str(path))
        row |= read(name, json.loads(path.read_text()))
    return row


def read(name: str, answer: dict) -> dict[str, float]:
    """Take from one command's answer what the table shows."""
    if name == "views":
        return {
            "views: PA mm": answer["network"]["pa_mpjpe"],
            "views: facing flipped %": 100 * answer["network"]["facing_flipped"],
        }
    if name != "sets":
        return {f"{name}: PCK %": 100 * answer["network"]["pck"]}
    row = {}
    for test_set, scores in answer.items():
        groups = scores["after"]["by_lean"]
        leaning = [g for lean, g in groups.items() if int(lean.split()[0]) >= LEANING]
        people = sum(g["people"] for g in leaning)
        row[f"{test_set}: PA mm"] = scores["after"]["pa_mpjpe"]
        row[f"{test_set}: leaning"] = sum(g["people"] * g["pa_mpjpe"] for g in leaning) / people
        row[f"{test_set}: facing wrong %"] = 100 * scores["after"]["facing_wrong"]
    return row


def print_table(rows: dict[str, list[dict[str, float]]]) -> None:
    """Print a Markdown table: the mean over the seeds, and every seed's number."""
    columns = rows["nothing"][0]
    print("| without | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, row in rows.items():
        cells = []
        for column in columns:
            numbers = [seed[column] for seed in row]
            cells.append(f"{mean(numbers):.1f} ({', '.join(f'{n:.1f}' for n in numbers)})")
        print(f"| {name} | " + " | ".join(cells) + " |")


def hmr_edu(*words: str) -> None:
    """Run one of the package's commands; its failure ends this one."""
    subprocess.run([sys.executable, "-m", "hmr_edu.cli", *words], check=True)


if __name__ == "__main__":
    main()
