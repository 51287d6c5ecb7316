from .baselines import score_baselines
from .held_out import evaluate, predict, starting_theta, table
from .keypoint_sets import keypoint_sets, sets_for
from .photos import evaluate_photos, photo_table, predict_photos
from .scores import Truth, score, score_joints
from .test_sets import TestSet, find_test_sets, test_set
from .triangulation import triangulate
from .views import evaluate_views, view_table

__all__ = [
    "TestSet",
    "Truth",
    "evaluate",
    "evaluate_photos",
    "evaluate_views",
    "find_test_sets",
    "keypoint_sets",
    "photo_table",
    "predict",
    "predict_photos",
    "score",
    "score_baselines",
    "score_joints",
    "sets_for",
    "starting_theta",
    "table",
    "test_set",
    "triangulate",
    "view_table",
]
