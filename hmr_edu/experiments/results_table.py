"""Reading records: what each variant measured, the mean over the seeds and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from hmr_edu.io.tables import markdown_table, text_table

# measure: (title, unit, digits)
TITLES = {
    "pa_mpjpe": ("PA-MPJPE", "mm", 1),
    "mpjpe": ("MPJPE", "mm", 1),
    "pve": ("PVE", "mm", 1),
    "error2d": ("2D error", "% of crop", 2),
    "pck2d": ("PCK 2D", "", 3),
    "facing_wrong": ("facing wrong", "", 3),
    "distance_to_real_pose": ("to a real pose", "deg", 1),
    "beyond_limits": ("beyond limits", "joints", 2),
    "log_prior": ("log prior", "nats", 0),
    "betas": ("betas off", "", 2),
    "scale": ("scale off", "%", 1),
    # Of people who lean by 35 degrees or more: they kick, sit on the ground or lie.
    "leaning_pa_mpjpe": ("PA, leaning", "mm", 1),
    # Of 2D keypoints with 3 % noise, and where 30 % of them are missing.
    "noisy_pa_mpjpe": ("PA, 3 % noise", "mm", 1),
    "missing_pa_mpjpe": ("PA, 30 % missing", "mm", 1),
    # On recorded poses, where they are found.
    "mocap_pa_mpjpe": ("mocap PA", "mm", 1),
    "mocap_mpjpe": ("mocap MPJPE", "mm", 1),
    "mocap_noisy_pa_mpjpe": ("mocap PA, 3 % noise", "mm", 1),
    "mocap_missing_pa_mpjpe": ("mocap PA, 30 % missing", "mm", 1),
    "mocap_leaning_pa_mpjpe": ("mocap PA, leaning", "mm", 1),
    "mocap_facing_wrong": ("mocap facing wrong", "", 3),
    # On real pictures, where they are given.
    "photos_pck": ("photos PCK", "", 3),
    "photos_pck_cut_off": ("PCK, people cut off", "", 3),
    "photos_knees": ("straight legs' knees", "deg", 1),
    "views_pck": ("views PCK", "", 3),
    "views_knees": ("views, straight legs' knees", "deg", 1),
    "views_pa_mpjpe": ("views PA", "mm", 1),
    "views_facing_flipped": ("views facing flipped", "", 3),
}
REAL_MEASURES = tuple(name for name in TITLES if name.startswith(("photos_", "views_")))


def values(record: dict[str, Any], variant: str, measure: str) -> list[float]:
    """Return a measure of a variant, one number a seed; of the step that "variant @ step" names."""
    name, _, step = variant.partition(" @ ")
    runs = sorted((r for r in record["runs"] if r["variant"] == name), key=lambda r: r["seed"])
    if not step:
        return [run["final"][measure] for run in runs]
    return [run["steps"][int(step) - 1][measure] for run in runs]


def step_values(record: dict[str, Any], variant: str, measure: str) -> list[list[float]]:
    """Return a measure of every step of a variant, one list a seed."""
    runs = sorted((r for r in record["runs"] if r["variant"] == variant), key=lambda r: r["seed"])
    return [[step[measure] for step in run["steps"]] for run in runs]


def mean_and_spread(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (0 for a single number)."""
    return statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else 0.0


def table(record: dict[str, Any], measures: Sequence[str]) -> str:
    """Lay a record out as text: a row a variant, mean ± standard deviation over its seeds.

    Measures that not every run has are left out.
    """
    measures = _measured(record, measures)
    lines = [
        ["", "seeds", *(TITLES[name][0] for name in measures)],
        ["", "", *(TITLES[name][1] for name in measures)],
    ]
    for variant in record["variants"]:
        seeds = len(values(record, variant, measures[0]))
        lines.append([variant, str(seeds), *_cells(record, variant, measures)])
    return text_table(lines)


def markdown(record: dict[str, Any], measures: Sequence[str]) -> str:
    """Lay a record out as Markdown, as `table` does; the number of seeds is left out."""
    measures = _measured(record, measures)
    titles = (f"{TITLES[name][0]} {TITLES[name][1]}".strip() for name in measures)
    rows = ([variant, *_cells(record, variant, measures)] for variant in record["variants"])
    return markdown_table(["", *titles], rows)


def _measured(record: dict[str, Any], measures: Sequence[str]) -> list[str]:
    return [name for name in measures if all(name in run["final"] for run in record["runs"])]


def _cells(record: dict[str, Any], variant: str, measures: Sequence[str]) -> list[str]:
    return [_cell(values(record, variant, name), TITLES[name][2]) for name in measures]


def _cell(numbers: Sequence[float], digits: int) -> str:
    if not numbers:
        return "-"
    mean, spread = mean_and_spread(numbers)
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"
