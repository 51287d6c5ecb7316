from .find_people import FoundPerson, find_people
from .flip_test import average_theta, run_flip_test
from .smplify import (
    CLICK_OUTLIER,
    CLICK_SIGMA,
    DOUBT,
    MAP_SIGMA,
    Fit,
    FitOptions,
    Refined,
    fit,
    fit_to_keypoints,
    heatmap_evidence,
    keypoint_evidence,
)

__all__ = [
    "CLICK_OUTLIER",
    "CLICK_SIGMA",
    "DOUBT",
    "MAP_SIGMA",
    "Fit",
    "FitOptions",
    "FoundPerson",
    "Refined",
    "average_theta",
    "find_people",
    "fit",
    "fit_to_keypoints",
    "heatmap_evidence",
    "keypoint_evidence",
    "run_flip_test",
]
