"""End commands at random moments, and see what is lost, half-written or wrong afterwards.

`python scripts/faults/kills.py --times 30 --out kills.json`: each command runs once undisturbed.
Then it is started, killed at a random moment, and started again as a user would, until it was
killed so many times and has ended. After each kill every file is read to its end.
`--signal INT` presses Ctrl-C instead: a command must then say in one line that it was interrupted.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro
from works import WORKS, Work, broken

from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import environment


def start(work: Work, folder: Path) -> subprocess.Popen:
    """Start a command in a session of its own, as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "hmr_edu.cli", *work.words(folder)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen) -> None:
    """Wait until a command has ended. Raises RuntimeError with what it said when it failed."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(said[-2000:])


def fresh(work: Work, folder: Path) -> Path:
    """Return the folder, empty but for what the command reads."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    work.prepare(folder)
    return folder


def try_work(work: Work, times: int, number: signal.Signals, seed: int, place: Path) -> dict:
    """End a command so many times; return what happened."""
    rng = random.Random(seed)
    straight, folder = fresh(work, place / "straight"), fresh(work, place / "ended")
    began = time.monotonic()
    end(start(work, straight))
    whole = time.monotonic() - began
    expected = work.result(straight)
    faults: list[str] = []
    times_left, lost, ran, wrong = times, 0, 0, 0
    while True:
        before = work.reached(folder)
        process = start(work, folder)
        try:
            process.wait(rng.uniform(0.1, 1.1) * whole if times_left else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number)
            said, _ = process.communicate()
            times_left -= 1
            faults += unclear(said, process.returncode, number)
            faults += broken(folder)
            lost += work.reached(folder) < before
            continue
        end(process)
        ran += 1
        wrong += work.result(folder) != expected
        if not times_left:
            break
        fresh(work, folder)
    numbers = {"times": times, "faults": faults, "lost": lost, "ran": ran, "wrong": wrong}
    return numbers | {"seconds": round(whole, 1)}


def unclear(said: str, code: int, number: signal.Signals) -> list[str]:
    """Return what a command that got Ctrl-C said, where that is more than one line."""
    lines = [line.rpartition("\r")[2] for line in said.strip().split("\n")]
    # Before Python listens to signals, and after the last line of the program, nobody can say it.
    silent = code in (0, -number)
    if number == signal.SIGKILL or silent or (code == 130 and "interrupted" in lines[-1]):
        return ["Traceback in " + said[-600:]] if "Traceback" in said else []
    return [f"status {code}: {said[-600:]}"]


def main(
    times: int = 30,
    name: Annotated[Literal["KILL", "INT"], tyro.conf.arg(name="signal")] = "KILL",
    seed: int = 0,
    out: Path = Path("kills.json"),
    works: tuple[str, ...] = (),
) -> None:
    """End commands and write a record after each.

    Args:
        times: how often each command is ended.
        name: the signal that ends it.
        seed: of the moments.
        out: the record; commands that it already holds are left out.
        works: some of the commands only.
    """
    record = json.loads(out.read_text()) if out.exists() else {}
    record |= {"environment": environment(), "seed": seed, "signal": name}
    rows = record.setdefault("works", {})
    for word, work in WORKS.items():
        if word in rows or (works and word not in works):
            continue
        with tempfile.TemporaryDirectory() as place:
            rows[word] = try_work(work, times, signal.Signals[f"SIG{name}"], seed, Path(place))
        write_json(out, record)
        print(word, rows[word], flush=True)
    print("| command | ended | unclear or half-written | lost | ran to the end | wrong |")
    print("|---|---|---|---|---|---|")
    for word, row in rows.items():
        numbers = [row["times"], len(row["faults"]), row["lost"], row["ran"], row["wrong"]]
        print("|", " | ".join([word, *map(str, numbers)]), "|")


if __name__ == "__main__":
    tyro.cli(main)
