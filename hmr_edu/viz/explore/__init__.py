"""Explorers: bodies that move while a slider does. Each returns a widget; naming it shows it.

They need the extra "notebooks" (ipywidgets, anywidget); nothing else in the package imports them.
"""

from hmr_edu.viz.explore.camera import explore_camera
from hmr_edu.viz.explore.compare import compare_bodies
from hmr_edu.viz.explore.iterations import explore_iterations, regression_steps
from hmr_edu.viz.explore.keypoint_editor import KeypointEditor
from hmr_edu.viz.explore.mocap import explore_mocap
from hmr_edu.viz.explore.pose import explore_pose
from hmr_edu.viz.explore.prior import explore_prior
from hmr_edu.viz.explore.rotation import explore_rotation
from hmr_edu.viz.explore.shape import explore_shape
from hmr_edu.viz.explore.skinning import explore_skinning

__all__ = [
    "KeypointEditor",
    "compare_bodies",
    "explore_camera",
    "explore_iterations",
    "explore_mocap",
    "explore_pose",
    "explore_prior",
    "explore_rotation",
    "explore_shape",
    "explore_skinning",
    "regression_steps",
]
