"""More readers for `fuzz.py`: pictures, networks, runs, and what learners hand in."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import torch
from PIL import Image
from readers import ROOT, Reader, refusing, write
from works import PHOTO, clip

from hmr_edu.course import wire
from hmr_edu.course.grading.assignment import Part
from hmr_edu.course.grading.restore import Wanted
from hmr_edu.io.jsonfile import read_json

LINES = [{"step": k, "images": 4 * k, "seconds": 0.5 * k, "losses": {"3d": 1.0}} for k in range(4)]
ROW = {"pa_mpjpe": 50.0, "per_joint": {"nose": 1.0}}
SCORES = {"about": {"images": 2, "source": "made"}, "baselines": {"mean": ROW}}
SCORES |= {"after": ROW | {"steps": [{"pa_mpjpe": 60.0}, {"pa_mpjpe": 50.0}]}}
CONFIG = {"seed": 0, "mode": "full", "poses": ["prior"], "model": {"width": 8}, "data": {}}
WORDS = ("command", "commit", "cpu", "gpu", "python", "torch", "numpy", "hmr_edu")
ENVIRONMENT = {"threads": 1, **{word: "1" for word in WORDS}}
HEADER = {"video": "x.mp4"}
SETS = {"ps0": {"x": Part("ps0", "x", {"turn": "turn"}, 1)}}
GRADED = "grade(check_turn, turn, points=2)"
WANTED = [
    Wanted("turn", "def turn(x): ...", False, "a"),
    Wanted("turn_points", GRADED, True, "b", 2),
]


def _networks(folder: Path) -> list[Path]:
    from hmr_edu.hmr import HMR

    HMR("keypoints", width=1, hidden=2).save(folder / "x.safetensors")
    options = {"width": 1, "stem": "small", "pooling": "spatial", "hidden": 2}
    HMR("resnet18", image_size=32, **options).save(folder / "pictures.safetensors")
    return [folder / "x.safetensors", folder / "pictures.safetensors"]


def _read_network(path: Path) -> None:
    from hmr_edu.hmr import HMR, load_pretrained
    from hmr_edu.training.start import transfer

    refusing(lambda: transfer(HMR("keypoints", width=2, hidden=4), path))
    load_pretrained(path)


def _checkpoint(folder: Path) -> list[Path]:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = {"step": 1, "seconds": 2.0, "model": network.state_dict()}
    torch.save(state | {"optimizer": optimizer.state_dict()}, folder / "checkpoint.pt")
    return [folder / "checkpoint.pt"]


def _read_checkpoint(path: Path) -> None:
    from hmr_edu.training.checkpoint import check_parts, load_checkpoint

    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    state = load_checkpoint(path.parent)
    if state is not None:
        check_parts(path, state, {"model": network, "optimizer": optimizer})
        optimizer.load_state_dict(state["optimizer"])


def _public(folder: Path) -> list[Path]:
    sizes = {"fc1": (2, 2205), "fc2": (2, 2), "decpose": (144, 2), "decshape": (10, 2)}
    sizes["deccam"] = 3, 2
    state = {f"{name}.weight": torch.zeros(size) for name, size in sizes.items()}
    state |= {f"{name}.bias": torch.zeros(size[0]) for name, size in sizes.items()}
    torch.save({"model": state}, folder / "x.pt")
    return [folder / "x.pt"]


def _read_public(path: Path) -> None:
    from hmr_edu.encoder.backbone import _read_weights
    from hmr_edu.training.exchange import import_checkpoint

    refusing(lambda: _read_weights(path))
    import_checkpoint(path, path.with_name("out.safetensors"), "lite")


def _records(folder: Path) -> list[Path]:
    return write(folder / "x.json", CONFIG, ENVIRONMENT, {"test": SCORES})


def _read_records(path: Path) -> None:
    from hmr_edu.training.run_records import Config, Environment, read_evaluation, read_record
    from hmr_edu.viz.report.records import read_run

    folder = path.parent
    for name in ("config.json", "environment.json", "evaluation.json"):
        shutil.copy(path, folder / name)
    for annotation in (Config, Environment):
        refusing(partial(read_record, folder, path.name, annotation))
    read_run(folder)
    read_evaluation(folder)


def _log(folder: Path) -> list[Path]:
    text = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
    return write(folder / "metrics.jsonl", text)


def _read_log(path: Path) -> None:
    from hmr_edu.training.run_records import read_whole_log
    from hmr_edu.viz.report.records import read_run

    read_run(path.parent)
    read_whole_log(path.parent, say=False)


def _samples(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    arrays = {"theta": rng.random((2, 3, 85), np.float32), "visible": np.ones((2, 19), bool)}
    arrays["true_keypoints2d"] = rng.random((2, 19, 2), np.float32)
    arrays |= {"images": np.zeros((2, 8, 8, 3), np.uint8), "true_theta": np.zeros((2, 85), "f4")}
    np.savez_compressed(folder / "000000008.npz", **arrays)
    return [folder / "000000008.npz"]


def _read_samples(path: Path) -> None:
    from hmr_edu.training.run_records import read_samples

    read_samples(path)


def _experiments(folder: Path) -> list[Path]:
    record = read_json(ROOT / "hmr_edu/experiments/records/camera.json", "record")
    return write(folder / "x.json", record | {"runs": record["runs"][:2]})


def _read_experiment(path: Path) -> None:
    from hmr_edu.experiments.runner import read_record

    read_record(path)


def _journal(folder: Path) -> list[Path]:
    person = {"number": 1, "theta": [0.1] * 85, "crop": [5.0, 6.0, 20.0], "score": 0.5}
    rows = [{"frame": k, "seconds": k / 10, "people": [person], "state": {}} for k in range(3)]
    lines = [json.dumps(line, sort_keys=True) + "\n" for line in (HEADER, *rows)]
    return write(folder / "x.jsonl", "".join(lines).encode())


def _read_journal(path: Path) -> None:
    from hmr_edu.viz.video_journal import Journal

    journal = Journal(path, HEADER)
    journal.people()
    journal.close()


def _index(folder: Path) -> list[Path]:
    from hmr_edu.data.photos.index import write_index
    from hmr_edu.data.photos.table import PeopleTable

    n = 2
    table = PeopleTable(
        folder, np.array([b"a.jpg"]), np.zeros((1, 2), np.int32), np.zeros(n, np.int32),
        np.ones((n, 3), "f4"), np.ones((n, 19, 2), "f4"), np.ones((n, 19), "f4"),
    )  # fmt: skip
    write_index(folder / "index", table)
    return [folder / "index" / "facts.json"]


def _read_index(path: Path) -> None:
    from hmr_edu.data.photos.index import open_index

    open_index(path.parent)


def _other_json(folder: Path) -> list[Path]:
    kept = {"students": {"ada": "Ada"}, "graded": {"ada": "x"}}
    return write(folder / "students.json", kept, {"picture": "x.jpg", "size": [1, 2]})


def _read_other_json(path: Path) -> None:
    from hmr_edu.course.grading.names import Register
    from hmr_edu.data.photos.coco_writer import _there
    from hmr_edu.viz.demo_files import _is_of

    _is_of(path, {"picture": "x.jpg"})
    refusing(lambda: _there(path))
    Register(path.parent).name("ada")


def _notebooks(folder: Path) -> list[Path]:
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    about = {"nbgrader": {"grade_id": "turn_points"}, "tags": ["exercise"]}
    cells = [new_markdown_cell("# A"), new_code_cell("def turn(x):\n    return x")]
    cells.append(new_code_cell("grade(check_turn, turn, points=2)", metadata=about))
    notebook = new_notebook(cells=cells)
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}}
    cell = {"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python"}
    older = old | {"worksheets": [{"cells": [cell], "metadata": {}}]}
    return write(folder / "x.ipynb", nbformat.writes(notebook).encode(), older)


def _read_notebook(path: Path) -> None:
    from hmr_edu.course.grading.assignment import recognise
    from hmr_edu.course.grading.notebook_file import read_notebook
    from hmr_edu.course.grading.restore import notes, restore

    notebook = read_notebook(path)
    recognise(path.name, notebook, "ps0", SETS)
    restore(notebook, WANTED)
    assert len(list(notes(notebook))) <= 2
    nbformat.validate(notebook)


def _submissions(folder: Path) -> list[Path]:
    (notebook, *_) = _notebooks(folder)
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(notebook, "ps0/x.ipynb")
        archive.writestr("other.txt", "nothing")
    return [folder / "x.zip"]


def _read_submission(path: Path) -> None:
    from hmr_edu.course.grading.submissions import look_through
    from hmr_edu.course.grading.unpack import unpack

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "ada").mkdir()
        (folder / "scratch").mkdir()
        shutil.copy(path, folder / "ada")
        look_through("ada", folder / "ada", SETS, folder / "scratch")
        unpack(path, folder / "out")


def _messages(folder: Path) -> list[Path]:
    value = {
        "a": [1.5, 2, None, "x", (True,)],
        "t": torch.ones(2, 3),
        "b": torch.ones(2).bfloat16(),
    }
    return write(folder / "x.json", wire.encode(value))


def _read_message(path: Path) -> None:
    wire.decode(path.read_bytes())


def _pictures(folder: Path) -> list[Path]:
    picture, paths = Image.open(PHOTO).resize((40, 30)), []
    for ending in ("png", "jpg", "tiff", "gif", "webp", "bmp", "ppm", "tga", "ico", "pcx", "sgi"):
        paths.append(folder / f"x.{ending}")
        picture.save(paths[-1])
    exif = Image.Exif()
    exif[0x112] = 6
    picture.save(folder / "turned.jpg", exif=exif)
    wide = Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40))
    wide.save(folder / "wide.png")
    picture.convert("P").save(folder / "palette.png", transparency=3)
    return [*paths, folder / "turned.jpg", folder / "wide.png", folder / "palette.png"]


def _read_picture(path: Path) -> None:
    from hmr_edu.data.photos.pictures import read_photo, upright_size

    refusing(lambda: upright_size(path))
    read_photo(path)


def _films(folder: Path) -> list[Path]:
    clip(folder)
    frames = [Image.new("RGB", (32, 32), (k, 0, 0)) for k in range(3)]
    frames[0].save(folder / "x.gif", save_all=True, append_images=frames[1:])
    return [folder / "walk.mp4", folder / "x.gif"]


def _read_film(path: Path) -> None:
    from hmr_edu.data.photos.video import Video, is_video

    is_video(path)
    for frame in Video(path).frames():
        assert frame.picture.size


RECORDS: dict[str, Reader] = {
    "pictures": Reader("bytes", _pictures, _read_picture),
    "video": Reader("bytes", _films, _read_film),
    "networks": Reader("safetensors", _networks, _read_network),
    "checkpoint": Reader("torch", _checkpoint, _read_checkpoint),
    "public checkpoint": Reader("torch", _public, _read_public),
    "records of a run": Reader("json", _records, _read_records),
    "log of a run": Reader("lines", _log, _read_log),
    "samples of a run": Reader("npz", _samples, _read_samples),
    "experiment": Reader("json", _experiments, _read_experiment),
    "journal of a video": Reader("lines", _journal, _read_journal),
    "index": Reader("json", _index, _read_index),
    "other JSON": Reader("json", _other_json, _read_other_json),
    "notebook": Reader("json", _notebooks, _read_notebook),
    "zip of a submission": Reader("bytes", _submissions, _read_submission),
    "message of an answer": Reader("json", _messages, _read_message, (ValueError,)),
}
