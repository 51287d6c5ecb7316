from .batch import Batch
from .photos.annotations import AnnotatedPerson, read_annotations
from .photos.calibration import View, read_cameras
from .photos.crops import read_crop
from .photos.pictures import EXAMPLES, read_photo
from .photos.source import AnnotatedPhotos
from .poses.mocap import Mocap, find_mocap, load_mocap
from .poses.prior import PosePrior, load_pose_prior
from .poses.real_poses import RealPoses, load_real_poses
from .source import BatchSource, Mixture, batch_seed
from .synthetic.appearance import APPEARANCES, AppearanceConfig
from .synthetic.people import PoseSource, SyntheticConfig, SyntheticPeople
from .synthetic.scenes import paint_scenes

__all__ = [
    "APPEARANCES",
    "EXAMPLES",
    "AnnotatedPerson",
    "AnnotatedPhotos",
    "AppearanceConfig",
    "Batch",
    "BatchSource",
    "Mixture",
    "Mocap",
    "PosePrior",
    "PoseSource",
    "RealPoses",
    "SyntheticConfig",
    "SyntheticPeople",
    "View",
    "batch_seed",
    "find_mocap",
    "load_mocap",
    "load_pose_prior",
    "load_real_poses",
    "paint_scenes",
    "read_annotations",
    "read_cameras",
    "read_crop",
    "read_photo",
]
