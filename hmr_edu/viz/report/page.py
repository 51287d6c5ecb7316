"""The report of a training run: one HTML file drawn from the run's records, complete or not."""

from __future__ import annotations

import json
import math
from html import escape
from pathlib import Path

from hmr_edu.body import SMPL, load_body
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write
from hmr_edu.viz.report import charts, html, scores
from hmr_edu.viz.report.people import people_section
from hmr_edu.viz.report.records import Run, read_run


def write_report(run_dir: str | Path) -> Path:
    """Draw `report.html` in a run folder and return its path.

    Whatever the run did not record, or recorded and lost, is named in the report. Raises
    FileNotFoundError when there is no such folder.
    """
    run = read_run(run_dir)
    sets = scores.read_scores(run.evaluation)
    sections = [
        scores.headline(sets),
        scores.tables(sets),
        _people(run),
        _curves(run),
        scores.joint_charts(sets),
        _facts(run),
    ]
    # Notes come first on the page but are complete only when everything has been drawn.
    body = _title(run) + _notes(run) + "\n".join(filter(None, sections))
    path = run.path / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(html.page(f"{_name(run)}: training report", body), encoding="utf-8")
    return path


def _name(run: Run) -> str:
    return run.path.resolve().name


def _title(run: Run) -> str:
    facts = []
    if run.steps:
        last = run.steps[-1]
        facts += [f"{last.images:,} images", f"{last.step:,} steps", _duration(last.seconds)]
    machine = run.environment.get("gpu") or run.environment.get("cpu")
    facts += [str(machine)] if machine else []
    if commit := run.environment.get("commit"):
        facts.append(f"commit {commit}")
    line = " &middot; ".join(escape(fact) for fact in facts if fact)
    return f'<h1>{escape(_name(run))}</h1>\n<p class="soft">{line}</p>\n'


def _notes(run: Run) -> str:
    if not run.notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in run.notes)
    return f'<div class="note"><strong>Not complete.</strong><ul>{items}</ul></div>\n'


def _people(run: Run) -> str:
    if not run.sample_files:
        return ""
    body = _body(run)
    pictures = people_section(run, body) if body else ""
    return f"<h2>The same people, before and after</h2>{pictures}" if pictures else ""


def _body(run: Run) -> SMPL | None:
    """Load the body the run was trained with, so that theta is drawn on the right one."""
    model = run.config.get("model")
    name = model.get("body", "lite") if isinstance(model, dict) else "lite"
    try:
        return load_body(str(name))
    except (DataError, FileNotFoundError) as error:
        run.notes.append(f"bodies are not drawn: {error}.")
        return None


def _curves(run: Run) -> str:
    if not run.steps:
        return ""
    terms = [name for step in run.steps for name in step.losses]
    parts = ["<h2>How it learnt</h2>"]
    if any(name not in charts.ADVERSARY for name in terms):
        parts.append(
            html.svg_figure(
                charts.loss_chart(run.steps),
                "Curves of every loss term over the images seen.",
                "Loss terms as they enter the training; pale: every record, dark: smoothed.",
            )
        )
    critics = run.config.get("critics", 25)
    if adversary := charts.adversary_chart(run.steps, critics):
        parts.append("<h3>The adversary</h3>")
        parts.append(
            html.svg_figure(
                adversary,
                "Curves of both adversarial losses with their levels at chance.",
                f"Both sides, summed over the {critics} critics that count. At the dashed lines "
                "every critic says 0.5: real and predicted bodies cannot be told apart.",
            )
        )
    speed = html.svg_figure(charts.speed_chart(run.steps), "Images a second over the run.")
    rate = html.svg_figure(charts.rate_chart(run.steps), "The learning rate over the run.")
    parts.append(f'<h3>The machine</h3><div class="charts">{speed}{rate}</div>')
    return "\n".join(parts)


def _facts(run: Run) -> str:
    parts = [
        html.folded(title, json.dumps(values, indent=2, default=str))
        for title, values in (("Options", run.config), ("Environment", run.environment))
        if values
    ]
    return "<h2>How to do it again</h2>" + "".join(parts) if parts else ""


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s"
