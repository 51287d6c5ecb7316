"""The evaluation of a run as the report shows it: headlines, tables, errors of each joint.

An evaluation is {test set: {"baselines": {name: metrics}, "before": metrics, "after": metrics}};
any part of it may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Metrics = Mapping[str, Any]


class Metric(NamedTuple):
    """A column of the tables: its key in the records, title, unit, and what it measures."""

    key: str
    title: str
    unit: str
    meaning: str


METRICS = (
    Metric("pa_mpjpe", "PA-MPJPE", "mm", "joint error after Procrustes alignment: the pose alone"),
    Metric("mpjpe", "MPJPE", "mm", "joint error with mid-hips aligned: pose and direction"),
    Metric("pve", "PVE", "mm", "vertex error: pose, direction and shape"),
    Metric("pck", "PCK", "%", "joints within 150 mm"),
    Metric("auc", "AUC", "%", "PCK averaged over thresholds up to 150 mm"),
    Metric("pck2d", "PCK 2D", "%", "keypoints within a tenth of the picture"),
    Metric("facing_wrong", "facing wrong", "%", "bodies turned by more than 90 degrees"),
    Metric("distance_to_real_pose", "to a real pose", "°", "distance to the nearest recorded pose"),
)
HEADLINE = "pa_mpjpe"
REFERENCE = "mean theta"  # the baseline that ratios are taken to
DASH = "\N{EN DASH}"  # where a number is missing


class SetScores(NamedTuple):
    """What was measured on one test set; `reference` names the baseline for ratios."""

    name: str
    about: str
    reference: str | None
    rows: dict[str, Metrics]

    @property
    def reference_metrics(self) -> Metrics:
        """The metrics of the baseline that ratios are taken to."""
        return self.rows.get(self.reference or "", {})


class Headline(NamedTuple):
    """How much of a baseline's error is left on one test set; numbers as text."""

    test_set: str
    baseline: str
    ratio: str
    after: str
    reference: str
    before: str


class Cell(NamedTuple):
    """A number of a table, as text, and its ratio to the reference, where it has one."""

    text: str
    ratio: str


class Row(NamedTuple):
    """One predictor's cells; a strong row is stressed."""

    name: str
    cells: list[Cell]
    strong: bool


class ScoreTable(NamedTuple):
    """A test set's table: a row a predictor, a column a metric."""

    name: str
    titles: list[str]
    rows: list[Row]
    caption: str


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
        rows: dict[str, Metrics] = baselines | {"before": named["before"]}
        rows |= {f"after, step {i + 1} only": _mapping(step) for i, step in enumerate(early)}
        rows |= {"after": named["after"], "ground truth": named["truth"]}
        rows = {key: row for key, row in rows.items() if row}
        reference = REFERENCE if REFERENCE in rows else next(iter(baselines), None)
        if rows:
            sets.append(SetScores(name, _about(_mapping(record.get("about"))), reference, rows))
    return sets


def headlines(sets: Sequence[SetScores]) -> list[Headline]:
    """Compare the trained network with the reference, once a test set that has both."""
    lines = []
    for test_set in sets:
        before, after = (_number(test_set.rows.get(name), HEADLINE) for name in ("before", "after"))
        reference = _number(test_set.reference_metrics, HEADLINE)
        if math.isfinite(after) and reference > 0:
            errors = (_format(error, "mm", " mm") for error in (after, reference, before))
            ratio = _ratio(after, reference)
            lines.append(Headline(test_set.name, test_set.reference or "", ratio, *errors))
    return lines


def score_tables(sets: Sequence[SetScores]) -> list[ScoreTable]:
    """Lay each test set out as a table, with ratios to its reference."""
    tables = []
    for test_set in sets:
        predictors = test_set.rows
        columns = [m for m in METRICS if any(m.key in row for row in predictors.values())]
        titles = ["predictor", *(f"{m.title}, mm" if m.unit == "mm" else m.title for m in columns)]
        rows = [
            Row(
                name,
                [_cell(metrics, test_set.reference_metrics, metric) for metric in columns],
                strong=name == "after",
            )
            for name, metrics in predictors.items()
        ]
        caption = test_set.about
        if test_set.reference:
            caption += f" Small: ratio to the baseline “{test_set.reference}”."
        tables.append(ScoreTable(test_set.name, titles, rows, caption))
    return tables


def joint_errors(test_set: SetScores) -> dict[str, dict[str, float]]:
    """Return {predictor: {joint: mm}} for the reference, before and after; without the missing."""
    errors = {}
    for name in dict.fromkeys((test_set.reference or "", "before", "after")):
        per_joint = _mapping(test_set.rows.get(name, {}).get("per_joint"))
        if per_joint:
            errors[name] = {joint: _number(per_joint, joint) for joint in per_joint}
    return errors


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _about(about: Metrics) -> str:
    sentences = []
    if isinstance(images := about.get("images"), int):
        sentences.append(f"{images:,} pictures.")
    for key, title in (("poses", "Poses"), ("real_poses", "Recorded poses")):
        if key in about:
            sentences.append(f"{title}: {about[key]}.")
    return " ".join(sentences)


def _number(values: Metrics | None, key: str) -> float:
    value = (values or {}).get(key)
    # JSON knows whole numbers that are larger than every float.
    fits = isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53)
    return float(value) if fits else math.nan


def _cell(metrics: Metrics, reference_metrics: Metrics, metric: Metric) -> Cell:
    value, reference = _number(metrics, metric.key), _number(reference_metrics, metric.key)
    compared = metric.unit == "mm" and metrics is not reference_metrics
    has_ratio = compared and reference > 0 and math.isfinite(value)
    return Cell(_format(value, metric.unit), _ratio(value, reference) if has_ratio else "")


def _ratio(value: float, reference: float) -> str:
    return f"{value / reference:.2f} \N{MULTIPLICATION SIGN}"


def _format(value: float, unit: str, suffix: str = "") -> str:
    if not math.isfinite(value):
        return DASH
    return {"mm": f"{value:.1f}{suffix}", "%": f"{100 * value:.1f} %", "°": f"{value:.1f}°"}[unit]
