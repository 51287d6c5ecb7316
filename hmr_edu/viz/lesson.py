"""How the lessons show pictures: one style, everywhere the same, and a text for the blind."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from cycler import cycler
from IPython.display import Image as Displayed
from IPython.display import display
from jaxtyping import UInt8
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image
from plotly.basedatatypes import BaseFigure

from hmr_edu.viz.palette import BLACK, CYCLE, GREY

PLOTLY = "application/vnd.plotly.v1+json"

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


def _styled(make: Any) -> Any:
    def inside(*arguments: Any, **options: Any) -> Any:
        with rc_context(STYLE):
            return make(*arguments, **options)

    return inside
