"""One check for every exercise: `check_<name>(your_function)` -> `Report`."""

from __future__ import annotations

from hmr_edu.course.checks.discriminator import (
    check_affine_residual,
    check_best_critic,
    check_lsgan,
    check_parameter_count,
    check_repair_step,
    check_worst_joint,
)
from hmr_edu.course.checks.fitting import check_fit_camera, check_fit_energy
from hmr_edu.course.checks.photo import (
    check_map_energy,
    check_pck_of_box,
    check_robust,
    check_shuffled_baseline,
)
from hmr_edu.course.checks.problems_geometry import (
    check_cut_body,
    check_in_picture,
    check_mean_rotation,
    check_mirror_pose,
    check_relative_rotations,
    check_translation_from_points,
)
from hmr_edu.course.checks.problems_learning import (
    check_clip_by_norm,
    check_gradient_penalty,
    check_growing_loss,
    check_hinge,
    check_moving_average,
    check_settled_loop,
)
from hmr_edu.course.checks.projection import (
    check_crop_to_full,
    check_perspective,
    check_weak_perspective,
)
from hmr_edu.course.checks.regression import (
    check_collapse,
    check_correction_cosines,
    check_feedback_loop,
    check_regressor_parameters,
    check_steps_loss,
)
from hmr_edu.course.checks.rotations import (
    check_geodesic_angle,
    check_half_turn_axis,
    check_rodrigues,
    check_rotate_point,
    check_rotation_6d,
    check_skew,
)
from hmr_edu.course.checks.smpl import (
    check_global_transforms,
    check_pose_feature,
    check_shape_blend,
    check_skinning,
    check_turn_the_world,
)
from hmr_edu.course.checks.start import (
    check_noticed,
    check_take_apart,
    check_to_pixels,
)
from hmr_edu.course.checks.training import (
    check_fakes_of,
    check_labelled_l1,
    check_schedule,
    check_take_turns,
)

__all__ = [
    "check_affine_residual",
    "check_best_critic",
    "check_clip_by_norm",
    "check_collapse",
    "check_correction_cosines",
    "check_crop_to_full",
    "check_cut_body",
    "check_fakes_of",
    "check_feedback_loop",
    "check_fit_camera",
    "check_fit_energy",
    "check_geodesic_angle",
    "check_global_transforms",
    "check_gradient_penalty",
    "check_growing_loss",
    "check_half_turn_axis",
    "check_hinge",
    "check_in_picture",
    "check_labelled_l1",
    "check_lsgan",
    "check_map_energy",
    "check_mean_rotation",
    "check_mirror_pose",
    "check_moving_average",
    "check_noticed",
    "check_parameter_count",
    "check_pck_of_box",
    "check_perspective",
    "check_pose_feature",
    "check_regressor_parameters",
    "check_relative_rotations",
    "check_repair_step",
    "check_robust",
    "check_rodrigues",
    "check_rotate_point",
    "check_rotation_6d",
    "check_schedule",
    "check_settled_loop",
    "check_shape_blend",
    "check_shuffled_baseline",
    "check_skew",
    "check_skinning",
    "check_steps_loss",
    "check_take_apart",
    "check_take_turns",
    "check_to_pixels",
    "check_translation_from_points",
    "check_turn_the_world",
    "check_weak_perspective",
    "check_worst_joint",
]
