from .body import SMPL, load_body
from .data import SyntheticPeople, load_pose_prior
from .discriminator import Discriminator
from .evaluation import evaluate
from .hmr import HMR, Prediction, load_pretrained
from .metrics import mpjpe, pa_mpjpe
from .regressor import ThetaRegressor
from .rotations import axis_angle_to_matrix, matrix_to_axis_angle

__version__: str

__all__ = [
    "HMR",
    "SMPL",
    "Discriminator",
    "Prediction",
    "SyntheticPeople",
    "ThetaRegressor",
    "axis_angle_to_matrix",
    "evaluate",
    "load_body",
    "load_pose_prior",
    "load_pretrained",
    "matrix_to_axis_angle",
    "mpjpe",
    "pa_mpjpe",
]
