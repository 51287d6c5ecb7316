"""Boxes and arrows for the diagrams of the course."""

from __future__ import annotations

from typing import Any

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
    """Draw a rounded box with two lines of text.

    Args:
        ax: the axes to draw on.
        corner: the lower left one, in data units.
        size: width and height, in data units.
        texts: the title, and the small line below it.
        colour: "#rrggbb", of the frame.
    """
    (x, y), (width, height) = corner, size
    rounded = "round,pad=0,rounding_size=0.12"
    ax.add_patch(FancyBboxPatch(corner, width, height, rounded, fc="white", ec=colour, lw=1.8))
    title, text = texts
    centred: dict[str, Any] = {"ha": "center", "va": "center", "color": BLACK}
    ax.text(x + width / 2, y + height * 0.63, title, weight="bold", **centred)
    ax.text(x + width / 2, y + height * 0.29, text, size=8, **centred)


def draw_arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: str = "arc3"
) -> None:
    """Draw an arrow between two points.

    Args:
        ax: the axes to draw on.
        start: the tail, in data units.
        end: the tip, in data units.
        bend: matplotlib's connection style.
    """
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", connectionstyle=bend)
    arrow.set(mutation_scale=11, color=GREY, linewidth=1.4)
    ax.add_patch(arrow)
