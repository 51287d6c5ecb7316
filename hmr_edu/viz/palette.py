"""The colours of all pictures, each with one meaning, which colour-blind readers can tell apart.

Okabe and Ito, "Color Universal Design", 2008.
"""

from __future__ import annotations

BLACK = "#1b1f24"
GREY = "#8c959f"
ORANGE = "#e69f00"
SKY = "#56b4e9"
GREEN = "#009e73"
YELLOW = "#f0e442"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
PURPLE = "#cc79a7"

# In the order in which curves and bars take them; yellow is too pale for a line on white.
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY, BLACK)

LEFT, RIGHT, MIDDLE = ORANGE, BLUE, GREEN

# Bodies: softer than the lines, so that shading stays readable on them.
TRUTH = "#dfae5d"
PREDICTION = "#83bfe6"
BEFORE = "#b9bfc6"

# A scale from little to much on a lit body: pale to dark, so that it can be read without colours.
HEAT = ((0.0, "#e3e8ec"), (0.3, YELLOW), (0.65, VERMILLION), (1.0, "#6a1b4d"))


def rgb(colour: str) -> tuple[float, float, float]:
    """Turn "#rrggbb" into three numbers in [0, 1]. Raises ValueError on anything else."""
    digits = colour.removeprefix("#")
    if len(digits) != 6 or len(colour) != 7:
        raise ValueError(f'a colour is written "#rrggbb", got {colour!r}')
    red, green, blue = bytes.fromhex(digits)
    return red / 255, green / 255, blue / 255
