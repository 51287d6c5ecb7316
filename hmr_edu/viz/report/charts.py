"""The curves and bars of a report, as SVG drawings.

Figures are objects of their own; pyplot and its global state are not used.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from scipy.ndimage import gaussian_filter1d

from hmr_edu.viz.palette import BLACK, BLUE, CYCLE, GREEN, GREY, ORANGE
from hmr_edu.viz.report.records import Step

# Both sides of the adversary: the name of its curve, and what one critic adds to the loss when it
# says 0.5 to everything: (D - 1)^2 on the network's side, (D - 1)^2 + D^2 on the critics'.
ADVERSARY = {"adversary": ("the network's side", 0.25), "critics": ("the critics' side", 0.5)}
SMOOTHING = 0.012  # sigma of a smoothed curve, as a share of the run
POINTS = 400  # in a curve; more cannot be seen


def smooth(values: Float[np.ndarray, " n"], sigma: float | int) -> Float[np.ndarray, " n"]:
    """Average each value with its neighbours (a Gaussian, `sigma` in samples); NaNs are skipped.

    Values before and after count alike, so that the curve does not lag behind.
    """
    known = np.isfinite(values)
    weight = gaussian_filter1d(known.astype(float), sigma, mode="constant")
    total = gaussian_filter1d(np.where(known, values, 0.0), sigma, mode="constant")
    return np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), np.nan)


def loss_chart(steps: Sequence[Step]) -> str:
    """Draw a small chart for every loss term over the images seen: raw pale, smoothed dark."""
    names = [name for name in _terms(steps) if name not in ADVERSARY]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(10.5, 2.3 * rows + 0.3)
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        values = [step.losses.get(name, np.nan) for step in steps]
        _curve(axes, _images(steps), values, CYCLE[i % len(CYCLE)])
        axes.set_title(name.replace("_", " "), loc="left", fontsize=10, fontweight="bold")
        # A loss that falls over decades is read on a logarithmic axis.
        finite = np.array([value for value in values if np.isfinite(value)])
        if len(finite) > 1 and finite.min() > 0 and finite.max() > 30 * finite.min():
            axes.set_yscale("log")
        elif len(finite):
            axes.set_ylim(bottom=min(0, finite.min()))
        if i < len(names) - columns:
            axes.set_xlabel("")
    return _svg(figure)


def adversary_chart(steps: Sequence[Step], critics: int = 25) -> str | None:
    """Draw both sides of the adversary and their levels at chance; None when it took no part.

    `critics` is how many critics the losses sum over; 25 means 6.25 and 12.5 at chance.
    """
    names = [name for name in _terms(steps) if name in ADVERSARY]
    if not names:
        return None
    figure = _figure(10.5, 3.2)
    axes = figure.add_subplot()
    for name, colour in zip(names, (BLUE, ORANGE), strict=False):
        values = [step.losses.get(name, np.nan) for step in steps]
        title, chance_of_one = ADVERSARY[name]
        _curve(axes, _images(steps), values, colour, title)
        chance = critics * chance_of_one
        axes.axhline(chance, color=colour, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"chance {chance:g}",
            (1, chance),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
        )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    return _svg(figure)


def speed_chart(steps: Sequence[Step]) -> str:
    """Draw images a second over the run."""
    figure = _figure(5.2, 2.6)
    axes = figure.add_subplot()
    _curve(axes, _images(steps), [step.images_per_second for step in steps], GREEN)
    axes.set_ylim(bottom=0)
    axes.set_title("images a second", loc="left", fontsize=10, fontweight="bold")
    return _svg(figure)


def rate_chart(steps: Sequence[Step]) -> str:
    """Draw the learning rate over the run."""
    figure = _figure(5.2, 2.6)
    axes = figure.add_subplot()
    _curve(axes, _images(steps), [step.learning_rate for step in steps], BLACK)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="plain")
    axes.set_title("learning rate", loc="left", fontsize=10, fontweight="bold")
    return _svg(figure)


def joint_chart(bars: Mapping[str, Mapping[str, float]]) -> str:
    """Draw the error of every joint in mm: a group of bars a joint, a bar a predictor."""
    joints = list(dict.fromkeys(joint for values in bars.values() for joint in values))
    figure = _figure(10.5, 3.4)
    axes = figure.add_subplot()
    width = 0.8 / len(bars)
    colours = {"before": GREY, "after": BLUE}
    centres = np.arange(len(joints))
    for i, (name, values) in enumerate(bars.items()):
        axes.bar(
            centres + (i - (len(bars) - 1) / 2) * width,
            [values.get(joint, np.nan) for joint in joints],
            width * 0.92,
            color=colours.get(name, ORANGE),
            label=name,
        )
    axes.set_xticks(centres, [joint.replace("_", "\n") for joint in joints], fontsize=8)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("mm")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=len(bars))
    return _svg(figure)


def _terms(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name in step.losses))


def _images(steps: Sequence[Step]) -> list[int]:
    return [step.images for step in steps]


def _curve(
    axes: Axes, images: Sequence[int], values: Sequence[float], colour: str, label: str = ""
) -> None:
    stride = max(1, len(values) // POINTS)
    raw = np.asarray(values, float)
    smoothed = smooth(raw, SMOOTHING * len(raw))
    axes.plot(images[::stride], raw[::stride], color=colour, alpha=0.28, linewidth=0.9)
    dot = "o" if len(values) < 3 else ""
    axes.plot(
        images[::stride],
        smoothed[::stride],
        color=colour,
        linewidth=1.9,
        marker=dot,
        label=label or None,
    )
    axes.set_xlabel("images seen")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(colors="#59636e", labelsize=9)
        axes.grid(axis="y", color="#d8dee4", linewidth=0.7)
        axes.set_axisbelow(True)
    buffer = io.StringIO()
    no_metadata: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(buffer, metadata=no_metadata)
    # From the <svg> tag on, because the prolog names a DTD on another server.
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
