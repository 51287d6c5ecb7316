"""How weights were made: the provenance of a run, and of any file of weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hmr_edu.hmr import TRAINED, weights_path
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json
from hmr_edu.io.provenance import sha256
from hmr_edu.io.schema import check_type
from hmr_edu.training.run_records import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    START,
    Config,
    Environment,
    Start,
    TimedLine,
    read_optional,
    read_record,
    read_samples,
    read_whole_log,
)


def origin(weights: str) -> dict[str, Any]:
    """Return the checksum and the provenance of weights: a shipped name or a file.

    The provenance is the record beside the file (json), or that of the run whose
    `model.safetensors` it is, or None.
    """
    path = weights_path(weights)
    beside = path.with_suffix(".json")
    provenance = None
    if os.path.lexists(beside):
        provenance = read_json(beside, "provenance")
    elif path.name == TRAINED and all(
        os.path.lexists(path.parent / record) for record in (CONFIG, ENVIRONMENT, METRICS)
    ):
        provenance = run_provenance(path.parent)
    return {"sha256": sha256(path), "provenance": provenance}


def run_provenance(run: Path) -> dict[str, Any]:
    """Return how the weights of a run were made, from its records.

    That is: command, commit, seed, pictures, minutes, hardware, versions, options, and the
    provenance of the weights that it started from. Raises FileNotFoundError, or DataError that
    names the damaged record.
    """
    config = read_record(run, CONFIG, Config)
    environment = read_record(run, ENVIRONMENT, Environment)
    last = _last_line(run)
    return {
        "command": environment["command"],
        "commit": environment["commit"],
        "seed": config["seed"],
        "images": last["images"],
        "minutes": round(last["seconds"] / 60, 1),
        "hardware": f"{environment['cpu']}, {environment['threads']} thread(s)"
        + (f", {environment['gpu']}" if environment["gpu"] else ""),
        "versions": {k: environment[k] for k in ("python", "torch", "numpy", "hmr_edu")},
        "config": config,
        "start": read_optional(run, START, Start),
    }


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
