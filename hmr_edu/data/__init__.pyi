from .augment import (
    AUGMENTATIONS,
    AugmentConfig,
    Labels,
    Placement,
    cut_out,
    draw_placement,
    place_labels,
)
from .batch import Batch
from .detections.detector import detect_people
from .detections.files import read_detections
from .detections.formats import Detection
from .detections.joint_sets import JOINT_SETS, to_cocoplus
from .photos.annotations import AnnotatedPerson, read_annotations
from .photos.calibration import View, read_cameras
from .photos.crops import read_crop
from .photos.data_sets import DATA_SETS, open_data_set
from .photos.pictures import EXAMPLES, read_photo
from .photos.source import AnnotatedPhotos
from .photos.table import PeopleTable
from .photos.write_sets import write_set
from .poses.formats.clip import Clip
from .poses.formats.registry import read_clips
from .poses.import_motion import ImportOptions, import_motion, save_motion
from .poses.mocap import Mocap, find_mocap, load_mocap
from .poses.prior import PosePrior, load_pose_prior
from .poses.real_poses import RealPoses, load_real_poses
from .source import BatchSource, Mixture, batch_seed
from .synthetic.options import APPEARANCES, AppearanceConfig
from .synthetic.people import PoseSource, SyntheticConfig, SyntheticPeople
from .synthetic.scenes import paint_scenes

__all__ = [
    "APPEARANCES",
    "AUGMENTATIONS",
    "DATA_SETS",
    "EXAMPLES",
    "JOINT_SETS",
    "AnnotatedPerson",
    "AnnotatedPhotos",
    "AppearanceConfig",
    "AugmentConfig",
    "Batch",
    "BatchSource",
    "Clip",
    "Detection",
    "ImportOptions",
    "Labels",
    "Mixture",
    "Mocap",
    "PeopleTable",
    "Placement",
    "PosePrior",
    "PoseSource",
    "RealPoses",
    "SyntheticConfig",
    "SyntheticPeople",
    "View",
    "batch_seed",
    "cut_out",
    "detect_people",
    "draw_placement",
    "find_mocap",
    "import_motion",
    "load_mocap",
    "load_pose_prior",
    "load_real_poses",
    "open_data_set",
    "paint_scenes",
    "place_labels",
    "read_annotations",
    "read_cameras",
    "read_clips",
    "read_crop",
    "read_detections",
    "read_photo",
    "save_motion",
    "to_cocoplus",
    "write_set",
]
