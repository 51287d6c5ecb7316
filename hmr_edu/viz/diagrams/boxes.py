"""Boxes and arrows: what the course's diagrams are drawn with."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from hmr_edu.viz.palette import BLACK, GREY


def draw_box(
    ax: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    texts: tuple[str, str],
    colour: str,
) -> None:
    """Draw a rounded box: its lower left corner and size in data units, its name, a small line."""
    (x, y), (width, height) = corner, size
    rounded = "round,pad=0,rounding_size=0.12"
    ax.add_patch(FancyBboxPatch(corner, width, height, rounded, fc="white", ec=colour, lw=1.8))
    title, text = texts
    centred = {"ha": "center", "va": "center", "color": BLACK}
    ax.text(x + width / 2, y + height * 0.63, title, weight="bold", **centred)
    ax.text(x + width / 2, y + height * 0.29, text, size=8, **centred)


def draw_arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: str = "arc3"
) -> None:
    """Draw an arrow between two points; `bend` is matplotlib's connection style."""
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", connectionstyle=bend)
    arrow.set(mutation_scale=11, color=GREY, linewidth=1.4)
    ax.add_patch(arrow)
