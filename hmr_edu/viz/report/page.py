"""The report of a training run: one HTML file drawn from the run's records, complete or not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

from hmr_edu.body import SMPL, load_body
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write
from hmr_edu.io.schema import shown
from hmr_edu.viz.report import charts, scores
from hmr_edu.viz.report.html import Drawing, encode_svg, render
from hmr_edu.viz.report.people import People, draw_people
from hmr_edu.viz.report.records import Run, read_run


class Curves(NamedTuple):
    """The charts of a training; None for what took no part in it."""

    losses: Drawing | None
    adversary: Drawing | None
    speed: Drawing
    learning_rate: Drawing


def write_report(run_dir: str | Path) -> Path:
    """Draw `report.html` in a run folder and return its path.

    Whatever the run did not record, or recorded and lost, is named in the report. Raises
    FileNotFoundError when there is no such folder.
    """
    run = read_run(run_dir)
    sets = scores.read_scores(run.evaluation)
    people = _people(run)  # notes what cannot be drawn
    text = render(
        "report.html",
        name=run.path.resolve().name,
        facts=_facts(run),
        notes=run.notes,
        headlines=scores.headlines(sets),
        tables=scores.score_tables(sets),
        metrics=scores.METRICS,
        people=people,
        curves=_curves(run),
        joint_charts=_joint_charts(sets),
        records=_records(run),
    )
    path = run.path / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _facts(run: Run) -> list[str]:
    """Return how long, where and at which commit the run was made."""
    facts = []
    if run.steps:
        last = run.steps[-1]
        facts += [f"{last.images:,} images", f"{last.step:,} steps", _duration(last.seconds)]
    machine = run.environment.get("gpu") or run.environment.get("cpu")
    facts += [str(machine)] if machine else []
    if commit := run.environment.get("commit"):
        facts.append(f"commit {commit}")
    return [fact for fact in facts if fact]


def _people(run: Run) -> People | None:
    """Draw the held-out people, if there are pictures of them and the run's body can be read."""
    body = _body(run) if run.sample_files else None
    return draw_people(run, body) if body else None


def _body(run: Run) -> SMPL | None:
    """Load the body the run was trained with, so that theta is drawn on the right one."""
    model = run.config.get("model")
    name = model.get("body", "lite") if isinstance(model, dict) else "lite"
    try:
        return load_body(str(name))
    except (DataError, FileNotFoundError) as error:
        run.notes.append(f"bodies are not drawn: {error}.")
        return None


def _curves(run: Run) -> Curves | None:
    """Draw the losses, the adversary's apart, the speed and the learning rate."""
    if not run.steps:
        return None
    terms = {name for step in run.steps for name in step.losses}
    losses = adversary = None
    if terms - charts.ADVERSARY.keys():
        losses = Drawing(
            encode_svg(charts.loss_chart(run.steps)),
            "Curves of every loss term over the images seen.",
            "Loss terms as they enter the training; pale: every record, dark: smoothed.",
        )
    critics = run.config.get("critics", 25)
    if type(critics) is not int or not 0 < critics < 1000:
        run.notes.append(f"config.json: `critics` is {shown(critics)}; 25 are assumed.")
        critics = 25
    if chart := charts.adversary_chart(run.steps, critics):
        adversary = Drawing(
            encode_svg(chart),
            "Curves of both adversarial losses with their levels at chance.",
            f"Both sides, summed over the {critics} critics that count. At the dashed lines "
            "every critic says 0.5: real and predicted bodies cannot be told apart.",
        )
    speed = encode_svg(charts.speed_chart(run.steps))
    learning_rate = encode_svg(charts.rate_chart(run.steps))
    return Curves(
        losses,
        adversary,
        Drawing(speed, "Images a second over the run."),
        Drawing(learning_rate, "The learning rate over the run."),
    )


def _joint_charts(sets: list[scores.SetScores]) -> list[tuple[str, Drawing]]:
    """Draw a bar chart a test set whose evaluation knows the errors of joints."""
    drawings = []
    for test_set in sets:
        if errors := scores.joint_errors(test_set):
            alt = f"Bars: error of every joint on {test_set.name} for {', '.join(errors)}."
            drawings.append((test_set.name, Drawing(encode_svg(charts.joint_chart(errors)), alt)))
    return drawings


def _records(run: Run) -> list[tuple[str, str]]:
    """Return what is needed to repeat the run, as titles and JSON."""
    records = {"Options": run.config, "Environment": run.environment}
    return [
        (title, json.dumps(values, indent=2, default=str))
        for title, values in records.items()
        if values
    ]


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s"
