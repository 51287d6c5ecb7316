"""Run commands in places that refuse them, or twice at once; see what they say and leave.

`python scripts/faults/places.py --out places.json` (as root, which mounts file systems): a command
must end well, with the right result, or say in one line why it cannot. Whatever it leaves is whole,
and the same command ends well once the fault has gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tyro
from kills import end, fresh, start
from works import WORKS, Work, broken

from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import environment

# KiB that are free on a full disk, beside what a command reads: from nothing to nearly enough.
FREE = (4, 64, 400, 1_500, 5_000)
LIMIT = 1_200  # seconds after which a command hangs


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a small file system on the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Wait for a command; return its status and what it said."""
    said, _ = process.communicate(timeout=LIMIT)
    return process.returncode, said


def unclear(code: int, said: str) -> list[str]:
    """Return what is wrong with a refusal: a traceback, no status, no line of our own."""
    last = said.strip().split("\n")[-1].rpartition("\r")[2]
    if "Traceback" in said or (code and not (code == 2 and last.startswith("hmr-edu "))):
        return [f"status {code}: {said[-800:]}"]
    return []


def difference(one: Any, other: Any) -> str:
    """Say where two results differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                return f"{key}: {difference(one.get(key), other.get(key))}"
    if isinstance(one, str) and isinstance(other, str):
        for a, b in zip(one.split("\n"), other.split("\n"), strict=False):
            if a != b:
                return f"{a[:200]} | {b[:200]}"
    return f"{str(one)[:200]} | {str(other)[:200]}"


class Trial:
    """What happened to one command under one kind of fault.

    Args:
        work: the command.
        place: a folder for the folders that it runs in.
        expected: the result of the undisturbed command.
    """

    def __init__(self, work: Work, place: Path, expected: Any) -> None:
        self.work, self.place, self.expected = work, place, expected
        self.faults: list[str] = []
        self.differences: list[str] = []
        self.tried = self.refused = self.wrong = 0

    def run(self, folder: Path, must_end_well: bool, **changes: str | None) -> int:
        """Run the command once with other environment variables; None takes one away."""
        before = dict(os.environ)
        try:
            for name, value in changes.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            code, said = ended(start(self.work, folder))
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.tried += 1
        self.refused += code != 0
        self.faults += unclear(code, said) + broken(folder)
        if must_end_well and code:
            self.faults.append(f"status {code}: {said[-800:]}")
        elif not code:
            self.compare(folder)
        return code

    def compare(self, folder: Path) -> None:
        """Count a result that is not that of the undisturbed command, and keep what differs."""
        got = self.work.result(folder)
        if got != self.expected:
            self.wrong += 1
            self.differences.append(difference(self.expected, got))

    def numbers(self) -> dict[str, Any]:
        """Return the row of the record."""
        return {
            key: getattr(self, key)
            for key in ("tried", "refused", "faults", "wrong", "differences")
        }


def odd_names(trial: Trial) -> None:
    """Run in folders whose names hold spaces, other letters, quotes and brackets."""
    for name in ("two words", "größe 大小", "a'b [1] {x} %20 $HOME"):
        trial.run(fresh(trial.work, trial.place / name), must_end_well=True)


def no_home(trial: Trial) -> None:
    """Run without a home, with one that is not there, and without a cache for compiled code."""
    folder = trial.place / "homeless"
    changes: list[dict[str, str | None]] = [
        {"HOME": None},
        {"HOME": "/proc/nobody"},
        {"NUMBA_CACHE_DIR": "/proc/nobody", "MPLCONFIGDIR": "/proc/nobody"},
    ]
    for change in changes:
        trial.run(fresh(trial.work, folder), must_end_well=True, **change)


def full_disk(trial: Trial) -> None:
    """Run on disks that are too small, then on one that is not."""
    for size in FREE:
        folder = trial.place / f"{size} free"
        with disk(folder, "size=1g"):
            trial.work.prepare(folder)
            full = os.statvfs(folder)
            used = (full.f_blocks - full.f_bfree) * full.f_frsize // 1024
            subprocess.run(["mount", "-o", f"remount,size={used + size}k", str(folder)], check=True)
            code = trial.run(folder, must_end_well=False)
            subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
            if code:
                trial.run(folder, must_end_well=True)


def read_only(trial: Trial) -> None:
    """Run where nothing may be written, then where it may."""
    folder = trial.place / "read-only"
    with disk(folder, "size=1g"):
        trial.work.prepare(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        if not trial.run(folder, must_end_well=False):
            trial.faults.append("ended well where nothing may be written")
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        trial.run(folder, must_end_well=True)


def two_at_once(trial: Trial) -> None:
    """Start the command twice at the same time, in the same folder; then once more."""
    folder = fresh(trial.work, trial.place / "two")
    both = [start(trial.work, folder) for _ in range(2)]
    codes = []
    for process in both:
        code, said = ended(process)
        codes.append(code)
        trial.faults += unclear(code, said)
    trial.tried += 2
    trial.refused += sum(code != 0 for code in codes)
    trial.faults += broken(folder)
    if all(codes):
        trial.faults.append("both were refused")
    elif not trial.work.resume:
        trial.run(folder, must_end_well=False)
    trial.compare(folder)


FAULTS: dict[str, Callable[[Trial], None]] = {
    "odd names": odd_names,
    "no home, no cache": no_home,
    "full disk": full_disk,
    "read-only": read_only,
    "two at once": two_at_once,
}


def main(
    out: Path = Path("places.json"), works: tuple[str, ...] = (), faults: tuple[str, ...] = ()
) -> None:
    """Try faults on commands and write a record after each.

    Args:
        out: the record; what it already holds is left out.
        works: some of the commands only.
        faults: some of the faults only.
    """
    record = json.loads(out.read_text()) if out.exists() else {}
    record["environment"] = environment()
    rows = record.setdefault("works", {})
    for word in works or WORKS:
        missing = [f for f in faults or FAULTS if f not in rows.get(word, {})]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as place:
            straight = fresh(WORKS[word], Path(place) / "straight")
            end(start(WORKS[word], straight))
            expected = WORKS[word].result(straight)
            for fault in missing:
                trial = Trial(WORKS[word], Path(place), expected)
                FAULTS[fault](trial)
                rows.setdefault(word, {})[fault] = trial.numbers()
                write_json(out, record)
                print(word, fault, trial.numbers(), flush=True)
    print("| command | fault | tried | refused in one line | unclear or half-written | wrong |")
    print("|---|---|---|---|---|---|")
    for word, tried in rows.items():
        for fault, row in tried.items():
            numbers = (row["tried"], row["refused"], len(row["faults"]), row["wrong"])
            print("|", " | ".join([word, fault, *map(str, numbers)]), "|")


if __name__ == "__main__":
    tyro.cli(main)
