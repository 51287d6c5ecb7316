"""Charts of an experiment's record, with a dot or a line for every seed."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from hmr_edu.experiments.results_table import TITLES, step_values, values
from hmr_edu.viz.palette import BLUE, CYCLE, GREY


def dot_rows(ax: Axes, record: dict[str, Any], measure: str, named: bool = True) -> None:
    """Draw a row for each variant: its seeds as dots, their mean as a line.

    Args:
        ax: the axes to draw on.
        record: the experiment's, with all its runs.
        measure: a key of `hmr_edu.experiments.results_table.TITLES`.
        named: whether the rows are labelled with the variants.
    """
    variants = list(record["variants"])
    for row, variant in enumerate(variants):
        dots = values(record, variant, measure)
        mean = sum(dots) / len(dots)
        ax.plot([mean, mean], [row - 0.3, row + 0.3], color=GREY, lw=1.2, zorder=1)
        ax.plot(dots, [row] * len(dots), "o", color=BLUE, ms=4.5, alpha=0.8)
    title, unit, _ = TITLES[measure]
    ax.set(yticks=range(len(variants)), yticklabels=variants if named else [])
    ax.set(ylim=(len(variants) - 0.5, -0.5), xlabel=f"{title} ({unit})" if unit else title)


def step_lines(ax: Axes, record: dict[str, Any], measure: str) -> None:
    """Draw a measure against the regression step, a line a seed; a ring marks the trained end."""
    for variant, colour in zip(record["variants"], CYCLE, strict=False):
        for k, line in enumerate(step_values(record, variant, measure)):
            ax.plot(
                range(1, len(line) + 1),
                line,
                ".-",
                color=colour,
                lw=1,
                ms=4,
                label=None if k else variant,
            )
        trained = next(r["trained_steps"] for r in record["runs"] if r["variant"] == variant)
        ring = values(record, variant, measure)[0]
        ax.plot(trained, ring, "o", mfc="none", ms=9, mew=1.6, color=colour, zorder=5)
    title, unit, _ = TITLES[measure]
    ax.set(xlabel="step", ylabel=f"{title} ({unit})")
