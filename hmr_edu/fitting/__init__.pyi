from .flip_test import FlipTested, average_theta, check_lifter, lift, run_flip_test
from .labelled_photos import LabelledPhotos, label_people
from .people_search import FoundPerson, find_people
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
    "FlipTested",
    "FoundPerson",
    "LabelledPhotos",
    "Refined",
    "average_theta",
    "check_lifter",
    "find_people",
    "fit",
    "fit_to_keypoints",
    "heatmap_evidence",
    "keypoint_evidence",
    "label_people",
    "lift",
    "run_flip_test",
]
