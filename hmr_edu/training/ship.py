"""Ship weights of at most 30 MB, with their provenance and records: of a run, or of a mean."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.evaluation.held_out import evaluate, predict
from hmr_edu.evaluation.keypoint_sets import sets_for
from hmr_edu.evaluation.scores import MM, score_joints
from hmr_edu.hmr import HMR, TRAINED, WEIGHTS, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, check_name
from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.io.provenance import sha256
from hmr_edu.keypoints import LSP
from hmr_edu.metrics import mpjpe
from hmr_edu.training.origin import run_provenance
from hmr_edu.training.run_records import (
    CONFIG,
    ENVIRONMENT,
    EVALUATION,
    METRICS,
    read_evaluation,
)

# The largest size of a file of weights, in bytes.
LARGEST = 30_000_000
# Pictures on which stored weights are compared with the run's own.
COMPARED = 200
# What a mean of networks is measured on, and how many pictures of each.
SHIPPED_SETS = ("test-prior", "test-mocap", "test-everyday")
IMAGES = 1000


def ship(run: Path, name: str, out: Path = WEIGHTS) -> Path:
    """Write `name.safetensors`, `name.json` and the folder `name` into `out`.

    Weights are stored as float16, or as int8 if float16 exceeds 30 MB. If int8 exceeds it too,
    nothing is written.

    `name.json` is the provenance: command, commit, seed, minutes, hardware, versions, the metrics
    that the run measured, and the accuracy lost by storing. The folder holds the run's records
    without its checkpoint: curves and samples, for `hmr_edu.viz.report.records.read_run`.

    A mean of networks (`write_average`) is one file and has no run. Its provenance is the record
    beside it, and its metrics are measured here.

    Raises DataError when the run is not finished and evaluated, when a file has no record, and when
    its weights are too large.

    Args:
        run: the run's folder, or the file of a mean.
        name: the name for `load_pretrained`.
        out: the folder to write into.
    """
    check_name(name, "the name")
    if not os.path.lexists(run):
        raise DataError(f"{run}: there is no such run, and no such file of weights")
    if run.is_file():
        return _ship_mean(run, name, out)
    weights = run / TRAINED
    record = (CONFIG, ENVIRONMENT, EVALUATION, METRICS)
    for file in (weights.name, *record):
        if not os.path.lexists(run / file):
            raise DataError(f"{run}: no {file}; let the run finish and evaluate itself first")
    evaluation, provenance = read_evaluation(run), run_provenance(run)
    samples = [file.relative_to(run) for file in sorted((run / "samples").glob("*.npz"))]
    path = _store(weights, out / f"{name}.safetensors", provenance, evaluation)
    _remove_samples(out / name, samples)
    for file in (*map(Path, record), *samples):
        with atomic_write(out / name / file) as temporary:
            shutil.copyfile(run / file, temporary)
    return path


def _ship_mean(file: Path, name: str, out: Path) -> Path:
    """Ship a file of weights that has a record beside it."""
    beside = file.with_suffix(".json")
    if not os.path.lexists(beside):
        raise DataError(f"{file}: no {beside.name} beside it says how these weights were made")
    provenance, model = read_json(beside, "provenance"), load_pretrained(file)
    if provenance.get("sha256") != sha256(file):
        raise DataError(f"{beside} is the record of other weights: their checksum differs")
    data = SyntheticConfig(model.image_size)
    sets = sets_for(str(model.options["encoder"]), SHIPPED_SETS, model.body, data, IMAGES)
    evaluation = evaluate({"after": model}, sets)
    path = _store(file, out / f"{name}.safetensors", provenance, evaluation)
    # Curves and samples are those of runs. Whatever else is in the folder is not ours.
    for record in (CONFIG, ENVIRONMENT, METRICS):
        (out / name / record).unlink(missing_ok=True)
    _remove_samples(out / name, [])
    write_json(out / name / EVALUATION, evaluation)
    return path


def _remove_samples(folder: Path, kept: Sequence[Path]) -> None:
    """Remove the samples of a run that was shipped under this name before."""
    for old in (folder / "samples").glob("*.npz"):
        if old.relative_to(folder) not in kept:
            old.unlink()


def _store(
    weights: Path, path: Path, provenance: dict[str, Any], evaluation: dict[str, Any]
) -> Path:
    """Store weights in fewer bytes, and their provenance beside them; return `path`."""
    exact = load_pretrained(weights)
    precision = _save(exact, path)
    measured = {
        # With the checksum of the file as it is shipped.
        "sha256": sha256(path),
        "stored": {"precision": precision} | stored(exact, load_pretrained(path)),
        "metrics": {name: _plain(rows) for name, rows in evaluation.items()},
    }
    write_json(path.with_suffix(".json"), provenance | measured)
    return path


def _save(model: HMR, path: Path) -> str:
    """Save a network in the finest precision within the size limit; return the precision."""
    for precision in ("float16", "int8"):
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / path.name
            model.save(trial, precision)
            size = trial.stat().st_size
        if size <= LARGEST:
            model.save(path, precision)
            return precision
    raise DataError(f"{path}: {size:,} bytes, even in int8; shipped weights have {LARGEST:,}")


def stored(exact: HMR, shipped: HMR) -> dict[str, Any]:
    """Measure the accuracy lost by storing: PA-MPJPE of both, and how far joints moved."""
    data = SyntheticConfig(exact.image_size)
    pictures, *_ = sets_for(
        str(exact.options["encoder"]), ("test-prior",), exact.body, data, COMPARED
    )
    (*_, before), truth = predict(exact, pictures)
    (*_, after), _ = predict(shipped, pictures)
    moved = mpjpe(after.keypoints3d[:, : len(LSP)], before.keypoints3d[:, : len(LSP)])
    errors = [score_joints(steps.keypoints3d, truth)["pa_mpjpe"] for steps in (before, after)]
    return {
        "images": COMPARED,
        "pa_mpjpe_before": errors[0],
        "pa_mpjpe": errors[1],
        "joints_moved": MM * float(moved.mean()),
    }


def _plain(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of one test set, without the details for each joint."""

    def scalars(row: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in row.items() if not isinstance(v, dict | list)}

    return {
        "about": rows["about"],
        "baselines": {name: scalars(row) for name, row in rows["baselines"].items()},
        "after": scalars(rows["after"]) | {"steps": rows["after"]["steps"]},
    }
