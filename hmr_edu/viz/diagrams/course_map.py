"""A diagram of the course: HMR as boxes, each with the number of the lesson that builds it."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmr_edu.viz.diagrams.boxes import draw_arrow, draw_box
from hmr_edu.viz.lesson import figure
from hmr_edu.viz.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION


class Box(NamedTuple):
    """A part of HMR: its lower left corner, title, small line, lessons that build it, colour."""

    x: float
    y: float
    title: str
    text: str
    lesson: str
    colour: str


WIDTH, HEIGHT = 1.66, 0.92
BOXES = {
    "image": Box(0.0, 1.45, "image", "[B, 3, H, W]", "", GREY),
    "encoder": Box(2.1, 1.45, "encoder", "a ResNet", "", ORANGE),
    "regressor": Box(4.2, 1.45, "regressor", "T steps", "04", BLUE),
    "body": Box(6.3, 1.45, "SMPL body", "mesh, keypoints", "01 02", GREEN),
    "camera": Box(8.4, 1.45, "camera", "3D to 2D", "03", PURPLE),
    "losses": Box(8.4, -0.15, "losses", "2D, 3D, theta", "03 06", VERMILLION),
    "critics": Box(6.3, -0.15, "discriminator", "a human body?", "05", VERMILLION),
    "mocap": Box(4.2, -0.15, "real bodies", "from mocap", "05", GREY),
}
# (from, to, label of the arrow)
ARROWS = (
    ("image", "encoder", ""),
    ("encoder", "regressor", "features"),
    ("regressor", "body", "theta"),
    ("body", "camera", "points"),
    ("camera", "losses", "keypoints 2D"),
    ("body", "critics", "rotations, shape"),
    ("mocap", "critics", ""),
)


def course_map() -> Figure:
    """Draw image -> encoder -> regressor -> body -> camera -> losses, and the discriminator."""
    diagram = figure(8.2, 2.9)
    ax = diagram.add_subplot()
    ax.set(xlim=(-0.1, 10.2), ylim=(-0.35, 3.15), aspect="equal")
    ax.axis("off")
    for box in BOXES.values():
        _draw(ax, box)
    for start, end, text in ARROWS:
        _connect(ax, BOXES[start], BOXES[end], text)
    _feedback(ax, BOXES["regressor"])
    return diagram


def _draw(ax: Axes, box: Box) -> None:
    draw_box(ax, (box.x, box.y), (WIDTH, HEIGHT), (box.title, box.text), box.colour)
    if box.lesson:
        ax.text(
            box.x + 0.1,
            box.y + HEIGHT,
            box.lesson,
            va="center",
            size=8,
            weight="bold",
            color="white",
            bbox={"boxstyle": "round,pad=0.25", "fc": box.colour, "ec": "none"},
        )


def _connect(ax: Axes, start: Box, end: Box, text: str) -> None:
    if start.y == end.y:
        y = start.y + HEIGHT / 2
        ends = (start.x + WIDTH, y), (end.x, y)
        place, side = ((ends[0][0] + end.x) / 2, y + 0.62), "center"
    else:
        x = start.x + 1.15
        ends = (x, start.y), (x, end.y + HEIGHT)
        place, side = (x - 0.1, (start.y + end.y + HEIGHT) / 2), "right"
    draw_arrow(ax, *ends)
    ax.text(*place, text, size=8, va="center", color=BLACK, ha=side)


def _feedback(ax: Axes, box: Box) -> None:
    """Draw the arrow by which a box's answer goes back into it."""
    top = box.y + HEIGHT
    draw_arrow(ax, (box.x + 1.35, top), (box.x + 0.62, top), "arc3,rad=1.1")
    ax.text(box.x + 0.99, top + 0.58, "theta + correction", size=8, ha="center", color=BLACK)
