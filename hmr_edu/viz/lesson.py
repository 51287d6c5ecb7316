"""How the lessons show pictures: one style, everywhere the same, and a text for the blind."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from cycler import cycler
from IPython.display import Image as Displayed
from IPython.display import display
from jaxtyping import Float, UInt8
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image
from plotly.basedatatypes import BaseFigure
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.metrics import HIPS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.palette import BLACK, CYCLE, GREY, PREDICTION
from hmr_edu.viz.pictures import Picture, draw_body

PLOTLY = "application/vnd.plotly.v1+json"
# The root of somebody who stands upright and faces the camera, whose y points down; axis-angle.
FACING = (math.pi, 0.0, 0.0)
Rotations = (
    Float[Tensor, "24 3"]
    | Float[Tensor, "24 3 3"]
    | Float[Tensor, "23 3"]
    | Float[Tensor, "23 3 3"]
)

STYLE: dict[Any, Any] = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": BLACK,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 100,
}


def figure(width: float = 7.0, height: float = 2.8) -> Figure:
    """Make an empty matplotlib figure, in inches, in the course's style; fill it, then `show` it.

    An object, not pyplot's: nothing is drawn twice, and nothing is left behind.
    """
    with rc_context(STYLE):
        made = Figure((width, height), layout="constrained")
        # The style is read when axes are made, which is later: make them inside it.
        made.subplots = _styled(made.subplots)  # type: ignore[method-assign]
        made.add_subplot = _styled(made.add_subplot)  # type: ignore[method-assign]
    return made


def show(picture: Figure | BaseFigure | UInt8[np.ndarray, "height width 3"], alt: str) -> None:
    """Show a figure or an RGB picture; `alt` says what there is to see, in a sentence.

    A plotly figure is written as data, which JupyterLab, VS Code and our site draw without a
    kernel; where nothing can draw it, `alt` stands in its place. Raises ValueError without it.
    """
    if not alt.strip():
        raise ValueError("a picture needs a text for readers who cannot see it: show(picture, alt)")
    if isinstance(picture, BaseFigure):
        display({PLOTLY: json.loads(picture.to_json()), "text/plain": alt}, raw=True)
        return
    file = io.BytesIO()
    if isinstance(picture, Figure):
        with rc_context(STYLE):
            picture.savefig(file, format="png", metadata={"Software": None})
    else:
        Image.fromarray(picture).save(file, format="png", optimize=True)
    display(Displayed(file.getvalue(), format="png", alt=alt))


def draw_pose(
    body: SMPL,
    rotations: Rotations,
    colour: str = PREDICTION,
    size: int = 120,
    *,
    yaw: float | int = 0.0,
    centre: Literal["hips", "box"] = "hips",
    zoom: float | int = 0.85,
) -> Picture:
    """Draw the mean body in a pose.

    Args:
        body: the body model; its betas are 0 here.
        rotations: axis-angle (radians) or matrices of the 24 joints, the root in the camera's
            frame. Those of 23 joints have no root: the body then faces the camera.
        colour: "#rrggbb".
        size: width and height of the picture, pixels.
        yaw: degrees by which the body turns about the vertical; 90 turns somebody who faces the
            camera towards the picture's right edge.
        centre: what lies in the middle of the picture: the middle of the hips, or that of the
            body's bounding box.
        zoom: half-pictures per metre.
    """
    matrices = rotations if rotations.ndim == 3 else axis_angle_to_matrix(rotations)
    if len(matrices) == 23:
        root = axis_angle_to_matrix(matrices.new_tensor(FACING))
        matrices = torch.cat([root[None], matrices])
    with torch.no_grad():
        posed = body(matrices.new_zeros(1, 10), matrices[None])
    middle = posed.keypoints[0, HIPS].mean(0) if centre == "hips" else None
    vertices = posed.vertices[0]
    return draw_body(vertices, body.faces, colour, size, yaw=yaw, centre=middle, zoom=zoom)


def front_and_side(
    body: SMPL, poses: Sequence[tuple[Rotations, str]], size: int = 120, **options: Any
) -> list[Picture]:
    """Draw (rotations, colour) pairs, each from the front and then from the side.

    `options` go to `draw_pose`.
    """
    return [
        draw_pose(body, rotations, colour, size, yaw=yaw, **options)
        for rotations, colour in poses
        for yaw in (0, 90)
    ]


def _styled(make: Any) -> Any:
    def inside(*arguments: Any, **options: Any) -> Any:
        with rc_context(STYLE):
            return make(*arguments, **options)

    return inside
