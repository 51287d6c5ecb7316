"""Ship a finished run: weights of at most 30 MB, their provenance and the run's records."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.evaluation.held_out import predict
from hmr_edu.evaluation.keypoint_sets import sets_for
from hmr_edu.evaluation.scores import MM, score_joints
from hmr_edu.hmr import HMR, WEIGHTS, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, check_name
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import sha256
from hmr_edu.io.schema import check_type
from hmr_edu.keypoints import LSP
from hmr_edu.metrics import mpjpe
from hmr_edu.training.run_records import (
    CONFIG,
    ENVIRONMENT,
    EVALUATION,
    METRICS,
    START,
    Config,
    Environment,
    Start,
    TimedLine,
    read_evaluation,
    read_optional,
    read_record,
    read_samples,
    read_whole_log,
)

# The largest size of a file of weights, in bytes.
LARGEST = 30_000_000
# Pictures on which stored weights are compared with the run's own.
COMPARED = 200


def ship(run: Path, name: str, out: Path = WEIGHTS) -> Path:
    """Write `name.safetensors`, `name.json` and the folder `name` into `out`.

    Weights are stored as float16, or as int8 if float16 exceeds 30 MB. If int8 exceeds it too,
    nothing is written.

    `name.json` is the provenance: command, commit, seed, minutes, hardware, versions, the metrics
    that the run measured, and the accuracy lost by storing. The folder holds the run's records
    without its checkpoint: curves and samples, for `hmr_edu.viz.report.records.read_run`. Raises
    DataError when the run is not finished and evaluated, and when its weights are too large.
    """
    check_name(name, "the name")
    weights = run / "model.safetensors"
    record = (CONFIG, ENVIRONMENT, EVALUATION, METRICS)
    for file in (weights.name, *record):
        if not os.path.lexists(run / file):
            raise DataError(f"{run}: no {file}; let the run finish and evaluate itself first")
    config = read_record(run, CONFIG, Config)
    environment = read_record(run, ENVIRONMENT, Environment)
    evaluation = read_evaluation(run)
    start = read_optional(run, START, Start)
    last = _last_line(run)
    path = out / f"{name}.safetensors"
    exact = load_pretrained(weights)
    precision = _store(exact, path)
    samples = [file.relative_to(run) for file in sorted((run / "samples").glob("*.npz"))]
    for old in (out / name / "samples").glob("*.npz"):
        if old.relative_to(out / name) not in samples:
            old.unlink()
    for file in (*map(Path, record), *samples):
        with atomic_write(out / name / file) as temporary:
            shutil.copyfile(run / file, temporary)
    write_json(
        path.with_suffix(".json"),
        {
            "sha256": sha256(path),
            "command": environment["command"],
            "commit": environment["commit"],
            "seed": config["seed"],
            "images": last["images"],
            "minutes": round(last["seconds"] / 60, 1),
            "hardware": f"{environment['cpu']}, {environment['threads']} thread(s)"
            + (f", {environment['gpu']}" if environment["gpu"] else ""),
            "versions": {k: environment[k] for k in ("python", "torch", "numpy", "hmr_edu")},
            "config": config,
            "stored": {"precision": precision} | stored(exact, load_pretrained(path)),
            # The provenance of the weights that the run started from, if any.
            "start": start,
            "metrics": {name: _plain(rows) for name, rows in evaluation.items()},
        },
    )
    return path


def _last_line(run: Path) -> dict[str, Any]:
    """Return the last line of the log, and read all samples.

    Raises DataError where the log ends before the samples do.
    """
    lines, path = read_whole_log(run), run / METRICS
    if not lines:
        raise DataError(f"{path}: no step of a run is in it")
    check_type(lines[-1][1], TimedLine, f"{path}: the last line")
    seen = [read_samples(file).images_seen for file in sorted((run / "samples").glob("*.npz"))]
    if seen and max(seen) > lines[-1][1]["images"]:
        raise DataError(f"{path}: ends at {lines[-1][1]['images']} images, the run at {max(seen)}")
    return lines[-1][1]


def _store(model: HMR, path: Path) -> str:
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
