"""A diagram of the regressor's loop: the inputs of a step, and what the next step takes over."""

from __future__ import annotations

from matplotlib.figure import Figure

from hmr_edu.viz.diagrams.boxes import draw_arrow, draw_box
from hmr_edu.viz.lesson import figure
from hmr_edu.viz.palette import BLACK, BLUE, GREEN, GREY, ORANGE

# name: lower left corner, title and small line, colour
BOXES = {
    "features": ((0.0, 2.0), (r"$\phi$", "features"), ORANGE),
    "mean": ((0.0, 0.5), (r"$\bar\Theta$", "the mean"), GREY),
    "state": ((2.3, 0.5), (r"$\Theta_t$", "estimate"), BLUE),
    "net": ((3.6, 2.0), (r"$f$", "perceptron"), GREEN),
    "next": ((6.9, 0.5), (r"$\Theta_{t+1}$", "kept"), BLUE),
}
WIDTH, HEIGHT = 1.3, 0.9
PLUS = 5.75, 0.95  # centre of the sum


def loop_map() -> Figure:
    """Draw features and estimate -> f -> correction, their sum, and the arrow back."""
    diagram = figure(7.0, 2.5)
    ax = diagram.add_subplot()
    ax.set(xlim=(-0.1, 8.4), ylim=(-0.25, 3.0), aspect="equal")
    ax.axis("off")
    for corner, texts, colour in BOXES.values():
        draw_box(ax, corner, (WIDTH, HEIGHT), texts, colour)
    ax.text(*PLUS, "+", size=13, ha="center", va="center", color=BLACK)
    ax.plot(*PLUS, "o", ms=20, mfc="none", mec=BLACK, mew=1.4)
    radius = 0.26
    draw_arrow(ax, (1.3, 2.45), (3.6, 2.45))  # features to f
    draw_arrow(ax, (1.3, 0.95), (2.3, 0.95))  # the mean begins
    draw_arrow(ax, (3.2, 1.4), (4.0, 2.0))  # estimate to f
    draw_arrow(ax, (3.6, 0.95), (PLUS[0] - radius, 0.95))  # estimate to the sum
    draw_arrow(ax, (4.9, 2.45), (PLUS[0], 0.95 + radius), "angle,angleA=0,angleB=90,rad=6")
    draw_arrow(ax, (PLUS[0] + radius, 0.95), (6.9, 0.95))
    draw_arrow(ax, (7.55, 0.5), (2.95, 0.5), "arc,angleA=-90,angleB=-90,armA=22,armB=22,rad=8")
    for x, y, text in (
        (1.8, 1.15, "start"),
        (6.35, 2.62, "correction"),
        (5.25, -0.1, r"again, until $t = T$"),
    ):
        ax.text(x, y, text, size=8, ha="center", color=BLACK)
    return diagram
