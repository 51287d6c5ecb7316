"""The evaluation of a run, as markup: headline, table, errors joint by joint.

An evaluation is {test set: {"baselines": {name: metrics}, "before": metrics, "after": metrics}};
any part of it may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

from hmr_edu.viz.report import charts, html

Metrics = Mapping[str, Any]

# (name in the records, title, format, what it says)
METRICS = (
    ("pa_mpjpe", "PA-MPJPE", "mm", "joint error after similarity alignment: the pose alone"),
    ("mpjpe", "MPJPE", "mm", "joint error with mid-hips aligned: pose and direction"),
    ("pve", "PVE", "mm", "vertex error: pose, direction and shape"),
    ("pck", "PCK", "%", "joints within 150 mm"),
    ("auc", "AUC", "%", "PCK averaged over thresholds up to 150 mm"),
    ("pck2d", "PCK 2D", "%", "keypoints within a tenth of the picture"),
    ("facing_wrong", "facing wrong", "%", "bodies turned by more than 90 degrees"),
    ("distance_to_real_pose", "from a real pose", "°", "distance to the nearest recorded pose"),
)
HEADLINE = "pa_mpjpe"
REFERENCE = "mean theta"  # the baseline that ratios are taken to


class SetScores(NamedTuple):
    """What was measured on one test set; `reference` names the baseline for ratios."""

    name: str
    about: str
    reference: str | None
    rows: dict[str, Metrics]

    @property
    def base(self) -> Metrics:
        """The reference's metrics."""
        return self.rows.get(self.reference or "", {})


def read_scores(evaluation: Mapping[str, Any]) -> list[SetScores]:
    """Order the rows of an evaluation, leaving out whatever is not as it should be."""
    sets = []
    for name, record in evaluation.items():
        record = _mapping(record)
        baselines = {key: _mapping(row) for key, row in _mapping(record.get("baselines")).items()}
        named = {key: _mapping(record.get(key)) for key in ("before", "after", "truth")}
        steps = named["after"].get("steps")
        # The last step is the answer itself.
        early = steps[:-1] if isinstance(steps, list) else []
        rows = baselines | {"before": named["before"]}
        rows |= {f"after, step {i + 1} only": _mapping(step) for i, step in enumerate(early)}
        rows |= {"after": named["after"], "the truth": named["truth"]}
        rows = {key: row for key, row in rows.items() if row}
        reference = REFERENCE if REFERENCE in rows else next(iter(baselines), None)
        if rows:
            sets.append(SetScores(name, _about(_mapping(record.get("about"))), reference, rows))
    return sets


def headline(sets: list[SetScores]) -> str:
    """Make a tile a test set: how much of the reference's error is left."""
    tiles = []
    for test_set in sets:
        after, base = (
            _number(test_set.rows.get("after"), HEADLINE),
            _number(test_set.base, HEADLINE),
        )
        if not (math.isfinite(after) and base > 0):
            continue
        before = _format(_number(test_set.rows.get("before"), HEADLINE), "mm")
        tiles.append(
            f'<div class="tile"><span class="soft">{escape(test_set.name)}, PA-MPJPE</span>'
            f"<b>{after / base:.2f} &times;</b><span>the error of the baseline "
            f"&ldquo;{escape(test_set.reference or '')}&rdquo;: {after:.1f} mm against "
            f"{base:.1f} mm; before training {before} mm</span></div>"
        )
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def tables(sets: list[SetScores]) -> str:
    """Make a table a test set: a row a predictor, a column a metric, with ratios."""
    if not sets:
        return ""
    parts = ["<h2>How good it is, on people never trained on</h2>"]
    for test_set in sets:
        shown = [m for m in METRICS if any(m[0] in row for row in test_set.rows.values())]
        body = [
            (name, [_cell(row, test_set.base, m[0], m[2]) for m in shown], name == "after")
            for name, row in test_set.rows.items()
        ]
        header = ["predictor", *(f"{t}, mm" if unit == "mm" else t for _, t, unit, _ in shown)]
        caption = test_set.about
        if test_set.reference:
            caption += f" Small: ratio to the baseline \u201c{test_set.reference}\u201d."
        parts.append(f"<h3>{escape(test_set.name)}</h3>" + html.table(header, body, caption))
    meanings = "; ".join(f"{title}: {meaning}" for _, title, _, meaning in METRICS)
    parts.append(f'<p class="soft small">{escape(meanings)}.</p>')
    return "".join(parts)


def joint_charts(sets: list[SetScores]) -> str:
    """Draw a bar chart a test set: errors of every joint for the reference, before and after."""
    parts = []
    for test_set in sets:
        bars = {}
        for name in dict.fromkeys((test_set.reference, "before", "after")):
            errors = _mapping(test_set.rows.get(name or "", {}).get("per_joint"))
            if errors:
                bars[name or ""] = {joint: _number(errors, joint) for joint in errors}
        if bars:
            text = f"Bars: error of every joint on {test_set.name} for {', '.join(bars)}."
            parts.append(f"<h3>{escape(test_set.name)}</h3>")
            parts.append(html.svg_figure(charts.joint_chart(bars), text))
    return "<h2>Joint by joint</h2>" + "".join(parts) if parts else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _about(about: Metrics) -> str:
    parts = []
    if isinstance(images := about.get("images"), int):
        parts.append(f"{images:,} pictures.")
    for key, title in (("poses", "Poses"), ("real_poses", "Recorded poses")):
        if key in about:
            parts.append(f"{title}: {about[key]}.")
    return " ".join(parts)


def _number(values: Metrics | None, metric: str) -> float:
    value = (values or {}).get(metric)
    return float(value) if isinstance(value, int | float) else math.nan


def _cell(values: Metrics, base: Metrics, metric: str, unit: str) -> str:
    value, reference = _number(values, metric), _number(base, metric)
    text = _format(value, unit)
    if unit == "mm" and values is not base and reference > 0 and math.isfinite(value):
        text += f"<small>{value / reference:.2f} &times;</small>"
    return text


def _format(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "&ndash;"
    return {"mm": f"{value:.1f}", "%": f"{100 * value:.1f} %", "°": f"{value:.1f}°"}[unit]
