#!/usr/bin/env python3
"""Which ingredient of the synthetic people matters? Short trainings, each without one of them.

Every variant goes on from the same weights, over the same pictures but for what it leaves out, with
several seeds. Each network is then measured on the synthetic test sets and on real pictures, where
there are some (docs/weights.md says how the folder of views is made). A finished variant is kept:
the same command goes on where it was stopped, and prints the table at the end.

    python scripts/ingredients.py --start resnet18 --views views --photos pictures/keypoints.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean

# What the shipped weights were trained on, and what each variant changes in it.
ALL = {
    "--poses": ["prior", "prior", "bent"],
    "--data.pitch": ["14"],
    "--data.roll": ["10"],
    "--data.appearance.clutter": ["0.5"],
}
VARIANTS = {
    "nothing": {},
    "legs drawn up": {"--poses": ["prior"]},
    "cameras that tilt more": {"--data.pitch": ["10"], "--data.roll": ["5"]},
    "clutter": {"--data.appearance.clutter": ["0"]},
    "people cut off": {"--data.cut": ["0"]},
}
# Degrees. People whose pelvis leans more in the picture kick, sit on the ground or lie.
LEANING = 35


def main() -> None:
    """Train and measure every variant with every seed, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", default="resnet18", help="weights to go on from")
    parser.add_argument("--views", type=Path, help="folder made by scripts/real_views/prepare.py")
    parser.add_argument("--photos", type=Path, help="keypoints marked in pictures of your own")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/ingredients"))
    parser.add_argument("options", nargs="*", help="after --: more options of `hmr-edu train`")
    args = parser.parse_args()
    rows = {}
    for name, change in VARIANTS.items():
        for seed in range(args.seeds):
            run = args.out / f"{name.replace(' ', '-')}-{seed}"
            train(run, seed, ALL | change, args)
            rows.setdefault(name, []).append(measure(run, args))
    print_table(rows)


def train(run: Path, seed: int, options: dict[str, list[str]], args: argparse.Namespace) -> None:
    """Train one variant, unless that was done before."""
    if (run / "model.safetensors").exists():
        return
    resume = ["--resume"] if (run / "checkpoint.pt").exists() else []
    named = ["--name", run.name, "--out", str(run.parent), "--start", args.start]
    named += ["--seed", str(seed), "--test-images", "0", *resume]
    hmr_edu("train", "cpu-long", *named, *(w for k, v in options.items() for w in (k, *v)),
            *args.options)  # fmt: skip


def measure(run: Path, args: argparse.Namespace) -> dict[str, float]:
    """Measure one network, or read what was measured."""
    weights = str(run / "model.safetensors")
    commands = {"sets": ["evaluate", weights]}
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
        return {"views PA mm": answer["network"]["pa_mpjpe"],
                "views turned round %": 100 * answer["network"]["turned"]}  # fmt: skip
    if name != "sets":
        return {f"{name} PCK %": 100 * answer["network"]["pck"]}
    row = {}
    for test_set, scores in answer.items():
        groups = scores["after"]["by_lean"]
        leaning = [g for lean, g in groups.items() if int(lean.split()[0]) >= LEANING]
        people = sum(g["people"] for g in leaning)
        row[f"{test_set} PA mm"] = scores["after"]["pa_mpjpe"]
        row[f"leaning PA mm, {test_set}"] = (
            sum(g["people"] * g["pa_mpjpe"] for g in leaning) / people
        )
    return row


def print_table(rows: dict[str, list[dict[str, float]]]) -> None:
    """Print a Markdown table: every seed's number, and their mean."""
    columns = next(iter(rows.values()))[0]
    print("| without | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, row in rows.items():
        cells = [[seed[column] for seed in row] for column in columns]
        print(f"| {name} | " + " | ".join(
            f"**{mean(cell):.1f}** ({', '.join(f'{value:.1f}' for value in cell)})"
            for cell in cells) + " |")  # fmt: skip


def hmr_edu(*words: str) -> None:
    """Run one of the package's commands; its failure ends this one."""
    subprocess.run([sys.executable, "-m", "hmr_edu.cli", *words], check=True)


if __name__ == "__main__":
    main()
