"""One check for every exercise: `check_<name>(your_function)` -> `Report`."""

from __future__ import annotations
from hmr_edu.course.checks.rotations import (
    check_geodesic_angle,
    check_half_turn_axis,
    check_rodrigues,
    check_rotate_point,
    check_rotation_6d,
    check_skew,
)

__all__ = [
    "check_geodesic_angle",
    "check_half_turn_axis",
    "check_rodrigues",
    "check_rotate_point",
    "check_rotation_6d",
    "check_skew",
]
