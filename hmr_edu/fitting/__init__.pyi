from .flip_test import FlipTested, average_theta, check_lifter, lift, run_flip_test
from .labelled_photos import LabelledPhotos, label_people
from .motion import Motion, Seen, recover_motion
from .people_search import FoundPerson, find_people
from .refining import (
    FACINGS,
    Refined,
    Refinement,
    Refiner,
    crop_evidence,
    outside_probability,
)
from .second_starts import face_about, look_turned, mirror_depth, turn_theta
from .smoothing import OneEuro, smooth, smooth_rotations, steady
from .smplify import (
    CLICK_OUTLIER,
    CLICK_SIGMA,
    DOUBT,
    MAP_SIGMA,
    Fit,
    FitOptions,
    fit,
    fit_to_keypoints,
    heatmap_evidence,
    keypoint_evidence,
)
from .tracking import KeypointTracker, PictureTracker
from .tracks import Tracked

__all__ = [
    "CLICK_OUTLIER",
    "CLICK_SIGMA",
    "DOUBT",
    "FACINGS",
    "MAP_SIGMA",
    "Fit",
    "FitOptions",
    "FlipTested",
    "FoundPerson",
    "KeypointTracker",
    "LabelledPhotos",
    "Motion",
    "OneEuro",
    "PictureTracker",
    "Refined",
    "Refinement",
    "Refiner",
    "Seen",
    "Tracked",
    "average_theta",
    "check_lifter",
    "crop_evidence",
    "face_about",
    "find_people",
    "fit",
    "fit_to_keypoints",
    "heatmap_evidence",
    "keypoint_evidence",
    "label_people",
    "lift",
    "look_turned",
    "mirror_depth",
    "outside_probability",
    "recover_motion",
    "run_flip_test",
    "smooth",
    "smooth_rotations",
    "steady",
    "turn_theta",
]
