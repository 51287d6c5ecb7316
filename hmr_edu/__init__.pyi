from .body import SMPL, load_body
from .camera import CropBox, perspective, weak_perspective
from .crop import PADDING, crop_image
from .data import SyntheticPeople, load_pose_prior
from .discriminator import Discriminator
from .evaluation import evaluate
from .hmr import HMR, WEIGHTS, Prediction, load_pretrained
from .keypoints import COCOPLUS, COCOPLUS_EDGES, SMPL_JOINTS, SMPL_PARENTS
from .metrics import align_root, facing_error, mpjpe, pa_mpjpe, pck2d
from .regressor import ThetaRegressor
from .rotations import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from .theta import join_theta, mean_theta, split_theta

__version__: str

__all__ = [
    "COCOPLUS",
    "COCOPLUS_EDGES",
    "HMR",
    "PADDING",
    "SMPL",
    "SMPL_JOINTS",
    "SMPL_PARENTS",
    "WEIGHTS",
    "CropBox",
    "Discriminator",
    "Prediction",
    "SyntheticPeople",
    "ThetaRegressor",
    "align_root",
    "axis_angle_to_matrix",
    "crop_image",
    "evaluate",
    "facing_error",
    "geodesic_angle",
    "join_theta",
    "load_body",
    "load_pose_prior",
    "load_pretrained",
    "matrix_to_axis_angle",
    "matrix_to_rotation_6d",
    "mean_theta",
    "mpjpe",
    "pa_mpjpe",
    "pck2d",
    "perspective",
    "rotation_6d_to_matrix",
    "split_theta",
    "weak_perspective",
]
