"""Read the records of a training run, which may be complete, partial or damaged.

A run may have been killed at any moment, so no file is required. Whatever is missing or unusable
becomes a sentence in `Run.notes`, and the rest is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hmr_edu.io.errors import DataError
from hmr_edu.training.run_records import (
    CONFIG,
    ENVIRONMENT,
    EVALUATION,
    METRICS,
    Samples,
    listed,
    read_log,
    read_record,
    read_samples,
)


class Step(NamedTuple):
    """One line of metrics.jsonl; a number that is not in the line is NaN."""

    step: int
    images: int
    seconds: float
    images_per_second: float
    learning_rate: float
    losses: dict[str, float]


@dataclass
class Run:
    """The records of a run folder, and `notes` on what is missing."""

    path: Path
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    sample_files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


MISSING = {
    CONFIG: "the options of the run are unknown",
    ENVIRONMENT: "versions and hardware are unknown",
    METRICS: "there are no curves",
    EVALUATION: "the run stopped before it was evaluated",
}


def read_run(path: str | Path) -> Run:
    """Read a run folder. Raises FileNotFoundError when there is no such folder."""
    run = Run(Path(path))
    if not run.path.is_dir():
        raise FileNotFoundError(f"no run folder {run.path}")
    run.config = _read_object(run, CONFIG)
    run.environment = _read_object(run, ENVIRONMENT)
    run.evaluation = _read_object(run, EVALUATION)
    run.steps = _read_steps(run)
    # Nine digits, so that the order of names is the order of time.
    run.sample_files = sorted((run.path / "samples").glob("[0-9]" * 9 + ".npz"))
    if not run.sample_files:
        run.notes.append("samples: no pictures were kept, so no bodies can be shown.")
    return run


def _read_object(run: Run, name: str) -> dict[str, Any]:
    try:
        return read_record(run.path, name, dict[str, Any])
    except FileNotFoundError:
        run.notes.append(f"{name} is missing: {MISSING[name]}.")
    except (DataError, OSError) as error:
        run.notes.append(f"{name} is damaged ({_reason(error, run)}): {MISSING[name]}.")
    return {}


def _read_steps(run: Run) -> list[Step]:
    try:
        log = read_log(run.path)
    except FileNotFoundError:
        run.notes.append(f"{METRICS} is missing: {MISSING[METRICS]}.")
        return []
    except (DataError, OSError) as error:
        run.notes.append(f"{METRICS} is damaged ({_reason(error, run)}): {MISSING[METRICS]}.")
        return []
    steps: list[Step] = []
    for step in (_as_step(record) for _, record in log.lines):
        # A resumed run repeats the steps since its checkpoint: the later record counts.
        while steps and steps[-1].step >= step.step:
            steps.pop()
        steps.append(step)
    if log.damaged:
        plural = "lines" if len(log.damaged) > 1 else "line"
        run.notes.append(f"{METRICS}: {plural} {listed(log.damaged)} damaged and left out.")
    if log.torn:
        run.notes.append(f"{METRICS}: the last line is cut off and left out.")
    return steps


def _reason(error: Exception, run: Run) -> str:
    """Return an error's message without the folder, which the report's reader knows."""
    return str(error).replace(f"{run.path}{os.sep}", "")


def _as_step(record: dict[str, Any]) -> Step:
    numbers = (record.get(name) for name in ("seconds", "images_per_second", "learning_rate"))
    known = (float("nan") if number is None else float(number) for number in numbers)
    losses = {name: float(value) for name, value in record.get("losses", {}).items()}
    return Step(record["step"], record["images"], *known, losses)


__all__ = ["Run", "Samples", "Step", "read_run", "read_samples"]
