"""The report of a training run: one HTML file drawn from the run's records, complete or not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from hmr_edu.body import SMPL, load_body
from hmr_edu.errors import DataError
from hmr_edu.files import atomic_write
from hmr_edu.viz import charts, html
from hmr_edu.viz.people import people_section
from hmr_edu.viz.records import Run, read_run

# (name in the records, title, format, what it says)
METRICS = (
    ("pa_mpjpe", "PA-MPJPE", "mm", "joint error after similarity alignment: the pose alone"),
    ("mpjpe", "MPJPE", "mm", "joint error with mid-hips aligned: pose and direction"),
    ("pve", "PVE", "mm", "vertex error: pose, direction and shape"),
    ("pck", "PCK", "%", "joints within 150 mm"),
    ("auc", "AUC", "%", "PCK averaged over thresholds up to 150 mm"),
    ("pck2d", "PCK 2D", "%", "keypoints near enough in the picture"),
    ("facing_wrong", "facing wrong", "%", "bodies turned by more than 90 degrees"),
    ("distance_to_real_pose", "from a real pose", "°", "distance to the nearest recorded pose"),
)
HEADLINE = "pa_mpjpe"
REFERENCE = "mean theta"  # the baseline that ratios are taken to


def write_report(run_dir: str | Path) -> Path:
    """Draw `report.html` in a run folder and return its path.

    Whatever the run did not record, or recorded and lost, is named in the report. Raises
    FileNotFoundError when there is no such folder.
    """
    run = read_run(run_dir)
    sections = [_headline(run), _table(run), _people(run), _curves(run), _joints(run), _facts(run)]
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


def _test_sets(run: Run) -> dict[str, dict[str, Mapping[str, Any]]]:
    """For each test set: predictor -> metrics, baselines first, then before and after."""
    sets = {}
    for name, records in run.evaluation.items():
        if not isinstance(records, dict):
            continue
        baselines = records.get("baselines")
        rows = dict(baselines) if isinstance(baselines, dict) else {}
        rows |= {key: records[key] for key in ("before", "after") if key in records}
        rows = {key: values for key, values in rows.items() if isinstance(values, dict)}
        if rows:
            sets[name] = rows
    return sets


def _reference(rows: Mapping[str, Mapping[str, Any]]) -> str | None:
    baselines = [name for name in rows if name not in ("before", "after")]
    return REFERENCE if REFERENCE in baselines else next(iter(baselines), None)


def _number(values: Mapping[str, Any] | None, metric: str) -> float:
    value = (values or {}).get(metric)
    return float(value) if isinstance(value, int | float) else math.nan


def _headline(run: Run) -> str:
    tiles = []
    for test_set, rows in _test_sets(run).items():
        reference = _reference(rows)
        after, base = (_number(rows.get(name or ""), HEADLINE) for name in ("after", reference))
        if not (math.isfinite(after) and base > 0):
            continue
        before = _number(rows.get("before"), HEADLINE)
        tiles.append(
            f'<div class="tile"><span class="soft">{escape(test_set)}, PA-MPJPE</span>'
            f"<b>{after / base:.2f} &times;</b><span>the error of the baseline "
            f"&ldquo;{escape(reference or '')}&rdquo;: {after:.1f} mm against {base:.1f} mm; "
            f"before training {_format(before, 'mm')} mm</span></div>"
        )
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def _table(run: Run) -> str:
    parts = []
    for test_set, rows in _test_sets(run).items():
        shown = [m for m in METRICS if any(m[0] in values for values in rows.values())]
        reference = _reference(rows)
        body = [
            (name, [_cell(values, rows.get(reference or ""), m) for m in shown], name == "after")
            for name, values in rows.items()
        ]
        header = [
            "predictor",
            *(title + (f", {unit}" if unit == "mm" else "") for _, title, unit, _ in shown),
        ]
        caption = f"Small: ratio to the baseline \u201c{reference}\u201d." if reference else ""
        parts.append(f"<h3>{escape(test_set)}</h3>" + html.table(header, body, caption))
    if not parts:
        return ""
    meanings = "; ".join(f"{title}: {meaning}" for _, title, _, meaning in METRICS)
    parts.append(f'<p class="soft small">{escape(meanings)}.</p>')
    return "<h2>How good it is, on people never trained on</h2>" + "".join(parts)


def _cell(
    values: Mapping[str, Any], reference: Mapping[str, Any] | None, metric: tuple[str, ...]
) -> str:
    name, _, unit, _ = metric
    value, base = _number(values, name), _number(reference, name)
    text = _format(value, unit)
    if unit == "mm" and values is not reference and base > 0 and math.isfinite(value):
        text += f"<small>{value / base:.2f} &times;</small>"
    return text


def _format(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "&ndash;"
    return {"mm": f"{value:.1f}", "%": f"{100 * value:.1f} %", "°": f"{value:.1f}°"}[unit]


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


def _joints(run: Run) -> str:
    parts = []
    for test_set, rows in _test_sets(run).items():
        bars = {}
        for name in (_reference(rows), "before", "after"):
            values = rows.get(name or "", {}).get("per_joint")
            if isinstance(values, dict):
                bars[name or ""] = {joint: _number(values, joint) for joint in values}
        if bars:
            parts.append(f"<h3>{escape(test_set)}</h3>")
            parts.append(
                html.svg_figure(
                    charts.joint_chart(bars),
                    f"Bars: error of every joint on {test_set} for {', '.join(bars)}.",
                )
            )
    return "<h2>Joint by joint</h2>" + "".join(parts) if parts else ""


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
