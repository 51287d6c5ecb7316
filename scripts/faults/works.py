"""Commands of `hmr-edu` that write files, small enough to be run hundreds of times."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "hmr_edu/assets/photos/astronaut.jpg"
TRAIN = """train cpu --minutes None --images 160 --test-images 0 --threads 1 --checkpoint-every 8
--sample-every 64 --log-every 1 --data.image-size 32 --data.batch-size 4 --model.width 8
--model.hidden 16 --data.appearance.scenes 4 --data.appearance.outfits 4
--data.appearance.heads 4 --out out"""


def nothing(folder: Path) -> None:
    """Prepare nothing."""


@dataclass
class Work:
    """A command that writes into the folder `out` of another folder.

    Args:
        command: its words, with `out` and what `prepare` made as relative paths.
        resume: add `--resume` once `out` is there.
        prepare: makes the files that the command reads.
        reached: how much of the work its files hold; a kill must not make it less.
        result: what the finished work leaves, without times.
    """

    command: str
    result: Callable[[Path], Any]
    reached: Callable[[Path], float] = lambda folder: 0
    resume: bool = False
    prepare: Callable[[Path], None] = nothing

    def words(self, folder: Path) -> list[str]:
        """Return the words of the command in this folder, as a user would type them now."""
        again = ["--resume"] if self.resume and (folder / "out").exists() else []
        return [*shlex.split(self.command), *again]


def fault_of(path: Path) -> str:
    """Read a file by its kind to its end; return what is wrong, "" if nothing is."""
    read: dict[str, Callable[[], object]] = {
        ".json": lambda: json.loads(path.read_text()),
        ".ipynb": lambda: nbformat.validate(nbformat.read(path, 4)),
        ".pt": lambda: torch.load(path, weights_only=True),
        ".npz": lambda: dict(np.load(path)),
        ".safetensors": lambda: _tensors(path),
        ".png": lambda: Image.open(path).load(),
        ".mp4": lambda: _frames(path),
        ".zip": lambda: zipfile.ZipFile(path).testzip(),
        ".html": lambda: _ends(path, b"</html>"),
        ".db": lambda: sqlite3.connect(path).execute("pragma integrity_check").fetchall(),
    }
    try:
        read.get(path.suffix, lambda: None)()
    except Exception as error:
        return f"{path}: {error!r:.200}"
    return ""


def broken(folder: Path) -> list[str]:
    """Return what is wrong with the files of a folder that are not being written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [f for path in files if not path.name.startswith(".writing-") and (f := fault_of(path))]


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _frames(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _ends(path: Path, words: bytes) -> None:
    if not path.read_bytes().rstrip().endswith(words):
        raise ValueError(f"does not end in {words!r}")


def _step(folder: Path) -> float:
    path = folder / "out/cpu/checkpoint.pt"
    return torch.load(path, weights_only=True)["step"] if path.exists() else 0


def _trained(folder: Path) -> Any:
    run = folder / "out/cpu"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    weights = _tensors(run / "model.safetensors")
    return [line["step"] for line in lines], {k: v.tolist() for k, v in weights.items()}


def _runs(folder: Path) -> list[dict]:
    path = folder / "out/regressor-relu.json"
    return json.loads(path.read_text())["runs"] if path.exists() else []


def _outcomes(folder: Path) -> Any:
    return [(run["variant"], run["seed"], run["final"]) for run in _runs(folder)]


def _files(folder: Path) -> dict[str, Any]:
    """Return the names of all files, and the content of those that hold numbers."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "out").rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix == ".npz":
            found[name] = {key: value.tolist() for key, value in np.load(path).items()}
        elif path.suffix in (".json", ".obj"):
            found[name] = path.read_text()
        else:
            found[name] = path.suffix
    return found


def clip(folder: Path) -> None:
    """Make a video in which a photograph moves to the right."""
    import av

    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize((256, 256)))
    with av.open(str(folder / "walk.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width = stream.height = 256
        for k in range(12):
            frame = av.VideoFrame.from_ndarray(np.roll(photo, 2 * k, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _journal(folder: Path) -> float:
    if (folder / "out/walk_spin.npz").exists():
        return 1000
    found = list((folder / "out").glob("*_unfinished_*.jsonl"))
    return sum(path.read_bytes().count(b"\n") for path in found)


def _class(folder: Path) -> None:
    """Make a course with one problem set, which two students hand in: solved, and as it was."""
    from hmr_edu.course.grading import classroom

    classroom.release(folder / "out", ROOT / "notebooks", ["ps1"])
    for student, step in (("ada", "source"), ("bob", "release")):
        shutil.copytree(folder / "out" / step / "ps1", folder / "handed" / student / "ps1")


def _marks(folder: Path) -> Any:
    from hmr_edu.course.grading import classroom

    with classroom.export(folder / "out", folder / "grades.csv").open() as file:
        return sorted(tuple(row.values()) for row in csv.DictReader(file))


def _released(folder: Path) -> Any:
    kept = {
        name: content
        for name, content in _files(folder).items()
        if name.endswith((".ipynb", ".zip", ".py"))
    }
    for name in kept:
        if name.endswith(".ipynb"):
            cells = nbformat.read(folder / name, 4).cells
            kept[name] = [cell.source for cell in cells]
    return kept


WORKS = {
    "training": Work(TRAIN, _trained, _step, resume=True),
    "experiment": Work(
        "experiment regressor-relu --seeds 1 --images 640 --resume --out out",
        _outcomes,
        lambda folder: len(_runs(folder)),
    ),
    "evaluation": Work(
        "evaluate resnet18 --images 16 --threads 1 --sets test-prior --out out/e.json",
        _files,
    ),
    "demo, a picture": Work(f"demo '{PHOTO}' --box 60 0 450 512 --out out", _files),
    "demo, a video": Work(
        "demo walk.mp4 --box 30 0 225 256 --out out", _files, _journal, prepare=clip
    ),
    "release": Work(f"course release ps1 --lessons '{ROOT / 'notebooks'}' --course out", _released),
    "grading": Work("course grade handed --course out", _marks, prepare=_class),
}
