from .flip_test import average_theta, lift, run_flip_test
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
    "Refined",
    "average_theta",
    "fit",
    "fit_to_keypoints",
    "heatmap_evidence",
    "keypoint_evidence",
    "lift",
    "run_flip_test",
]
